//! The number of calls that somebody may have to look after.

use super::store;
use crate::app::App;
use crate::auth::{Permission, Viewer};
use crate::error::Result;
use chrono::TimeDelta;

/// Counts the calls that are pending, and those of the last day that failed.
pub async fn backlog(app: &App, viewer: &Viewer) -> Result<store::Backlog> {
    viewer.require(Permission::OperationsRead)?;
    store::backlog(app.db.read(), app.now() - TimeDelta::days(1)).await
}
