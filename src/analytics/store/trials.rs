//! Trials and what became of them.

use crate::analytics::range::Range;
use crate::error::Result;
use chrono::{DateTime, FixedOffset, NaiveTime, Utc};
use sea_orm::{ConnectionTrait, DatabaseConnection, FromQueryResult, Statement, Value};

/// A subscription that began with a trial.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub(in crate::analytics) struct Trial {
    pub(in crate::analytics) trial_start: DateTime<FixedOffset>,
    /// Its status at the instant; `None` if no state was in force.
    pub(in crate::analytics) status: Option<String>,
    /// The first payment of the customer for a subscription since then.
    pub(in crate::analytics) converted_at: Option<DateTime<FixedOffset>>,
}

/// Returns the trials that started in `range`, as they were at `as_of`.
pub(in crate::analytics) async fn trials(
    db: &DatabaseConnection,
    range: Range,
    as_of: DateTime<Utc>,
) -> Result<Vec<Trial>> {
    // The status is compared in a form that no index serves, so that the payments are found by their account.
    let sql = "SELECT s.trial_start AS trial_start, (SELECT v.status FROM subscription_versions v \
         WHERE v.subscription_id = s.id AND v.effective_at <= $1 \
         ORDER BY v.effective_at DESC, v.recorded_at DESC, v.id DESC LIMIT 1) AS status, \
         (SELECT MIN(p.paid_at) FROM payments p WHERE p.account_id = s.account_id AND p.subscription_id IS NOT NULL \
         AND p.status || '' = 'succeeded' AND p.received_minor > 0 AND p.paid_at >= s.trial_start AND p.paid_at <= $1) \
         AS converted_at FROM subscriptions s WHERE s.trial_start >= $2 AND s.trial_start < $3 AND s.trial_start <= $1";
    let start = |day: chrono::NaiveDate| day.and_time(NaiveTime::MIN).and_utc().fixed_offset();
    let values: [Value; 3] = [as_of.fixed_offset().into(), start(range.from).into(), start(range.to).into()];
    let rows = db.query_all_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, values)).await?;
    rows.iter().map(|row| Ok(Trial::from_query_result(row, "")?)).collect()
}
