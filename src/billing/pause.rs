//! Pausing a subscription, and resuming one that is paused or will end.

use super::kernel::StripeAction;
use super::pause_limit::{PAUSE, RESUME, end_of_pause};
use super::subscription::{lock_billable_subscription, path, update};
use crate::accounts::owner_of;
use crate::app::App;
use crate::auth::{Permission, Viewer};
use crate::error::{Error, Result};
use crate::outbox::ProviderRequest;
use crate::subscriptions::SubscriptionStatus;
use chrono::{DateTime, Utc};
use entity::subscriptions::Model;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

/// A pause of a subscription.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Pause {
    /// The subscription.
    pub subscription_id: Uuid,
    /// The end of the pause; `None` for one until the subscription is resumed, or as long as a customer may pause.
    pub until: Option<DateTime<Utc>>,
}

/// Pauses the collection of payments for a subscription. The plan stays, so a customer's pauses have a limit.
pub async fn pause_subscription(app: &App, viewer: &Viewer, pause: Pause, key: &str) -> Result<Model> {
    let max_days = app.config.providers.stripe.max_pause_days;
    let action = StripeAction::new(app, viewer, PAUSE, key, &pause)?;
    let answer = action.execute_once(move |txn, viewer| {
        Box::pin(async move {
            let subscription = lock_billable_subscription(txn, viewer, pause.subscription_id).await?;
            if pause.until.is_some_and(|until| until <= txn.now()) {
                return Err(Error::refused("UNTIL_INVALID", &["until"], "`until` must be in the future."));
            }
            let status = SubscriptionStatus::parse(&subscription.status)?;
            if subscription.paused_at.is_some() || status == SubscriptionStatus::Paused {
                let message = "The subscription is already paused.";
                return Err(Error::refused("ALREADY_PAUSED", &["subscriptionId"], message));
            }
            let until = if viewer.permissions().contains(Permission::BillingWrite) {
                pause.until
            } else {
                let owner = owner_of(txn, subscription.account_id).await?.map_or_else(Uuid::nil, |owner| owner.id);
                Some(end_of_pause(txn, owner, &subscription, pause.until, max_days).await?)
            };
            let mut collection = json!({"behavior": "void"});
            if let Some(until) = until {
                collection["resumes_at"] = json!(until.timestamp());
            }
            let params = json!({"pause_collection": collection});
            Ok(update(&subscription, PAUSE).params(params).persistent())
        })
    });
    answer.await?.subscription().await
}

/// Resumes a subscription that is paused, or keeps one that will end.
pub async fn resume_subscription(app: &App, viewer: &Viewer, subscription_id: Uuid, key: &str) -> Result<Model> {
    let action = StripeAction::new(app, viewer, RESUME, key, &subscription_id)?;
    let answer = action.execute_once(move |txn, viewer| {
        Box::pin(async move {
            let subscription = lock_billable_subscription(txn, viewer, subscription_id).await?;
            if SubscriptionStatus::parse(&subscription.status)? == SubscriptionStatus::Paused {
                // Stripe itself paused it, because a trial ended without a card.
                let path = format!("{}/resume", path(&subscription));
                let request = ProviderRequest::post(RESUME, path);
                let params = json!({"billing_cycle_anchor": "now"});
                return Ok(request.account(subscription.account_id).params(params).persistent());
            }
            let mut params = serde_json::Map::new();
            if subscription.cancel_at_period_end {
                params.insert("cancel_at_period_end".to_owned(), json!(false));
            } else if subscription.cancel_at.is_some() {
                params.insert("cancel_at".to_owned(), Value::Null);
            }
            if subscription.paused_at.is_some() {
                params.insert("pause_collection".to_owned(), Value::Null);
            }
            if began_unpaid(&subscription) && !viewer.permissions().contains(Permission::BillingWrite) {
                // The payment of this period was waived, so a new period begins, and is paid, now.
                for (name, value) in [("billing_cycle_anchor", "now"), ("proration_behavior", "none")] {
                    params.insert(name.to_owned(), json!(value));
                }
                params.insert("payment_behavior".to_owned(), json!("error_if_incomplete"));
                params.insert("expand".to_owned(), json!(["latest_invoice.payments"]));
                return Ok(update(&subscription, RESUME).params(params.into()));
            }
            if params.is_empty() {
                let message = "The subscription is neither paused nor about to end.";
                return Err(Error::refused("NOTHING_TO_RESUME", &["subscriptionId"], message));
            }
            Ok(update(&subscription, RESUME).params(params.into()).persistent())
        })
    });
    answer.await?.subscription().await
}

/// Returns whether the present period began during a pause that lasts.
fn began_unpaid(subscription: &Model) -> bool {
    match (subscription.paused_at, subscription.current_period_start) {
        (Some(paused_at), Some(period_start)) => paused_at < period_start,
        _ => false,
    }
}
