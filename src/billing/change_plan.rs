//! Changing the plan of a subscription, at once or at the end of the paid period.

use super::cancel::release_schedule;
use super::kernel::StripeAction;
use super::offer::{Offer, offer};
use super::schedule::{phases, schedule};
use super::subscription::{find_billable_subscription, lock_billable_subscription, update};
use crate::app::App;
use crate::auth::Viewer;
use crate::error::{Error, Result};
use crate::outbox::{Operation, ProviderRequest};
use crate::plans::ProductKind;
use crate::subscriptions::{self, ItemKind};
use chrono::{DateTime, Utc};
use entity::subscription_items;
use entity::subscriptions::Model;
use sea_orm::ConnectionTrait;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

const CHANGE_PLAN: Operation = Operation::Named("subscriptions.change_plan");

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
    fn check(self) -> Result<Replacement> {
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

/// Changes the plan of a subscription. A change that was scheduled before is given up.
pub async fn change_plan(app: &App, viewer: &Viewer, change: PlanChange, key: &str) -> Result<Model> {
    let action = StripeAction::new(app, viewer, CHANGE_PLAN, key, &change)?;
    if change.now {
        change_now(app, viewer, &action, change).await
    } else {
        change_later(app, viewer, &action, change).await
    }
}

async fn change_now(app: &App, viewer: &Viewer, action: &StripeAction<'_>, change: PlanChange) -> Result<Model> {
    if let Some(answer) = action.previous_result().await? {
        return answer.subscription().await;
    }
    // The schedule is released only for a change that is possible.
    let subscription = find_billable_subscription(app.db.read(), viewer, change.subscription_id).await?;
    Replacement::find(app.db.read(), &subscription, &change).await?.check()?;
    release_schedule(app, viewer, change.subscription_id).await?;
    let answer = action.execute_once(move |txn, viewer| {
        Box::pin(async move {
            let subscription = lock_billable_subscription(txn, viewer, change.subscription_id).await?;
            let replacement = Replacement::find(txn, &subscription, &change).await?.check()?;
            let mut params = json!({
                "items": [replacement.changed_item()],
                "proration_behavior": "always_invoice",
                "payment_behavior": "error_if_incomplete",
                "expand": ["latest_invoice.payments"],
            });
            if let Some(at) = change.proration_at {
                params["proration_date"] = json!(at.timestamp());
            }
            // Not persistent, since it charges the customer.
            Ok(update(&subscription, CHANGE_PLAN).params(params))
        })
    });
    answer.await?.subscription().await
}

/// Changes the plan through a schedule. Stripe answers with the schedule, not with the subscription.
async fn change_later(app: &App, viewer: &Viewer, action: &StripeAction<'_>, change: PlanChange) -> Result<Model> {
    let id = change.subscription_id;
    if action.previous_result().await?.is_some() {
        return subscriptions::find(app.db.read(), id).await;
    }
    let subscription = find_billable_subscription(app.db.read(), viewer, id).await?;
    Replacement::find(app.db.read(), &subscription, &change).await?.check()?;
    let schedule = schedule(app, viewer, subscription, action.prerequisite_key("schedule")).await?;
    let answer = action.execute_once(move |txn, viewer| {
        Box::pin(async move {
            let subscription = lock_billable_subscription(txn, viewer, id).await?;
            let replacement = Replacement::find(txn, &subscription, &change).await?.check()?;
            let (path, params) = phases(&schedule, &replacement)?;
            let request = ProviderRequest::post(CHANGE_PLAN, path).account(subscription.account_id);
            Ok(request.params(params).persistent())
        })
    });
    answer.await?;
    subscriptions::find(app.db.read(), id).await
}
