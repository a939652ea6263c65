//! Credits by unit.

use super::range::Range;
use crate::app::App;
use crate::auth::{Permission, Viewer};
use crate::credits::{self, Flows, Outstanding};
use crate::error::Result;
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Returns the flows of credits in the UTC days of `[from, to)` up to now, by the id of their unit. Units that nobody ever
/// held are left out.
pub async fn credit_flows(app: &App, viewer: &Viewer, from: NaiveDate, to: NaiveDate) -> Result<BTreeMap<Uuid, Flows>> {
    viewer.require(Permission::AnalyticsRead)?;
    let range = Range::new(from, to)?.until(app.now().date_naive());
    let instant = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc();
    credits::flows(app, viewer, instant(range.from), instant(range.to)).await
}

/// Returns the credits that accounts held at `as_of`, or now if that is sooner, by unit, source and currency.
pub async fn outstanding_credits(app: &App, viewer: &Viewer, as_of: DateTime<Utc>) -> Result<Vec<Outstanding>> {
    viewer.require(Permission::AnalyticsRead)?;
    credits::outstanding(app, viewer, as_of).await
}
