//! Replacing the plan item of a subscription by another offer.

use super::offer::{Offer, offer};
use crate::error::{Error, Result};
use crate::plans::ProductKind;
use crate::subscriptions::{self, ItemKind};
use chrono::{DateTime, Utc};
use entity::subscription_items;
use entity::subscriptions::Model;
use sea_orm::ConnectionTrait;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

/// A change of a subscription's plan.
#[derive(Debug, Clone, Serialize)]
pub struct PlanChange {
    /// The subscription.
    pub subscription_id: Uuid,
    /// A recurring price of the new plan.
    pub price_id: Uuid,
    /// The number of units; `None` for the present number.
    pub quantity: Option<i64>,
    /// Changes at once and settles the difference now, instead of at the end of the paid period.
    pub now: bool,
    /// The instant of the difference, as a preview returned it; `None` for the present.
    pub proration_at: Option<DateTime<Utc>>,
}

/// The item to change, and the offer that replaces it.
pub(super) struct Replacement {
    pub(super) item: subscription_items::Model,
    pub(super) offer: Offer,
}

impl Replacement {
    /// Finds the plan item of a subscription and the offer that `change` replaces it with.
    pub(super) async fn find(
        db: &impl ConnectionTrait,
        subscription: &Model,
        change: &PlanChange,
    ) -> Result<Replacement> {
        let items = subscriptions::items_of(db, subscription.id).await?;
        let plan = items.into_iter().find(|item| item.kind == ItemKind::Plan.as_str());
        let item = plan.ok_or_else(|| {
            let message = "The subscription has no plan that could be changed.";
            Error::refused("NO_PLAN", &["subscriptionId"], message)
        })?;
        let quantity = change.quantity.or(item.quantity).unwrap_or(1);
        let offer = offer(db, change.price_id, quantity, &[ProductKind::Plan]).await?;
        Ok(Replacement { item, offer })
    }

    /// Refuses a price that is paid once, and the price that the subscription has.
    pub(super) fn check(self) -> Result<Replacement> {
        let Replacement { item, offer } = &self;
        if !offer.is_recurring() {
            let message = "`priceId` must be a recurring price.";
            return Err(Error::refused("PRICE_NOT_FOUND", &["priceId"], message));
        }
        let is_same_price = Some(&offer.sold_as.external_id) == item.price_external_id.as_ref();
        if is_same_price && Some(offer.quantity) == item.quantity {
            let message = "The subscription already has this price in this quantity.";
            return Err(Error::refused("NOTHING_TO_CHANGE", &["priceId"], message));
        }
        Ok(self)
    }

    /// Returns the changed item in a request to Stripe.
    pub(super) fn changed_item(&self) -> Value {
        let mut changed = self.offer.item();
        changed["id"] = json!(self.item.external_id);
        changed
    }
}
