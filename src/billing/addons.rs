//! Add-ons of a subscription.

use super::kernel::StripeAction;
use super::offer::offer;
use super::subscription::{lock_billable_subscription, lock_billable_subscription_or, update};
use crate::app::App;
use crate::auth::Viewer;
use crate::error::{Error, Result};
use crate::outbox::Operation;
use crate::plans::ProductKind;
use crate::subscriptions::{self, ItemKind};
use entity::subscriptions::Model;
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

const ADD_ADDON: Operation = Operation::Named("subscriptions.add_addon");
const REMOVE_ADDON: Operation = Operation::Named("subscriptions.remove_addon");

/// An add-on to add to a subscription.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct NewAddon {
    /// The subscription.
    pub subscription_id: Uuid,
    /// A recurring price of the add-on.
    pub price_id: Uuid,
    /// The number of units.
    pub quantity: i64,
}

/// Adds an add-on to a subscription, and charges the rest of the period now.
pub async fn add_addon(app: &App, viewer: &Viewer, new: NewAddon, key: &str) -> Result<Model> {
    let action = StripeAction::new(app, viewer, ADD_ADDON, key, &new)?;
    let answer = action.execute_once(move |txn, viewer| {
        Box::pin(async move {
            let subscription = lock_billable_subscription(txn, viewer, new.subscription_id).await?;
            let offer = offer(txn, new.price_id, new.quantity, &[ProductKind::Addon]).await?;
            if !offer.is_recurring() {
                let message = "This add-on is paid once. Buy it with startCheckout.";
                return Err(Error::refused("PRICE_NOT_FOUND", &["priceId"], message));
            }
            let items = subscriptions::items_of(txn, subscription.id).await?;
            if items.iter().any(|item| item.price_external_id.as_ref() == Some(&offer.sold_as.external_id)) {
                let message = "The subscription already has this add-on.";
                return Err(Error::refused("ADDON_ALREADY_THERE", &["priceId"], message));
            }
            let params = json!({
                "items": [offer.item()],
                "proration_behavior": "always_invoice",
                "payment_behavior": "error_if_incomplete",
                "expand": ["latest_invoice.payments"],
            });
            Ok(update(&subscription, ADD_ADDON).params(params))
        })
    });
    answer.await?.subscription().await
}

/// Removes an add-on from a subscription, and credits the rest of the period on the next invoice.
pub async fn remove_addon(app: &App, viewer: &Viewer, item_id: Uuid, key: &str) -> Result<Model> {
    viewer.require_signed_in()?;
    let action = StripeAction::new(app, viewer, REMOVE_ADDON, key, &item_id)?;
    let answer = action.execute_once(move |txn, viewer| {
        Box::pin(async move {
            let unknown = || Error::refused("ADDON_NOT_FOUND", &["subscriptionItemId"], "Add-on not found.");
            let item = subscriptions::item(txn, item_id).await?.ok_or_else(unknown)?;
            let subscription = lock_billable_subscription_or(txn, viewer, item.subscription_id, unknown).await?;
            if ItemKind::parse(&item.kind)? != ItemKind::Addon {
                return Err(unknown());
            }
            let items = json!([{"id": item.external_id, "deleted": true}]);
            let params = json!({"items": items, "proration_behavior": "create_prorations"});
            Ok(update(&subscription, REMOVE_ADDON).params(params).persistent())
        })
    });
    answer.await?.subscription().await
}
