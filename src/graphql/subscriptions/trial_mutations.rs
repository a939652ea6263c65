//! Mutations that extend trials.

use super::subscription::Subscription;
use crate::billing::{self, TrialExtension};
use crate::graphql::common::{ContextExt, Instant, local_id, split_refusal};
use crate::user_error;
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use std::sync::Arc;

/// Mutation fields for trials.
#[derive(Default)]
pub struct TrialMutation;

#[Object]
impl TrialMutation {
    /// Extends the trial of a subscription. Requires the scope `billing:write`. If Stripe is unavailable, the request
    /// is kept and carried out later.
    async fn extend_trial(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The subscription and the new date.")] input: ExtendTrialInput,
    ) -> Result<Option<ExtendTrialPayload>> {
        let subscription_id = local_id::<Subscription>(&input.subscription_id)?;
        let extend = TrialExtension { subscription_id, until: input.until.0 };
        let done = billing::extend_trial(ctx.app(), ctx.viewer(), extend, &input.idempotency_key).await;
        let (row, user_errors) = split_refusal(done)?;
        Ok(Some(ExtendTrialPayload { subscription: row.map(|row| Subscription(Arc::new(row))), user_errors }))
    }
}

/// Input of `extendTrial`.
#[derive(InputObject)]
pub struct ExtendTrialInput {
    /// The id of the subscription.
    subscription_id: ID,
    /// The new end of the trial: later than the current one, and at most 730 days from now.
    until: Instant,
    /// Idempotency key, 1 to 255 bytes. Repeating a key with the same input within 30 days returns the first answer and
    /// does nothing else.
    idempotency_key: String,
}

/// Payload of `extendTrial`.
#[derive(SimpleObject)]
pub struct ExtendTrialPayload {
    /// The subscription after the change; null if there are user errors.
    subscription: Option<Subscription>,
    /// Reasons for refusing the request; empty on success.
    user_errors: Vec<ExtendTrialUserError>,
}

user_error! {
    /// A reason for refusing `extendTrial`.
    ExtendTrialUserError with
    /// Rules that can refuse `extendTrial`.
    ExtendTrialErrorCode {
        /// The subscription does not exist.
        SubscriptionNotFound = "SUBSCRIPTION_NOT_FOUND",
        /// The subscription is billed by another provider than Stripe.
        NotAtStripe = "NOT_AT_STRIPE",
        /// The subscription has ended.
        SubscriptionOver = "SUBSCRIPTION_OVER",
        /// The subscription is not on trial.
        NotTrialing = "NOT_TRIALING",
        /// `until` is not in the future, not later than the current end, or more than 730 days ahead.
        UntilInvalid = "UNTIL_INVALID",
        /// Stripe refused; the message gives its reason.
        ProviderRefused = "PROVIDER_REFUSED",
    }
}
