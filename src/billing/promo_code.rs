//! The promotion code that an account may use, with what is under way for it taken into account.

use super::order::{Order, place};
use super::subscription::{billed, mirrored, update};
use crate::app::App;
use crate::auth::Viewer;
use crate::db::Txn;
use crate::discounts::{self, Redeemable};
use crate::error::{Error, Result};
use crate::outbox;
use chrono::{DateTime, TimeDelta, Utc};
use entity::outbox_calls;
use entity::subscriptions::Model;
use serde_json::{Value, json};
use uuid::Uuid;

/// For how long a call that was answered counts as under way: until its discount is certainly here.
const ARRIVES_WITHIN: TimeDelta = TimeDelta::hours(1);

/// The discount that a code gives an account, as Stripe is told.
pub(super) async fn discounts(txn: &Txn, account_id: Uuid, code: &str, now: DateTime<Utc>) -> Result<Value> {
    let found = redeemable(txn, account_id, code, now).await?;
    Ok(json!([{"promotion_code": found.promo_code.external_id}]))
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
            let discounts = discounts(txn, row.account_id, &code, now).await?;
            // Stripe takes the discounts that are told for all there are.
            let being_put_on = is_being_discounted(txn, &row, now).await?;
            if being_put_on || discounts::has_discount(txn, row.id, now).await? {
                let message = "the subscription has a discount already; it ends before another can be had";
                return Err(Error::refused("DISCOUNT_ALREADY_APPLIED", &["subscriptionId"], message));
            }
            let params = json!({"discounts": discounts, "expand": ["discounts"]});
            Ok(update(&row, "subscriptions.apply_promo_code", params))
        })
    });
    mirrored(app, &done.await?.object_id).await
}

/// Whether another request, not answered yet, puts a discount on a subscription. Its account is locked.
async fn is_being_discounted(txn: &Txn, row: &Model, now: DateTime<Utc>) -> Result<bool> {
    let path = format!("subscriptions/{}", row.external_id);
    let calls = outbox::under_way(txn, row.account_id, now - ARRIVES_WITHIN).await?;
    let is_it = |call: &outbox_calls::Model| call.path == path && !call.params["discounts"].is_null();
    Ok(calls.iter().any(|call| call.state == "pending" && is_it(call)))
}

/// The same as [`discounts::redeemable`], for who holds the lock on the account's row: of two requests of one account
/// with a code that is for each account once, the second is refused although the first is not answered yet.
async fn redeemable(txn: &Txn, account_id: Uuid, code: &str, now: DateTime<Utc>) -> Result<Redeemable> {
    let found = discounts::redeemable(txn, account_id, code, now).await?;
    if !found.coupon.once_per_account {
        return Ok(found);
    }
    let external_id = found.promo_code.external_id.as_deref().unwrap_or_default();
    let calls = outbox::under_way(txn, account_id, now - ARRIVES_WITHIN).await?;
    // A checkout that is open is no use yet, and may be left.
    let is_checkout = |path: &str| path.starts_with("checkout/");
    let mut calls = calls.iter().filter(|call| call.state == "pending" || !is_checkout(&call.path));
    let names_it = |discount: &Value| discount["promotion_code"] == external_id;
    if calls.any(|call| call.params["discounts"].as_array().is_some_and(|given| given.iter().any(names_it))) {
        let message = "each account can use the promotion code once, and this one is using it already";
        return Err(Error::refused("PROMO_CODE_ALREADY_USED", &["promoCode"], message));
    }
    Ok(found)
}
