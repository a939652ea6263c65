//! Extending a trial.

use super::kernel::StripeAction;
use super::subscription::{lock_billable_subscription, update};
use crate::app::App;
use crate::auth::{Permission, Viewer};
use crate::error::{Error, Result};
use crate::outbox::Operation;
use crate::subscriptions::SubscriptionStatus;
use chrono::{DateTime, TimeDelta, Utc};
use entity::subscriptions::Model;
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

const EXTEND_TRIAL: Operation = Operation::Named("subscriptions.extend_trial");

/// The longest time ahead at which Stripe lets a trial end.
const MAX_TRIAL: TimeDelta = TimeDelta::days(730);

/// An extension of a trial.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct TrialExtension {
    /// The subscription.
    pub subscription_id: Uuid,
    /// The new end of the trial.
    pub until: DateTime<Utc>,
}

/// Extends the trial of a subscription. Only during the trial, because a later one would not give back payments.
pub async fn extend_trial(app: &App, viewer: &Viewer, extension: TrialExtension, key: &str) -> Result<Model> {
    viewer.require(Permission::BillingWrite)?;
    let action = StripeAction::new(app, viewer, EXTEND_TRIAL, key, &extension)?;
    let answer = action.execute_once(move |txn, viewer| {
        Box::pin(async move {
            let TrialExtension { subscription_id, until } = extension;
            let subscription = lock_billable_subscription(txn, viewer, subscription_id).await?;
            if SubscriptionStatus::parse(&subscription.status)? != SubscriptionStatus::Trialing {
                let message = "The subscription is not in a trial that could be extended.";
                return Err(Error::refused("NOT_TRIALING", &["subscriptionId"], message));
            }
            let is_later = subscription.trial_end.is_none_or(|end| until > end);
            if until <= txn.now() || !is_later || until > txn.now() + MAX_TRIAL {
                let message = "`until` must be later than the present end of the trial, and within 730 days.";
                return Err(Error::refused("UNTIL_INVALID", &["until"], message));
            }
            let params = json!({"trial_end": until.timestamp(), "proration_behavior": "none"});
            Ok(update(&subscription, EXTEND_TRIAL).params(params).persistent())
        })
    });
    answer.await?.subscription().await
}
