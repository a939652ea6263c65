//! The limit on what one caller may ask of Stripe, which has one limit for all callers together.

use crate::app::App;
use crate::auth::{Permission, Viewer};
use crate::error::Result;
use crate::rate_limit::RateLimit;
use std::sync::Arc;

/// The limit of one caller.
pub(super) struct Admission(Option<Arc<RateLimit>>);

impl Admission {
    /// Returns the limit of `viewer`; Tollgate itself has none.
    pub(super) fn of(app: &App, viewer: &Viewer) -> Admission {
        if viewer.actor().starts_with("system:") {
            return Admission(None);
        }
        let acts_for_many = [Permission::BillingWrite, Permission::CatalogueWrite];
        let acts_for_many = acts_for_many.into_iter().any(|permission| viewer.permissions().contains(permission));
        Admission(Some(Arc::clone(if acts_for_many { &app.stripe_service_requests } else { &app.stripe_requests })))
    }

    /// Counts one request of `viewer` to Stripe; fails with `RATE_LIMITED` if there are too many in a minute.
    pub(super) fn admit(&self, viewer: &Viewer) -> Result<()> {
        self.0.as_ref().map_or(Ok(()), |limit| limit.check(&viewer.actor()))
    }
}
