//! Cohorts of weeks, which have no table: a customer's week follows from the day of the first movement.

use crate::analytics::range::Range;
use crate::analytics::values::DiscountPolicy;
use crate::error::Result;
use chrono::NaiveDate;
use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, Statement, Value};

/// Changes of the customers of one currency who first paid in one period, within another one.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub(in crate::analytics) struct CohortChange {
    /// The first day of the period in which they first paid.
    pub(in crate::analytics) cohort_on: NaiveDate,
    /// The first day of the period of the changes.
    pub(in crate::analytics) period_on: NaiveDate,
    pub(in crate::analytics) currency: String,
    /// Number of customers who began, and their annual revenue at the ends of their first days.
    pub(in crate::analytics) started_count: i64,
    pub(in crate::analytics) started_minor: i64,
    /// Change of the number of customers who pay.
    pub(in crate::analytics) customer_change: i64,
    /// Change of their annual revenue.
    pub(in crate::analytics) arr_change_minor: i64,
}

/// Returns the changes by the stored movements of customers who first paid in `range` and are not marked, by week.
pub(in crate::analytics) async fn changes(
    snapshot: &impl ConnectionTrait,
    policy: DiscountPolicy,
    range: Range,
) -> Result<Vec<CohortChange>> {
    let backend = snapshot.get_database_backend();
    let week = |day: &str| match backend {
        DbBackend::Postgres => format!("CAST(date_trunc('week', {day}) AS date)"),
        // The next Monday, from six days before on.
        _ => format!("date({day}, '-6 days', 'weekday 1')"),
    };
    let (cohort_on, period_on) = (week("f.day"), week("m.day"));
    let sql = format!(
        "SELECT {cohort_on} AS cohort_on, {period_on} AS period_on, f.currency, \
         COUNT(CASE WHEN m.kind = 'new' THEN 1 END) AS started_count, \
         CAST(SUM(CASE WHEN m.kind = 'new' THEN m.arr_after_minor ELSE 0 END) AS BIGINT) AS started_minor, \
         CAST(SUM(CASE m.kind WHEN 'new' THEN 1 WHEN 'reactivation' THEN 1 WHEN 'churn' THEN -1 ELSE 0 END) AS BIGINT) \
         AS customer_change, CAST(SUM(m.arr_after_minor - m.arr_before_minor) AS BIGINT) AS arr_change_minor \
         FROM mrr_movements f JOIN mrr_movements m ON m.account_id = f.account_id AND m.currency = f.currency \
         AND m.discounts = f.discounts WHERE f.discounts = $1 AND f.kind = 'new' AND f.day >= $2 AND f.day < $3 \
         AND NOT EXISTS (SELECT 1 FROM analytics_marks k WHERE k.account_id = f.account_id) GROUP BY 1, 2, 3"
    );
    let values: [Value; 3] = [policy.into(), range.from.into(), range.to.into()];
    let rows = snapshot.query_all_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    rows.iter().map(|row| Ok(CohortChange::from_query_result(row, "")?)).collect()
}
