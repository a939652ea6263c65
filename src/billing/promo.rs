//! Promotion codes.

use super::order::{Order, place};
use super::subscription::{billed, mirrored, update};
use crate::app::App;
use crate::auth::Viewer;
use crate::db::Txn;
use crate::error::{Error, Result};
use crate::payments;
use entity::subscriptions::Model;
use serde_json::{Value, json};
use uuid::Uuid;

/// The discount that a code gives an account, as Stripe is told.
pub(super) async fn discounts(txn: &Txn, account_id: Uuid, code: &str) -> Result<Value> {
    let promo_code = payments::redeemable(txn, account_id, code).await?;
    Ok(json!([{"promotion_code": promo_code.external_id}]))
}

/// Lowers what a subscription costs by a promotion code.
pub async fn apply_promo_code(
    app: &App,
    viewer: &Viewer,
    (subscription_id, code): (Uuid, String),
    key: &str,
) -> Result<Model> {
    let input = (subscription_id, code.clone());
    let order = Order { operation: "subscriptions.apply_promo_code", key, input: &input };
    let (caller, now) = (viewer.clone(), app.now());
    let done = place(app, viewer, order, move |txn| {
        Box::pin(async move {
            let row = billed(txn, &caller, subscription_id).await?;
            let discounts = discounts(txn, row.account_id, &code).await?;
            // Stripe takes the discounts that are told for all there are.
            if payments::has_discount(txn, row.id, now).await? {
                let message = "the subscription has a discount already; it ends before another can be had";
                return Err(Error::refused("DISCOUNT_ALREADY_APPLIED", &["subscriptionId"], message));
            }
            let params = json!({"discounts": discounts, "expand": ["discounts"]});
            Ok(update(&row, "subscriptions.apply_promo_code", params))
        })
    });
    mirrored(app, &done.await?.object_id).await
}
