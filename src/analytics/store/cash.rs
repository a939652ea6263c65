//! Cash by day, from the table of sums where a day is not marked, and from the facts where it is; by plan from the facts.

use super::cash_facts::{SUMS, facts};
use super::{day_list, listed_days, replace};
use crate::analytics::derived::row_id;
use crate::analytics::range::Range;
use crate::auth::Scope;
use crate::db::{Txn, Visible};
use crate::error::Result;
use crate::money;
use chrono::NaiveDate;
use entity::revenue_daily;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, DbBackend, FromQueryResult, QueryFilter, QueryResult, Statement,
    Value,
};
use std::collections::BTreeMap;
use uuid::Uuid;

/// A part of the cash of one day, currency and stream: a row of the table, or a sum over one kind of facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::analytics) struct Part {
    pub(in crate::analytics) day: NaiveDate,
    pub(in crate::analytics) currency: String,
    pub(in crate::analytics) stream: String,
    pub(in crate::analytics) sums: CashSums,
}

/// A part of the cash of one day, currency and plan: a sum over one kind of facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::analytics) struct PlanPart {
    pub(in crate::analytics) day: NaiveDate,
    pub(in crate::analytics) currency: String,
    pub(in crate::analytics) product_id: Option<Uuid>,
    pub(in crate::analytics) sums: CashSums,
}

/// Sums of cash. Amounts are in minor units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, FromQueryResult)]
pub struct CashSums {
    /// Money received by payments.
    pub gross_minor: i64,
    /// Number of successful payments.
    pub payment_count: i64,
    /// The provider's fees for these payments, as far as they are known.
    pub fee_minor: i64,
    /// Number of payments whose fee is not known.
    pub unknown_fee_count: i64,
    /// Refunds processed, also of earlier payments.
    pub refunded_minor: i64,
    /// Number of these refunds.
    pub refund_count: i64,
    /// Tax in the invoices that were paid.
    pub tax_minor: i64,
    /// Disputes opened.
    pub disputed_minor: i64,
    /// Disputes lost.
    pub lost_minor: i64,
}

impl CashSums {
    /// Returns gross less refunded; may be negative.
    pub fn net_minor(&self) -> i64 {
        self.gross_minor.saturating_sub(self.refunded_minor)
    }

    /// Adds other sums in the same currency.
    pub(in crate::analytics) fn add(&mut self, more: &CashSums) -> Result<()> {
        for (sum, more) in [
            (&mut self.gross_minor, more.gross_minor),
            (&mut self.payment_count, more.payment_count),
            (&mut self.fee_minor, more.fee_minor),
            (&mut self.unknown_fee_count, more.unknown_fee_count),
            (&mut self.refunded_minor, more.refunded_minor),
            (&mut self.refund_count, more.refund_count),
            (&mut self.tax_minor, more.tax_minor),
            (&mut self.disputed_minor, more.disputed_minor),
            (&mut self.lost_minor, more.lost_minor),
        ] {
            *sum = money::add(*sum, more)?;
        }
        Ok(())
    }
}

/// Returns the cash of the days in `range`, in one statement, so that a day is never counted twice.
pub(in crate::analytics) async fn parts(db: &DatabaseConnection, range: Range) -> Result<Vec<Part>> {
    let backend = db.get_database_backend();
    let sums = SUMS.join(", ");
    let sql = format!(
        "WITH marked AS (SELECT DISTINCT day FROM analytics_marks WHERE day >= $1 AND day < $2) \
         SELECT day, currency, stream, {sums} FROM revenue_daily \
         WHERE day >= $1 AND day < $2 AND day NOT IN (SELECT day FROM marked) UNION ALL {}",
        facts(backend, "stream", |fact| fact.stream.to_owned())
    );
    read(db, Statement::from_sql_and_values(backend, sql, [Value::from(range.from), range.to.into()])).await
}

/// Returns the cash of these days from the facts.
async fn parts_of(txn: &Txn, days: &[NaiveDate]) -> Result<Vec<Part>> {
    let backend = txn.get_database_backend();
    let facts = facts(backend, "stream", |fact| fact.stream.to_owned());
    let sql = format!("WITH marked AS ({}) {facts}", listed_days(backend));
    read(txn, Statement::from_sql_and_values(backend, sql, [day_list(days)])).await
}

async fn read(db: &impl ConnectionTrait, statement: Statement) -> Result<Vec<Part>> {
    let rows = db.query_all_raw(statement).await?;
    let part = |row: &QueryResult| {
        Ok(Part {
            day: row.try_get("", "day")?,
            currency: row.try_get("", "currency")?,
            stream: row.try_get("", "stream")?,
            sums: CashSums::from_query_result(row, "")?,
        })
    };
    rows.iter().map(part).collect()
}

/// Returns the cash of the days in `range` by plan, from the facts: the plan of a payment follows from the history of its
/// subscription, whose changes mark no day.
pub(in crate::analytics) async fn parts_by_plan(db: &DatabaseConnection, range: Range) -> Result<Vec<PlanPart>> {
    let backend = db.get_database_backend();
    let days = match backend {
        DbBackend::Postgres => {
            "SELECT CAST(d AS date) AS day FROM generate_series(CAST($1 AS date), CAST($2 AS date) - 1, '1 day') AS d"
        }
        _ => "SELECT $1 AS day UNION ALL SELECT date(day, '+1 days') FROM marked WHERE date(day, '+1 days') < $2",
    };
    let sums = SUMS.map(|name| format!("f.{name}")).join(", ");
    let facts = facts(backend, "version_id", |fact| fact.plan.sql());
    let sql = format!(
        "WITH RECURSIVE marked AS ({days}) SELECT f.day, f.currency, v.product_id, {sums} FROM ({facts}) AS f \
         LEFT JOIN product_versions v ON v.id = f.version_id"
    );
    let values = [Value::from(range.from), range.to.into()];
    let rows = db.query_all_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    let part = |row: &QueryResult| {
        Ok(PlanPart {
            day: row.try_get("", "day")?,
            currency: row.try_get("", "currency")?,
            product_id: row.try_get("", "product_id")?,
            sums: CashSums::from_query_result(row, "")?,
        })
    };
    rows.iter().map(part).collect()
}

/// Makes the rows of these days again, and returns the number of rows that differ from before.
pub(in crate::analytics) async fn make_days(txn: &Txn, days: &[NaiveDate]) -> Result<usize> {
    use revenue_daily::{Column, Entity};
    let mut sums: BTreeMap<(NaiveDate, String, String), CashSums> = BTreeMap::new();
    for part in parts_of(txn, days).await? {
        sums.entry((part.day, part.currency, part.stream)).or_default().add(&part.sums)?;
    }
    let wanted = sums.into_iter().map(|((day, currency, stream), sums)| row(day, currency, stream, &sums));
    let rows = Entity::visible(Scope::Everything).filter(Column::Day.is_in(days.iter().copied())).all(txn).await?;
    let known = rows.into_iter().map(|row| (row.id, row)).collect();
    replace::<Entity>(txn, Column::Id, known, wanted.map(|row| (row.id, row)).collect()).await
}

fn row(day: NaiveDate, currency: String, stream: String, sums: &CashSums) -> revenue_daily::Model {
    revenue_daily::Model {
        id: row_id("revenue_daily", &[&day.to_string(), &currency, &stream]),
        day,
        currency,
        stream,
        gross_minor: sums.gross_minor,
        payment_count: sums.payment_count,
        fee_minor: sums.fee_minor,
        unknown_fee_count: sums.unknown_fee_count,
        refunded_minor: sums.refunded_minor,
        refund_count: sums.refund_count,
        tax_minor: sums.tax_minor,
        disputed_minor: sums.disputed_minor,
        lost_minor: sums.lost_minor,
    }
}
