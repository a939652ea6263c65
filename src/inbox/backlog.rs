//! How much of the inbox is still to be dealt with.

use super::store;
use crate::app::App;
use crate::auth::{Permission, Viewer};
use crate::error::Result;

/// Counts what of the inbox is still to be dealt with.
pub async fn backlog(app: &App, viewer: &Viewer) -> Result<store::Backlog> {
    viewer.require(Permission::BillingRead).or_else(|_| viewer.require(Permission::OperationsRead))?;
    store::backlog(app.db.read()).await
}
