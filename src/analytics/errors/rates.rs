//! Errors by day.

use super::store;
use crate::analytics::range::Range;
use crate::app::App;
use crate::auth::{Permission, Viewer};
use crate::error::Result;
use crate::subscriptions::Exact;
use chrono::NaiveDate;

/// The errors of one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorDay {
    /// The UTC day.
    pub day: NaiveDate,
    /// The number of errors.
    pub errors: i64,
    /// The number of errors of the highest severity.
    pub critical: i64,
    /// The number of users to whom one happened.
    pub affected_users: i64,
    /// The number of users with an event or an error.
    pub active_users: i64,
    /// Affected per active users; `None` without active ones.
    pub affected_rate: Option<Exact>,
}

/// Returns the errors of the UTC days in `[from, to)`, oldest first. Days without errors have no row.
pub async fn error_rates(app: &App, viewer: &Viewer, from: NaiveDate, to: NaiveDate) -> Result<Vec<ErrorDay>> {
    viewer.require(Permission::AnalyticsRead)?;
    let range = Range::new(from, to)?;
    let rows = store::by_day(app.db.read(), range.from, range.to).await?;
    let days = rows.into_iter().map(|row| ErrorDay {
        day: row.day,
        errors: row.errors,
        critical: row.critical,
        affected_users: row.affected_users,
        active_users: row.active_users,
        affected_rate: (row.active_users > 0).then(|| Exact::new(row.affected_users.into(), row.active_users.into())),
    });
    Ok(days.collect())
}
