//! Sums in SQL that both engines read alike.

use crate::db::utc_day;
use crate::error::Result;
use crate::money;
use chrono::{DateTime, Datelike, Days, NaiveDate, Utc};
use sea_orm::{ConnectionTrait, DatabaseConnection, QueryResult, Statement, Value};
use std::collections::BTreeMap;

/// The length of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Period {
    /// A UTC day.
    Day,
    /// Monday to Sunday, by ISO 8601.
    Week,
    /// A calendar month.
    Month,
}

impl Period {
    /// Returns the first day of the period that contains `day`.
    fn start(self, day: NaiveDate) -> NaiveDate {
        match self {
            Period::Day => day,
            Period::Week => day - Days::new(day.weekday().num_days_from_monday().into()),
            Period::Month => day.with_day(1).expect("every month has a first day"),
        }
    }
}

/// Cash revenue of one period, currency and stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cash {
    /// The first day of the period.
    pub starts_on: NaiveDate,
    /// ISO 4217 code.
    pub currency: String,
    /// The stream of revenue.
    pub stream: String,
    /// Money received by payments in the period, in minor units.
    pub gross_minor: i64,
    /// Refunds processed in the period, in minor units, also of earlier payments.
    pub refunded_minor: i64,
    /// Number of successful payments.
    pub payments: i64,
}

/// Sums payments and refunds of `[from, to)`.
pub(super) async fn revenue(
    db: &DatabaseConnection,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    period: Period,
) -> Result<Vec<Cash>> {
    let backend = db.get_database_backend();
    let paid = format!(
        "SELECT {day} AS day, currency, stream, CAST(SUM(received_minor) AS BIGINT) AS minor, COUNT(*) AS n \
         FROM payments WHERE status = 'succeeded' AND paid_at >= $1 AND paid_at < $2 GROUP BY 1, 2, 3",
        day = utc_day(backend, "paid_at"),
    );
    let refunded = format!(
        "SELECT {day} AS day, r.currency, p.stream, CAST(SUM(r.amount_minor) AS BIGINT) AS minor, COUNT(*) AS n \
         FROM refunds r JOIN payments p ON p.id = r.payment_id \
         WHERE p.status = 'succeeded' AND r.status = 'processed' AND r.processed_at >= $1 AND r.processed_at < $2 GROUP BY 1, 2, 3",
        day = utc_day(backend, "r.processed_at"),
    );
    let range: [Value; 2] = [from.fixed_offset().into(), to.fixed_offset().into()];
    let mut sums = Sums { period, found: BTreeMap::new() };
    for row in db.query_all_raw(Statement::from_sql_and_values(backend, paid, range.clone())).await? {
        let (cash, minor, count) = sums.cell(&row)?;
        cash.gross_minor = money::add(cash.gross_minor, minor)?;
        cash.payments += count;
    }
    for row in db.query_all_raw(Statement::from_sql_and_values(backend, refunded, range)).await? {
        let (cash, minor, _) = sums.cell(&row)?;
        cash.refunded_minor = money::add(cash.refunded_minor, minor)?;
    }
    Ok(sums.found.into_values().collect())
}

/// Sums by period, currency and stream.
struct Sums {
    period: Period,
    found: BTreeMap<(NaiveDate, String, String), Cash>,
}

impl Sums {
    /// Returns the sum that a row of one day belongs to, with the row's amount and count.
    fn cell(&mut self, row: &QueryResult) -> Result<(&mut Cash, i64, i64)> {
        let day: NaiveDate = row.try_get("", "day")?;
        let key = (self.period.start(day), row.try_get("", "currency")?, row.try_get("", "stream")?);
        let cash = self.found.entry(key).or_insert_with_key(|(starts_on, currency, stream)| Cash {
            starts_on: *starts_on,
            currency: currency.clone(),
            stream: stream.clone(),
            gross_minor: 0,
            refunded_minor: 0,
            payments: 0,
        });
        Ok((cash, row.try_get("", "minor")?, row.try_get("", "n")?))
    }
}

/// The discounts that lower recurring revenue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DiscountPolicy {
    /// Those that last forever (the provider's own figure, and the default).
    ForeverOnly,
    /// Every one in force.
    AllActive,
}

/// Recurring revenue in one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recurring {
    /// ISO 4217 code.
    pub currency: String,
    /// Annual value in minor units, exact.
    pub arr_minor: i64,
    /// Number of contributing subscriptions.
    pub subscriptions: i64,
    /// Number of contributing accounts.
    pub customers: i64,
}

/// The number of subscriptions in one currency that count as recurring revenue of an unknown amount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// ISO 4217 code; `None` if the currency is unknown too.
    pub currency: Option<String>,
    /// Number of subscriptions.
    pub subscriptions: i64,
}

/// The state of every subscription at `$1`: its newest version in force at that time.
const STATE: &str = "WITH state AS (SELECT id, subscription_id, account_id, status, paused, currency, arr_minor, \
     discounted_arr_minor, row_number() OVER (PARTITION BY subscription_id \
     ORDER BY effective_at DESC, recorded_at DESC, id DESC) AS newest \
     FROM subscription_versions WHERE effective_at <= $1)";

/// The annual value at `$1` of every subscription that counts then: active or past due, not paused, and paid at least
/// once by then. While a state lasts, its value changes when a discount begins or ends.
fn counted(policy: DiscountPolicy) -> String {
    let arr = match policy {
        DiscountPolicy::ForeverOnly => "arr_minor",
        DiscountPolicy::AllActive => "discounted_arr_minor",
    };
    format!(
        "{STATE}, change AS (SELECT subscription_version_id, {arr} AS arr, row_number() OVER (PARTITION BY \
         subscription_version_id ORDER BY effective_at DESC) AS newest \
         FROM subscription_arr_changes WHERE effective_at <= $1), \
         counted AS (SELECT state.currency AS currency, state.account_id AS account_id, \
         CASE WHEN change.subscription_version_id IS NULL THEN state.{arr} ELSE change.arr END AS arr \
         FROM state JOIN subscriptions ON subscriptions.id = state.subscription_id \
         LEFT JOIN change ON change.subscription_version_id = state.id AND change.newest = 1 \
         WHERE state.newest = 1 AND state.status IN ('active', 'past_due') AND NOT state.paused \
         AND subscriptions.first_paid_at <= $1)"
    )
}

/// Sums recurring revenue. Subscriptions of an unknown amount are left out; see [`unknown`].
pub(super) async fn recurring(
    db: &DatabaseConnection,
    as_of: DateTime<Utc>,
    policy: DiscountPolicy,
) -> Result<Vec<Recurring>> {
    let sql = format!(
        "{} SELECT currency, CAST(SUM(arr) AS BIGINT) AS arr_minor, COUNT(*) AS subscriptions, \
         COUNT(DISTINCT account_id) AS customers FROM counted WHERE arr > 0 GROUP BY 1 ORDER BY 1",
        counted(policy)
    );
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, [as_of.fixed_offset().into()]);
    let rows = db.query_all_raw(statement).await?;
    let read = |row: &QueryResult| {
        Ok(Recurring {
            currency: row.try_get("", "currency")?,
            arr_minor: row.try_get("", "arr_minor")?,
            subscriptions: row.try_get("", "subscriptions")?,
            customers: row.try_get("", "customers")?,
        })
    };
    rows.iter().map(read).collect()
}

/// Counts the subscriptions that [`recurring`] leaves out because their amount is unknown.
pub(super) async fn unknown(
    db: &DatabaseConnection,
    as_of: DateTime<Utc>,
    policy: DiscountPolicy,
) -> Result<Vec<Unknown>> {
    let sql = format!(
        "{} SELECT currency, COUNT(*) AS subscriptions FROM counted WHERE arr IS NULL GROUP BY 1 ORDER BY 1",
        counted(policy)
    );
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, [as_of.fixed_offset().into()]);
    let rows = db.query_all_raw(statement).await?;
    let read = |row: &QueryResult| {
        Ok(Unknown { currency: row.try_get("", "currency")?, subscriptions: row.try_get("", "subscriptions")? })
    };
    rows.iter().map(read).collect()
}

/// The number of subscriptions in a status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActiveCount {
    /// The status.
    pub status: String,
    /// Number of subscriptions.
    pub subscriptions: i64,
}

/// Counts the states at `as_of` by status.
pub(super) async fn subscriptions_by_status(db: &DatabaseConnection, as_of: DateTime<Utc>) -> Result<Vec<ActiveCount>> {
    let sql = format!("{STATE} SELECT status, COUNT(*) AS n FROM state WHERE newest = 1 GROUP BY 1 ORDER BY 1");
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, [as_of.fixed_offset().into()]);
    let rows = db.query_all_raw(statement).await?;
    rows.iter()
        .map(|row| Ok(ActiveCount { status: row.try_get("", "status")?, subscriptions: row.try_get("", "n")? }))
        .collect()
}
