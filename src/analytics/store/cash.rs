//! Cash by day, from the table of sums where a day is not marked, and from the facts where it is.

use super::replace;
use crate::analytics::derived::row_id;
use crate::auth::Scope;
use crate::db::{Txn, Visible};
use crate::error::Result;
use crate::money;
use chrono::NaiveDate;
use entity::revenue_daily;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, DbBackend, FromQueryResult, QueryFilter, Statement, Value,
};
use std::collections::BTreeMap;
use uuid::Uuid;

/// A part of the cash of one day, currency and stream: a row of the table, or a sum over one kind of facts.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub(in crate::analytics) struct Part {
    pub(in crate::analytics) day: NaiveDate,
    pub(in crate::analytics) currency: String,
    pub(in crate::analytics) stream: String,
    pub(in crate::analytics) gross_minor: i64,
    pub(in crate::analytics) payment_count: i64,
    pub(in crate::analytics) fee_minor: i64,
    pub(in crate::analytics) unknown_fee_count: i64,
    pub(in crate::analytics) refunded_minor: i64,
    pub(in crate::analytics) refund_count: i64,
    pub(in crate::analytics) tax_minor: i64,
    pub(in crate::analytics) disputed_minor: i64,
    pub(in crate::analytics) lost_minor: i64,
}

/// The sums of a part, in the order of the columns.
const SUMS: [&str; 9] = [
    "gross_minor",
    "payment_count",
    "fee_minor",
    "unknown_fee_count",
    "refunded_minor",
    "refund_count",
    "tax_minor",
    "disputed_minor",
    "lost_minor",
];

/// One kind of facts: rows that count on the day of an instant.
struct Fact {
    /// The tables and the condition. The instant is compared with each marked day.
    from: &'static str,
    at: &'static str,
    currency: &'static str,
    stream: &'static str,
    /// The sums that are not zero.
    sums: &'static [(&'static str, &'static str)],
}

/// The stream of an invoice: that of the payments for it, or of what an invoice without one is for. The status is compared
/// in a form that no index serves, so that the payments are found by their invoice.
const INVOICE_STREAM: &str = "COALESCE((SELECT MIN(p.stream) FROM payments p WHERE p.invoice_id = f.id \
     AND p.status || '' = 'succeeded'), CASE WHEN f.subscription_id IS NULL THEN 'other' ELSE 'subscription' END)";

const FACTS: [Fact; 5] = [
    Fact {
        from: "payments f WHERE f.status = 'succeeded'",
        at: "f.paid_at",
        currency: "f.currency",
        stream: "f.stream",
        sums: &[
            ("gross_minor", "SUM(f.received_minor)"),
            ("payment_count", "COUNT(*)"),
            ("fee_minor", "COALESCE(SUM(f.fee_minor), 0)"),
            ("unknown_fee_count", "COUNT(*) - COUNT(f.fee_minor)"),
        ],
    },
    Fact {
        from: "refunds f JOIN payments p ON p.id = f.payment_id WHERE p.status = 'succeeded' AND f.status = 'processed'",
        at: "f.processed_at",
        currency: "f.currency",
        stream: "p.stream",
        sums: &[("refunded_minor", "SUM(f.amount_minor)"), ("refund_count", "COUNT(*)")],
    },
    Fact {
        from: "invoices f WHERE f.status = 'paid' AND f.tax_minor > 0",
        at: "f.paid_at",
        currency: "f.currency",
        stream: INVOICE_STREAM,
        sums: &[("tax_minor", "SUM(f.tax_minor)")],
    },
    Fact {
        from: "disputes f JOIN payments p ON p.id = f.payment_id WHERE f.status <> 'warning'",
        at: "f.created_at",
        currency: "f.currency",
        stream: "p.stream",
        sums: &[("disputed_minor", "SUM(f.amount_minor)")],
    },
    Fact {
        from: "disputes f JOIN payments p ON p.id = f.payment_id WHERE f.status = 'lost'",
        at: "f.closed_at",
        currency: "f.currency",
        stream: "p.stream",
        sums: &[("lost_minor", "SUM(f.amount_minor)")],
    },
];

/// Returns the cash of the days in `[from, to)`, in one statement, so that a day is never counted twice.
pub(in crate::analytics) async fn parts(db: &DatabaseConnection, from: NaiveDate, to: NaiveDate) -> Result<Vec<Part>> {
    let backend = db.get_database_backend();
    let sums = SUMS.join(", ");
    let sql = format!(
        "WITH marked AS (SELECT DISTINCT day FROM analytics_marks WHERE day >= $1 AND day < $2) \
         SELECT day, currency, stream, {sums} FROM revenue_daily \
         WHERE day >= $1 AND day < $2 AND day NOT IN (SELECT day FROM marked) UNION ALL {}",
        facts(backend)
    );
    read(db, Statement::from_sql_and_values(backend, sql, [Value::from(from), to.into()])).await
}

/// Returns the cash of these days from the facts.
async fn parts_of(txn: &Txn, days: &[NaiveDate]) -> Result<Vec<Part>> {
    let backend = txn.get_database_backend();
    let list = serde_json::json!(days).to_string();
    let marked = match backend {
        DbBackend::Postgres => {
            "SELECT CAST(value AS date) AS day FROM jsonb_array_elements_text($1::jsonb) AS d(value)"
        }
        _ => "SELECT value AS day FROM json_each($1)",
    };
    let sql = format!("WITH marked AS ({marked}) {}", facts(backend));
    read(txn, Statement::from_sql_and_values(backend, sql, [Value::from(list)])).await
}

async fn read(db: &impl ConnectionTrait, statement: Statement) -> Result<Vec<Part>> {
    let rows = db.query_all_raw(statement).await?;
    rows.iter().map(|row| Ok(Part::from_query_result(row, "")?)).collect()
}

/// Returns the sums over the facts of the days in `marked`, day by day, so that without marked days nothing is read.
fn facts(backend: DbBackend) -> String {
    let sums_of = |fact: &Fact| {
        let sums = SUMS.iter().map(|name| {
            let sum = fact.sums.iter().find(|(known, _)| known == name).map_or("0", |(_, sum)| sum);
            format!("CAST({sum} AS BIGINT) AS {name}")
        });
        let sums = sums.collect::<Vec<_>>().join(", ");
        let names = SUMS.map(|name| format!("s.{name}")).join(", ");
        let Fact { from, at, currency, stream, .. } = fact;
        match backend {
            DbBackend::Postgres => format!(
                "SELECT m.day, s.currency, s.stream, {names} FROM marked m CROSS JOIN LATERAL \
                 (SELECT {currency} AS currency, {stream} AS stream, {sums} FROM {from} \
                 AND {at} >= CAST(m.day AS timestamp) AT TIME ZONE 'UTC' \
                 AND {at} < CAST(m.day + 1 AS timestamp) AT TIME ZONE 'UTC' GROUP BY 1, 2) AS s"
            ),
            // SQLite joins in the order that CROSS JOIN states.
            _ => format!(
                "SELECT m.day AS day, {currency} AS currency, {stream} AS stream, {sums} FROM marked m CROSS JOIN {from} \
                 AND {at} >= m.day AND {at} < date(m.day, '+1 days') GROUP BY 1, 2, 3"
            ),
        }
    };
    FACTS.iter().map(sums_of).collect::<Vec<_>>().join(" UNION ALL ")
}

/// Makes the rows of these days again, and returns the number of rows that differ from before.
pub(in crate::analytics) async fn make_days(txn: &Txn, days: &[NaiveDate]) -> Result<usize> {
    use revenue_daily::{Column, Entity};
    let mut wanted: BTreeMap<Uuid, revenue_daily::Model> = BTreeMap::new();
    for part in parts_of(txn, days).await? {
        let row = row(&part);
        match wanted.get_mut(&row.id) {
            Some(known) => add(known, &part)?,
            None => {
                wanted.insert(row.id, row);
            }
        }
    }
    let rows = Entity::visible(Scope::Everything).filter(Column::Day.is_in(days.iter().copied())).all(txn).await?;
    let known = rows.into_iter().map(|row| (row.id, row)).collect();
    replace::<Entity>(txn, Column::Id, known, wanted).await
}

fn row(part: &Part) -> revenue_daily::Model {
    let Part { day, currency, stream, .. } = part.clone();
    revenue_daily::Model {
        id: row_id("revenue_daily", &[&day.to_string(), &currency, &stream]),
        day,
        currency,
        stream,
        gross_minor: part.gross_minor,
        payment_count: part.payment_count,
        fee_minor: part.fee_minor,
        unknown_fee_count: part.unknown_fee_count,
        refunded_minor: part.refunded_minor,
        refund_count: part.refund_count,
        tax_minor: part.tax_minor,
        disputed_minor: part.disputed_minor,
        lost_minor: part.lost_minor,
    }
}

fn add(row: &mut revenue_daily::Model, part: &Part) -> Result<()> {
    let sums = [
        (&mut row.gross_minor, part.gross_minor),
        (&mut row.payment_count, part.payment_count),
        (&mut row.fee_minor, part.fee_minor),
        (&mut row.unknown_fee_count, part.unknown_fee_count),
        (&mut row.refunded_minor, part.refunded_minor),
        (&mut row.refund_count, part.refund_count),
        (&mut row.tax_minor, part.tax_minor),
        (&mut row.disputed_minor, part.disputed_minor),
        (&mut row.lost_minor, part.lost_minor),
    ];
    for (sum, more) in sums {
        *sum = money::add(*sum, more)?;
    }
    Ok(())
}
