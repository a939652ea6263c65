//! Schedules at Stripe, which carry out a change at the end of the paid period.

use super::kernel::{StripeAction, call_prerequisite};
use super::phase::phases;
use super::replacement::Replacement;
use super::subscription::lock_billable_subscription;
use crate::app::App;
use crate::auth::Viewer;
use crate::error::{Error, Result};
use crate::outbox::{self, Operation, ProviderRequest};
use crate::{inbox, subscriptions};
use entity::subscriptions::Model;
use serde_json::{Value, json};
use uuid::Uuid;

const UNDO_SCHEDULED_CHANGE: Operation = Operation::Named("subscriptions.undo_scheduled_change");

/// Returns the schedule of a subscription, with the subscription as a whole object, and creates it if there is none. A new
/// schedule changes nothing by itself.
pub(super) async fn schedule(app: &App, viewer: &Viewer, subscription: Model, key: String) -> Result<Value> {
    if let Some(known) = &subscription.schedule_external_id {
        return outbox::fetch_object(app, "subscription_schedules", known, &["subscription"]).await;
    }
    if subscription.cancel_at.is_some() {
        let message = "The subscription is about to end. Resume it first with resumeSubscription.";
        return Err(Error::refused("TO_BE_CANCELED", &["subscriptionId"], message));
    }
    let params = json!({"from_subscription": subscription.external_id, "expand": ["subscription"]});
    let request = ProviderRequest::post(Operation::Named("subscriptions.schedule"), "subscription_schedules");
    let request = request.account(subscription.account_id).params(params).key(key).persistent();
    let created = call_prerequisite(app, viewer, request).await?;
    match created.object {
        Some(object) if object["subscription"].is_object() => Ok(object),
        _ => outbox::fetch_object(app, "subscription_schedules", &created.object_id, &["subscription"]).await,
    }
}

/// Returns the path and the parameters that keep the present phase until the period ends, and then replace one item.
pub(super) fn scheduled_change(schedule: &Value, replacement: &Replacement) -> Result<(String, Value)> {
    let invalid = || Error::internal(anyhow::anyhow!("A schedule at Stripe has no id."));
    let id = schedule["id"].as_str().ok_or_else(invalid)?;
    let phases = phases(schedule, replacement)?;
    let params = json!({"end_behavior": "release", "phases": phases, "expand": ["subscription"]});
    Ok((format!("subscription_schedules/{id}"), params))
}

/// Gives up the change that is scheduled for a subscription.
pub async fn undo_scheduled_change(app: &App, viewer: &Viewer, subscription_id: Uuid, key: &str) -> Result<Model> {
    let action = StripeAction::new(app, viewer, UNDO_SCHEDULED_CHANGE, key, &subscription_id)?;
    let answer = action.execute_once(move |txn, viewer| {
        Box::pin(async move {
            let subscription = lock_billable_subscription(txn, viewer, subscription_id).await?;
            let Some(schedule) = &subscription.schedule_external_id else {
                let message = "No change is scheduled for the subscription. Keep one that is about to end with \
                    resumeSubscription.";
                return Err(Error::refused("NOTHING_PLANNED", &["subscriptionId"], message));
            };
            let path = format!("subscription_schedules/{schedule}/release");
            let request = ProviderRequest::post(UNDO_SCHEDULED_CHANGE, path);
            Ok(request.account(subscription.account_id).persistent())
        })
    });
    answer.await?;
    let subscription = subscriptions::find(app.db.read(), subscription_id).await?;
    if subscription.schedule_external_id.is_none() {
        return Ok(subscription);
    }
    // Stripe answers with the schedule, which does not name the subscription any more.
    inbox::refresh(app, "subscriptions", &subscription.external_id, &[]).await?;
    subscriptions::find(app.db.read(), subscription_id).await
}
