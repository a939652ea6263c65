//! The events that are still to be applied.

use super::store;
use crate::app::App;
use crate::auth::{Permission, Viewer};
use crate::error::Result;

/// Counts the events that are still to be applied.
pub async fn backlog(app: &App, viewer: &Viewer) -> Result<store::Backlog> {
    viewer.require(Permission::BillingRead).or_else(|_| viewer.require(Permission::OperationsRead))?;
    store::backlog(app.db.read()).await
}
