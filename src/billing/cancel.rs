//! Cancelling a subscription.

use super::kernel::{StripeAction, call_prerequisite, daily_key};
use super::subscription::{find_billable_subscription, lock_billable_subscription, path};
use crate::app::App;
use crate::auth::Viewer;
use crate::error::Result;
use crate::outbox::{Operation, ProviderRequest};
use entity::subscriptions::Model;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

const CANCEL_SUBSCRIPTION: Operation = Operation::Named("subscriptions.cancel");

/// A cancellation of a subscription.
#[derive(Debug, Clone, Serialize)]
pub struct Cancel {
    /// The subscription.
    pub subscription_id: Uuid,
    /// Ends it at once, without a refund, instead of at the end of the paid period.
    pub now: bool,
    /// The reason, as one of Stripe's words.
    pub feedback: Option<Feedback>,
    /// The reason in the customer's words. Texts of inputs are shorter than the longest that Stripe stores.
    pub comment: Option<String>,
}

/// The reason of a cancellation, as Stripe names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Feedback {
    /// It is hard to use.
    TooComplex,
    /// It is not good enough.
    LowQuality,
    /// Another reason.
    Other,
    /// Another product is better.
    SwitchedService,
    /// A feature is missing.
    MissingFeatures,
    /// It costs too much.
    TooExpensive,
    /// The support was not good.
    CustomerService,
    /// It is not used.
    Unused,
}

/// Cancels a subscription, now or at the end of the paid period.
pub async fn cancel_subscription(app: &App, viewer: &Viewer, cancel: Cancel, key: &str) -> Result<Model> {
    let action = StripeAction::new(app, viewer, CANCEL_SUBSCRIPTION, key, &cancel)?;
    if let Some(answer) = action.previous_result().await? {
        return answer.subscription().await;
    }
    release_schedule(app, viewer, cancel.subscription_id).await?;
    let answer = action.execute_once(move |txn, viewer| {
        Box::pin(async move {
            let subscription = lock_billable_subscription(txn, viewer, cancel.subscription_id).await?;
            let path = path(&subscription);
            let request = if cancel.now {
                ProviderRequest::delete(CANCEL_SUBSCRIPTION, path)
            } else {
                ProviderRequest::post(CANCEL_SUBSCRIPTION, path)
            };
            Ok(request.account(subscription.account_id).params(params(&cancel)).persistent())
        })
    });
    answer.await?.subscription().await
}

fn params(cancel: &Cancel) -> Value {
    let mut params = json!({});
    if let Some(feedback) = cancel.feedback {
        params["cancellation_details"]["feedback"] = json!(feedback);
    }
    if let Some(comment) = &cancel.comment {
        params["cancellation_details"]["comment"] = json!(comment);
    }
    if !cancel.now {
        params["cancel_at_period_end"] = json!(true);
    }
    params
}

/// Releases a subscription from its schedule, if it has one, which gives up the planned change.
pub(super) async fn release_schedule(app: &App, viewer: &Viewer, subscription_id: Uuid) -> Result<()> {
    let subscription = find_billable_subscription(app.db.read(), viewer, subscription_id).await?;
    let Some(schedule) = subscription.schedule_external_id else { return Ok(()) };
    let path = format!("subscription_schedules/{schedule}/release");
    let key = daily_key(app, &format!("release-{schedule}"));
    let request = ProviderRequest::post(Operation::Named("subscriptions.release"), path)
        .account(subscription.account_id)
        .key(key);
    call_prerequisite(app, viewer, request.persistent()).await.map(drop)
}
