//! Longer trials.

use super::subscription::Subscription;
use crate::graphql::common::{ContextExt, Instant, local_id, settle};
use crate::{billing, user_error};
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use std::sync::Arc;

/// What can be done with a trial.
#[derive(Default)]
pub struct TrialMutation;

#[Object]
impl TrialMutation {
    /// Has the trial of a subscription end later. Needs the scope `billing:write`. Kept and carried out later where
    /// Stripe does not answer.
    async fn extend_trial(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which, and until when.")] input: ExtendTrialInput,
    ) -> Result<ExtendTrialPayload> {
        let extend = (local_id::<Subscription>(&input.subscription_id)?, input.until.0);
        let done = billing::extend_trial(ctx.app(), ctx.viewer(), extend, &input.idempotency_key).await;
        let (row, user_errors) = settle(done)?;
        Ok(ExtendTrialPayload { subscription: row.map(|row| Subscription(Arc::new(row))), user_errors })
    }
}

/// A trial that is to end later.
#[derive(InputObject)]
pub struct ExtendTrialInput {
    /// The subscription.
    subscription_id: ID,
    /// When the trial is to end: later than it does now, and within 730 days.
    until: Instant,
    /// The same key and input again, within 30 days, give the first answer and nothing else. 1 to 255 bytes.
    idempotency_key: String,
}

/// The subscription whose trial ends later.
#[derive(SimpleObject)]
pub struct ExtendTrialPayload {
    /// As it is now; null where there are user errors.
    subscription: Option<Subscription>,
    /// Why nothing was done; empty where something was.
    user_errors: Vec<ExtendTrialUserError>,
}

user_error! {
    /// Why a trial was not extended.
    ExtendTrialUserError with
    /// The rules that can refuse to extend a trial.
    ExtendTrialErrorCode {
        /// There is no such subscription.
        SubscriptionNotFound = "SUBSCRIPTION_NOT_FOUND",
        /// Another provider bills for it.
        NotAtStripe = "NOT_AT_STRIPE",
        /// It is over.
        SubscriptionOver = "SUBSCRIPTION_OVER",
        /// It is not being tried.
        NotTrialing = "NOT_TRIALING",
        /// The end lies in the past, before the present one, or too far ahead.
        UntilInvalid = "UNTIL_INVALID",
        /// Stripe says no, for a reason that the message names.
        ProviderRefused = "PROVIDER_REFUSED",
    }
}
