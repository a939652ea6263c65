//! Changing the plan of a subscription, at once or at the end of the paid period.

use super::cancel::release_schedule;
use super::kernel::StripeAction;
use super::promo_code::is_being_discounted;
use super::replacement::{PlanChange, Replacement};
use super::schedule::{schedule, scheduled_change};
use super::subscription::{find_billable_subscription, lock_billable_subscription, update};
use crate::app::App;
use crate::auth::Viewer;
use crate::error::{Error, Result};
use crate::outbox::{Operation, ProviderRequest};
use crate::subscriptions;
use entity::subscriptions::Model;
use serde_json::json;

const CHANGE_PLAN: Operation = Operation::Named("subscriptions.change_plan");

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
            if is_being_discounted(txn, &subscription).await? {
                let message = "A promotion code is being applied to the subscription. Try again when it is applied.";
                return Err(Error::refused("CHANGE_UNDER_WAY", &["subscriptionId"], message));
            }
            let (path, params) = scheduled_change(&schedule, &replacement)?;
            let request = ProviderRequest::post(CHANGE_PLAN, path).account(subscription.account_id);
            Ok(request.params(params).persistent())
        })
    });
    answer.await?;
    subscriptions::find(app.db.read(), id).await
}
