//! Promotion codes that an account applies, with its requests under way taken into account.

use super::kernel::StripeAction;
use super::subscription::{lock_billable_subscription, path, update};
use crate::app::App;
use crate::auth::Viewer;
use crate::db::Txn;
use crate::discounts;
use crate::error::{Error, Result};
use crate::outbox::{self, CallState, Operation};
use crate::subscriptions::{self, ScheduledChangeKind};
use chrono::TimeDelta;
use entity::outbox_calls;
use entity::subscriptions::Model;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

const APPLY_PROMO_CODE: Operation = Operation::Named("subscriptions.apply_promo_code");

/// The time after which the discount of an answered call is certainly in our records.
const RECENT: TimeDelta = TimeDelta::hours(1);

/// A promotion code for a subscription.
#[derive(Debug, Clone, Serialize)]
pub struct PromoCodeUse {
    /// The subscription.
    pub subscription_id: Uuid,
    /// The code, as the customer typed it.
    pub code: String,
}

/// Applies a promotion code to a subscription that has no discount.
pub async fn apply_promo_code(app: &App, viewer: &Viewer, new: PromoCodeUse, key: &str) -> Result<Model> {
    let action = StripeAction::new(app, viewer, APPLY_PROMO_CODE, key, &new)?;
    let answer = action.execute_once(move |txn, viewer| {
        Box::pin(async move {
            let subscription = lock_billable_subscription(txn, viewer, new.subscription_id).await?;
            let discounts = discounts(txn, subscription.account_id, &new.code).await?;
            // Stripe replaces all discounts of a subscription by those in the request.
            let is_discounted = discounts::has_discount(txn, subscription.id).await?;
            if is_discounted || is_being_discounted(txn, &subscription).await? {
                let message = "The subscription already has a discount. Apply the code when that has ended.";
                return Err(Error::refused("DISCOUNT_ALREADY_APPLIED", &["subscriptionId"], message));
            }
            if has_scheduled_change(txn, &subscription).await? {
                // The next phase of a schedule has only the discounts that it was made with.
                let message = "A change of plan is scheduled. Apply the code when it is made, or undo it first with \
                    undoScheduledChange.";
                return Err(Error::refused("CHANGE_UNDER_WAY", &["subscriptionId"], message));
            }
            let params = json!({"discounts": discounts, "expand": ["discounts"]});
            Ok(update(&subscription, APPLY_PROMO_CODE).params(params).persistent())
        })
    });
    answer.await?.subscription().await
}

/// Returns whether a change of plan is scheduled for a subscription, or by a request without an answer yet for its account,
/// which is locked.
async fn has_scheduled_change(txn: &Txn, subscription: &Model) -> Result<bool> {
    let scheduled = subscriptions::scheduled(txn, subscription.id).await?;
    if scheduled.iter().any(|change| change.kind == ScheduledChangeKind::PlanChange.as_str()) {
        return Ok(true);
    }
    for call in outbox::recent_calls(txn, subscription.account_id, txn.now() - RECENT).await? {
        let schedules = call.path.starts_with("subscription_schedules/") && call.params["phases"].is_array();
        if schedules && CallState::of(&call)? == CallState::Pending {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns whether a request without an answer yet gives a subscription a discount. Its account is locked.
pub(super) async fn is_being_discounted(txn: &Txn, subscription: &Model) -> Result<bool> {
    let path = path(subscription);
    for call in outbox::recent_calls(txn, subscription.account_id, txn.now() - RECENT).await? {
        let gives_discount = call.path == path && !call.params["discounts"].is_null();
        if gives_discount && CallState::of(&call)? == CallState::Pending {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns the `discounts` of a request that applies a promotion code for an account, whose row is locked.
///
/// A code that each account can use once is refused while another request of the account uses it.
pub(super) async fn discounts(txn: &Txn, account_id: Uuid, code: &str) -> Result<Value> {
    let found = discounts::redeemable(txn, account_id, code).await?;
    let external_id = found.promo_code.external_id.as_deref().unwrap_or_default();
    if found.coupon.once_per_account {
        for call in outbox::recent_calls(txn, account_id, txn.now() - RECENT).await? {
            if uses_code(&call, external_id) && !is_open_checkout(&call)? {
                let message = "Each account can use this promotion code once, and this account is already using it.";
                return Err(Error::refused("PROMO_CODE_ALREADY_USED", &["promoCode"], message));
            }
        }
    }
    Ok(json!([{"promotion_code": external_id}]))
}

/// Refuses a promotion code that an account cannot use, whatever its requests under way.
pub(super) async fn check_redeemable(app: &App, account_id: Uuid, code: String) -> Result<()> {
    let check =
        app.db.write(move |txn| Box::pin(async move { discounts::redeemable(txn, account_id, &code).await.map(drop) }));
    check.await
}

fn uses_code(call: &outbox_calls::Model, external_id: &str) -> bool {
    let discounts = call.params["discounts"].as_array();
    discounts.is_some_and(|discounts| discounts.iter().any(|discount| discount["promotion_code"] == external_id))
}

/// Returns whether a call has opened a checkout, which uses no code before it is paid, and may never be.
fn is_open_checkout(call: &outbox_calls::Model) -> Result<bool> {
    let is_checkout = matches!(Operation::of(call), Some(Operation::SubscribeInCheckout | Operation::PayInCheckout));
    Ok(is_checkout && CallState::of(call)? == CallState::Done)
}
