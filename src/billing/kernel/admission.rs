//! The limit on what one caller may ask of Stripe, which has one limit for all callers together.

use crate::app::App;
use crate::auth::{Permission, Viewer};
use crate::error::Result;

/// Counts one operation of `viewer` that reaches Stripe; fails with `RATE_LIMITED` if there are too many in a minute. To be
/// called before the operation has any effect.
pub(in crate::billing) fn admit(app: &App, viewer: &Viewer) -> Result<()> {
    let acts_for_many = [Permission::BillingWrite, Permission::CatalogueWrite];
    if acts_for_many.into_iter().any(|permission| viewer.permissions().contains(permission)) {
        return app.stripe_service_operations.check(&viewer.actor());
    }
    app.stripe_operations.check(&viewer.actor())
}
