//! Add-ons of a subscription.

use super::offer::offer;
use super::order::{Order, place};
use super::subscription::{billed, mirrored, update};
use crate::app::App;
use crate::auth::Viewer;
use crate::error::{Error, Result};
use crate::outbox::Call;
use crate::subscriptions;
use entity::subscriptions::Model;
use serde_json::json;
use uuid::Uuid;

/// Adds an add-on to a subscription; the rest of the period is paid for now.
pub async fn add_addon(
    app: &App,
    viewer: &Viewer,
    (subscription_id, price_id, quantity): (Uuid, Uuid, i64),
    key: &str,
) -> Result<Model> {
    let input = (subscription_id, price_id, quantity);
    let order = Order { operation: "subscriptions.add_addon", key, input: &input };
    let caller = viewer.clone();
    let done = place(app, viewer, order, move |txn| {
        Box::pin(async move {
            let row = billed(txn, &caller, subscription_id).await?;
            let offer = offer(txn, price_id, quantity, &["addon"]).await?;
            if !offer.recurs() {
                let message = "this add-on is paid once; buy it in a checkout";
                return Err(Error::refused("PRICE_NOT_FOUND", &["priceId"], message));
            }
            let items = subscriptions::items_of(txn, row.id).await?;
            if items.iter().any(|item| item.price_external_id.as_ref() == Some(&offer.sold_as.external_id)) {
                return Err(Error::refused("ADDON_ALREADY_THERE", &["priceId"], "the subscription has this add-on"));
            }
            let params = json!({
                "items": [offer.item()],
                "proration_behavior": "always_invoice",
                "payment_behavior": "error_if_incomplete",
                "expand": ["latest_invoice.payments"],
            });
            Ok(Call { persistent: false, ..update(&row, "subscriptions.add_addon", params) })
        })
    });
    mirrored(app, &done.await?.object_id).await
}

/// Takes an add-on off a subscription; what is left of the period is credited on the next invoice.
pub async fn remove_addon(app: &App, viewer: &Viewer, item_id: Uuid, key: &str) -> Result<Model> {
    viewer.require_signed_in()?;
    let order = Order { operation: "subscriptions.remove_addon", key, input: &item_id };
    let caller = viewer.clone();
    let done = place(app, viewer, order, move |txn| {
        Box::pin(async move {
            let unknown =
                || Error::refused("ADDON_NOT_FOUND", &["subscriptionItemId"], "there is no such add-on of yours");
            let item = subscriptions::item(txn, item_id).await?.ok_or_else(unknown)?;
            let row = match billed(txn, &caller, item.subscription_id).await {
                Err(Error::Refused(refusal)) if refusal.code == "SUBSCRIPTION_NOT_FOUND" => return Err(unknown()),
                row => row?,
            };
            if item.kind != "addon" {
                return Err(unknown());
            }
            let items = json!([{"id": item.external_id, "deleted": true}]);
            let params = json!({"items": items, "proration_behavior": "create_prorations"});
            Ok(update(&row, "subscriptions.remove_addon", params))
        })
    });
    mirrored(app, &done.await?.object_id).await
}
