//! The answer to a change at Stripe, and the rows that it became.

use crate::app::App;
use crate::error::{Error, Result};
use crate::outbox::{self, Done};
use crate::{discounts, gifts, payments, subscriptions};
use entity::{coupons, promo_codes};
use serde_json::Value;

/// A change that Stripe made, which our records already show.
pub(in crate::billing) struct Answer<'a> {
    app: &'a App,
    done: Done,
}

impl<'a> Answer<'a> {
    pub(super) fn new(app: &'a App, done: Done) -> Answer<'a> {
        Answer { app, done }
    }

    /// Returns the id at Stripe of the object in the answer.
    pub(in crate::billing) fn object_id(&self) -> &str {
        &self.done.object_id
    }

    /// Returns the page at which the customer continues; `None` for an object without one.
    pub(in crate::billing) fn url(&self) -> Option<&str> {
        self.done.url.as_deref()
    }

    /// Returns the object with its secrets, which are never stored, and with the fields in `expand` as whole objects. It
    /// is fetched if the answer came earlier, or does not hold the first of these fields.
    pub(in crate::billing) async fn object(self, collection: &str, expand: &[&str]) -> Result<Value> {
        let field = expand.first().map(|path| path.split('.').next().unwrap_or(path));
        match self.done.object {
            Some(object) if field.is_none_or(|field| object[field].is_object()) => Ok(object),
            _ => outbox::fetch_object(self.app, collection, &self.done.object_id, expand).await,
        }
    }

    /// Returns the subscription in the answer.
    pub(in crate::billing) async fn subscription(&self) -> Result<entity::subscriptions::Model> {
        let found = subscriptions::by_external_id(self.app.db.read(), "stripe", self.object_id()).await?;
        found.ok_or_else(|| not_mirrored("subscription"))
    }

    /// Returns the payment in the answer.
    pub(in crate::billing) async fn payment(&self) -> Result<entity::payments::Model> {
        let found = payments::by_external_id(self.app.db.read(), "stripe", self.object_id()).await?;
        found.ok_or_else(|| not_mirrored("payment"))
    }

    /// Returns the gift that the checkout in the answer sells.
    pub(in crate::billing) async fn gift(&self) -> Result<entity::gifts::Model> {
        let found = gifts::by_session(self.app.db.read(), self.object_id()).await?;
        found.ok_or_else(|| not_mirrored("gift"))
    }

    /// Returns the coupon in the answer.
    pub(in crate::billing) async fn coupon(&self) -> Result<coupons::Model> {
        let found = discounts::coupon_at_stripe(self.app.db.read(), self.object_id()).await?;
        found.ok_or_else(|| not_mirrored("coupon"))
    }

    /// Returns the promotion code in the answer.
    pub(in crate::billing) async fn promo_code(&self) -> Result<promo_codes::Model> {
        let found = discounts::promo_code_at_stripe(self.app.db.read(), self.object_id()).await?;
        found.ok_or_else(|| not_mirrored("promotion code"))
    }
}

fn not_mirrored(kind: &str) -> Error {
    Error::internal(anyhow::anyhow!("Stripe answered with a {kind} that is not in our records."))
}
