//! Errors by day.

use super::store;
use crate::analytics::range::Range;
use crate::analytics::threshold::Threshold;
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
    /// The number of users to whom one happened; `None` if they, or the other active users, are few.
    pub affected_users: Option<i64>,
    /// The number of users with an event or an error; `None` if they are few.
    pub active_users: Option<i64>,
    /// Affected per active users; `None` without active ones, or where a number in it is hidden.
    pub affected_rate: Option<Exact>,
}

/// Returns the errors of the UTC days in `[from, to)`, oldest first. Days without errors have no row.
pub async fn error_rates(app: &App, viewer: &Viewer, from: NaiveDate, to: NaiveDate) -> Result<Vec<ErrorDay>> {
    viewer.require(Permission::AnalyticsRead)?;
    let range = Range::new(from, to)?;
    let rows = store::by_day(app.db.read(), range.from, range.to).await?;
    let threshold = Threshold::of(app);
    let days = rows.into_iter().map(|row| {
        let active_users = threshold.group(row.active_users);
        let affected_users = active_users.and_then(|active| threshold.part(row.affected_users, active));
        let both = affected_users.zip(active_users.filter(|active| *active > 0));
        ErrorDay {
            day: row.day,
            errors: row.errors,
            critical: row.critical,
            affected_users,
            active_users,
            affected_rate: both.map(|(affected, active)| Exact::new(affected.into(), active.into())),
        }
    });
    Ok(days.collect())
}
