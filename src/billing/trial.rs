//! Longer trials.

use super::order::{Order, place};
use super::subscription::{billed, mirrored, update};
use crate::app::App;
use crate::auth::{Permission, Viewer};
use crate::error::{Error, Result};
use chrono::{DateTime, TimeDelta, Utc};
use entity::subscriptions::Model;
use serde_json::json;
use uuid::Uuid;

/// The furthest that Stripe lets a trial end.
const LONGEST: TimeDelta = TimeDelta::days(730);

/// Has the trial of a subscription end later. Only while it is tried: what has been paid for is not given back by a
/// trial after it.
pub async fn extend_trial(
    app: &App,
    viewer: &Viewer,
    (subscription_id, until): (Uuid, DateTime<Utc>),
    key: &str,
) -> Result<Model> {
    viewer.require(Permission::BillingWrite)?;
    let order = Order { operation: "subscriptions.extend_trial", key, input: &(subscription_id, until) };
    let (caller, now) = (viewer.clone(), app.now());
    let done = place(app, viewer, order, move |txn| {
        Box::pin(async move {
            let row = billed(txn, &caller, subscription_id).await?;
            if row.status != "trialing" {
                let message = "only a subscription that is being tried has a trial to extend";
                return Err(Error::refused("NOT_TRIALING", &["subscriptionId"], message));
            }
            let is_later = row.trial_end.is_none_or(|end| until > end);
            if until <= now || !is_later || until > now + LONGEST {
                let message = "a trial is extended to later than it ends now, and to within 730 days";
                return Err(Error::refused("UNTIL_INVALID", &["until"], message));
            }
            let params = json!({"trial_end": until.timestamp(), "proration_behavior": "none"});
            Ok(update(&row, "subscriptions.extend_trial", params))
        })
    });
    mirrored(app, &done.await?.object_id).await
}
