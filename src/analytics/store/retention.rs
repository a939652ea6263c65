//! The customers of a start, at the end.

use crate::analytics::range::Range;
use crate::analytics::values::{DiscountPolicy, Period};
use crate::error::Result;
use chrono::NaiveDate;
use sea_orm::{ConnectionTrait, DbBackend, Statement, Value};
use std::collections::BTreeMap;

/// Changes of the customers who paid at the start of a period, between its start and its end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::analytics) struct SetChange {
    /// Customers who pay nothing at the end.
    pub(in crate::analytics) lost: i64,
    /// Annual revenue lost of those who pay less at the end, in minor units.
    pub(in crate::analytics) reduced_minor: i64,
    /// The difference of the annual revenue of all of them.
    pub(in crate::analytics) changed_minor: i64,
}

/// Changes by the first day of a period and by currency.
pub(in crate::analytics) type SetChanges = BTreeMap<(NaiveDate, String), SetChange>;

/// Returns the changes by the stored movements of customers who are not marked, in each month of `range`, or for another
/// period in the whole range. Customers without a movement in a period do not change in it.
pub(in crate::analytics) async fn changes(
    snapshot: &impl ConnectionTrait,
    policy: DiscountPolicy,
    range: Range,
    period: Period,
) -> Result<SetChanges> {
    let backend = snapshot.get_database_backend();
    let key = match (period, backend) {
        (Period::Month, DbBackend::Postgres) => "CAST(date_trunc('month', day) AS date)",
        (Period::Month, _) => "substr(day, 1, 7) || '-01'",
        (_, DbBackend::Postgres) => "CAST($2 AS date)",
        _ => "$2",
    };
    let sql = format!(
        "WITH moved AS (SELECT account_id, currency, {key} AS starts_on, day, arr_before_minor, arr_after_minor \
         FROM mrr_movements m WHERE discounts = $1 AND day >= $2 AND day < $3 \
         AND NOT EXISTS (SELECT 1 FROM analytics_marks k WHERE k.account_id = m.account_id)), \
         ranked AS (SELECT account_id, currency, starts_on, arr_before_minor, arr_after_minor, \
         row_number() OVER (PARTITION BY account_id, currency, starts_on ORDER BY day) AS from_start, \
         row_number() OVER (PARTITION BY account_id, currency, starts_on ORDER BY day DESC) AS from_end FROM moved), \
         ends AS (SELECT currency, starts_on, MAX(CASE WHEN from_start = 1 THEN arr_before_minor END) AS arr_at_start, \
         MAX(CASE WHEN from_end = 1 THEN arr_after_minor END) AS arr_at_end \
         FROM ranked GROUP BY account_id, currency, starts_on) \
         SELECT starts_on, currency, COUNT(CASE WHEN arr_at_end = 0 THEN 1 END) AS lost, \
         CAST(SUM(CASE WHEN arr_at_end < arr_at_start THEN arr_at_start - arr_at_end ELSE 0 END) AS BIGINT) \
         AS reduced_minor, CAST(SUM(arr_at_end - arr_at_start) AS BIGINT) AS changed_minor \
         FROM ends WHERE arr_at_start > 0 GROUP BY 1, 2"
    );
    let values: [Value; 3] = [policy.into(), range.from.into(), range.to.into()];
    let rows = snapshot.query_all_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    let mut found = SetChanges::new();
    for row in rows {
        let change = SetChange {
            lost: row.try_get("", "lost")?,
            reduced_minor: row.try_get("", "reduced_minor")?,
            changed_minor: row.try_get("", "changed_minor")?,
        };
        found.insert((row.try_get("", "starts_on")?, row.try_get("", "currency")?), change);
    }
    Ok(found)
}
