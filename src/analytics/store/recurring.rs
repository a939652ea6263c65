//! Sums over the history of subscriptions at an instant.

use crate::analytics::values::DiscountPolicy;
use crate::error::Result;
use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DatabaseConnection, QueryResult, Statement, Value};
use uuid::Uuid;

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
const STATE: &str = "WITH state AS (SELECT id, subscription_id, account_id, status, paused, product_version_id, currency, arr_minor, \
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
         state.product_version_id AS product_version_id, CASE WHEN change.subscription_version_id IS NULL THEN state.{arr} ELSE change.arr END AS arr \
         FROM state JOIN subscriptions ON subscriptions.id = state.subscription_id \
         LEFT JOIN change ON change.subscription_version_id = state.id AND change.newest = 1 \
         WHERE state.newest = 1 AND state.status IN ('active', 'past_due') AND NOT state.paused \
         AND subscriptions.first_paid_at <= $1)"
    )
}

/// Sums recurring revenue. Subscriptions of an unknown amount are left out; see [`unknown`].
pub(in crate::analytics) async fn recurring(
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
    rows.iter().map(read).collect()
}

/// Counts the subscriptions that [`recurring`] leaves out because their amount is unknown.
pub(in crate::analytics) async fn unknown(
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
pub(in crate::analytics) async fn subscriptions_by_status(
    db: &DatabaseConnection,
    as_of: DateTime<Utc>,
) -> Result<Vec<ActiveCount>> {
    let sql = format!("{STATE} SELECT status, COUNT(*) AS n FROM state WHERE newest = 1 GROUP BY 1 ORDER BY 1");
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, [as_of.fixed_offset().into()]);
    let rows = db.query_all_raw(statement).await?;
    rows.iter()
        .map(|row| Ok(ActiveCount { status: row.try_get("", "status")?, subscriptions: row.try_get("", "n")? }))
        .collect()
}

/// Recurring revenue of one plan in one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfPlan {
    /// The plan; `None` for subscriptions whose plan is unknown.
    pub product_id: Option<Uuid>,
    /// The sums.
    pub recurring: Recurring,
}

/// Sums recurring revenue by the plan of the subscription, add-ons included.
pub(in crate::analytics) async fn by_plan(
    db: &DatabaseConnection,
    as_of: DateTime<Utc>,
    policy: DiscountPolicy,
) -> Result<Vec<OfPlan>> {
    let sql = format!(
        "{} SELECT currency, v.product_id AS product_id, CAST(SUM(arr) AS BIGINT) AS arr_minor, \
         COUNT(*) AS subscriptions, COUNT(DISTINCT account_id) AS customers FROM counted \
         LEFT JOIN product_versions v ON v.id = counted.product_version_id WHERE arr > 0 GROUP BY 1, 2 ORDER BY 1, 3 DESC, 2",
        counted(policy)
    );
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, [as_of.fixed_offset().into()]);
    let rows = db.query_all_raw(statement).await?;
    rows.iter().map(|row| Ok(OfPlan { product_id: row.try_get("", "product_id")?, recurring: read(row)? })).collect()
}

/// Recurring revenue of one customer in one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfCustomer {
    /// The account.
    pub account_id: Uuid,
    /// The sums.
    pub recurring: Recurring,
}

/// Returns the customers with the most recurring revenue in `currency`, largest first.
pub(in crate::analytics) async fn top_customers(
    db: &DatabaseConnection,
    as_of: DateTime<Utc>,
    policy: DiscountPolicy,
    currency: &str,
    limit: u32,
) -> Result<Vec<OfCustomer>> {
    let sql = format!(
        "{} SELECT currency, account_id, CAST(SUM(arr) AS BIGINT) AS arr_minor, COUNT(*) AS subscriptions, \
         COUNT(DISTINCT account_id) AS customers FROM counted WHERE arr > 0 AND currency = $2 \
         GROUP BY 1, 2 ORDER BY 3 DESC, 2 LIMIT {limit}",
        counted(policy)
    );
    let values: [Value; 2] = [as_of.fixed_offset().into(), currency.into()];
    let rows = db.query_all_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, values)).await?;
    rows.iter()
        .map(|row| Ok(OfCustomer { account_id: row.try_get("", "account_id")?, recurring: read(row)? }))
        .collect()
}

fn read(row: &QueryResult) -> Result<Recurring> {
    Ok(Recurring {
        currency: row.try_get("", "currency")?,
        arr_minor: row.try_get("", "arr_minor")?,
        subscriptions: row.try_get("", "subscriptions")?,
        customers: row.try_get("", "customers")?,
    })
}
