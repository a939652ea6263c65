//! Mutations that change a subscription at Stripe.

use super::subscription::Subscription;
use crate::billing::{self, Cancel, Feedback, Pause};
use crate::graphql::common::{ContextExt, Instant, local_id, optional_text, split_refusal};
use crate::user_error;
use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use std::sync::Arc;

/// Mutation fields for subscriptions.
#[derive(Default)]
pub struct SubscriptionMutation;

#[Object]
impl SubscriptionMutation {
    /// Cancels a subscription now or at period end, and drops any scheduled change. Allowed for owners and admins of
    /// its account; with the scope `billing:write` for any account. If Stripe is unavailable, the request is kept and
    /// carried out later, and the error says so.
    async fn cancel_subscription(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The subscription, the timing and the reason.")] input: CancelSubscriptionInput,
    ) -> Result<Option<CancelSubscriptionPayload>> {
        let cancel = Cancel {
            subscription_id: local_id::<Subscription>(&input.subscription_id)?,
            now: input.timing == CancellationTiming::Now,
            feedback: input.feedback.map(Feedback::from),
            comment: optional_text("comment", input.comment)?,
        };
        let done = billing::cancel_subscription(ctx.app(), ctx.viewer(), cancel, &input.idempotency_key).await;
        let (row, user_errors) = split_refusal(done)?;
        Ok(Some(CancelSubscriptionPayload { subscription: row.map(|row| Subscription(Arc::new(row))), user_errors }))
    }

    /// Resumes a paused subscription, or keeps one that was set to cancel at period end. Allowed for owners and admins
    /// of its account; with the scope `billing:write` for any account. If Stripe is unavailable, the request is kept
    /// and carried out later.
    async fn resume_subscription(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The subscription.")] input: ResumeSubscriptionInput,
    ) -> Result<Option<ResumeSubscriptionPayload>> {
        let id = local_id::<Subscription>(&input.subscription_id)?;
        let done = billing::resume_subscription(ctx.app(), ctx.viewer(), id, &input.idempotency_key).await;
        let (row, user_errors) = split_refusal(done)?;
        Ok(Some(ResumeSubscriptionPayload { subscription: row.map(|row| Subscription(Arc::new(row))), user_errors }))
    }

    /// Pauses the collection of payments until the subscription is resumed. The plan stays in force; a paused
    /// subscription does not count as recurring revenue. Allowed for owners and admins of its account; with the scope
    /// `billing:write` for any account. If Stripe is unavailable, the request is kept and carried out later.
    async fn pause_subscription(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The subscription and the new date.")] input: PauseSubscriptionInput,
    ) -> Result<Option<PauseSubscriptionPayload>> {
        let subscription_id = local_id::<Subscription>(&input.subscription_id)?;
        let pause = Pause { subscription_id, until: input.until.map(|until| until.0) };
        let done = billing::pause_subscription(ctx.app(), ctx.viewer(), pause, &input.idempotency_key).await;
        let (row, user_errors) = split_refusal(done)?;
        Ok(Some(PauseSubscriptionPayload { subscription: row.map(|row| Subscription(Arc::new(row))), user_errors }))
    }
}

/// Time at which a cancellation takes effect. Values may be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum CancellationTiming {
    /// At the end of the paid period; until then the subscription can be resumed.
    PeriodEnd,
    /// Immediately, without a refund.
    Now,
}

/// Reason for a cancellation, as defined by Stripe. Values may be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Feedback")]
pub enum CancellationFeedback {
    /// The product is too complex.
    TooComplex,
    /// The quality is too low.
    LowQuality,
    /// Another reason.
    Other,
    /// The customer switched to another product.
    SwitchedService,
    /// Features are missing.
    MissingFeatures,
    /// The price is too high.
    TooExpensive,
    /// Customer service was unsatisfactory.
    CustomerService,
    /// The product is not used.
    Unused,
}

/// Input of `cancelSubscription`.
#[derive(InputObject)]
pub struct CancelSubscriptionInput {
    /// The id of the subscription.
    subscription_id: ID,
    /// The time at which the change takes effect.
    #[graphql(default_with = "CancellationTiming::PeriodEnd")]
    timing: CancellationTiming,
    /// The reason; null if the customer gave none.
    feedback: Option<CancellationFeedback>,
    /// A comment in the customer's own words, up to 2,000 bytes like every text.
    comment: Option<String>,
    /// Idempotency key, 1 to 255 bytes. Repeating a key with the same input within 30 days returns the first answer and
    /// does nothing else.
    idempotency_key: String,
}

/// Input of `resumeSubscription`.
#[derive(InputObject)]
pub struct ResumeSubscriptionInput {
    /// The id of the subscription.
    subscription_id: ID,
    /// Idempotency key, 1 to 255 bytes. Repeating a key with the same input within 30 days returns the first answer and
    /// does nothing else.
    idempotency_key: String,
}

/// Input of `pauseSubscription`.
#[derive(InputObject)]
pub struct PauseSubscriptionInput {
    /// The id of the subscription.
    subscription_id: ID,
    /// The instant at which the subscription resumes by itself; null to pause until it is resumed. A customer's pause has a
    /// maximum, which null means too, and ends at the latest an hour before the period in which `until` lies.
    until: Option<Instant>,
    /// Idempotency key, 1 to 255 bytes. Repeating a key with the same input within 30 days returns the first answer and
    /// does nothing else.
    idempotency_key: String,
}

/// Payload of `cancelSubscription`.
#[derive(SimpleObject)]
pub struct CancelSubscriptionPayload {
    /// The subscription after the change; null if there are user errors.
    subscription: Option<Subscription>,
    /// Reasons for refusing the request; empty on success.
    user_errors: Vec<CancelSubscriptionUserError>,
}

/// Payload of `resumeSubscription`.
#[derive(SimpleObject)]
pub struct ResumeSubscriptionPayload {
    /// The subscription after the change; null if there are user errors.
    subscription: Option<Subscription>,
    /// Reasons for refusing the request; empty on success.
    user_errors: Vec<ResumeSubscriptionUserError>,
}

/// Payload of `pauseSubscription`.
#[derive(SimpleObject)]
pub struct PauseSubscriptionPayload {
    /// The subscription after the change; null if there are user errors.
    subscription: Option<Subscription>,
    /// Reasons for refusing the request; empty on success.
    user_errors: Vec<PauseSubscriptionUserError>,
}

user_error! {
    /// A reason for refusing `cancelSubscription`.
    CancelSubscriptionUserError with
    /// Rules that can refuse `cancelSubscription`.
    CancelSubscriptionErrorCode {
        /// The subscription does not exist, or the caller may not see it.
        SubscriptionNotFound = "SUBSCRIPTION_NOT_FOUND",
        /// The subscription is billed by another provider than Stripe.
        NotAtStripe = "NOT_AT_STRIPE",
        /// The subscription has ended.
        SubscriptionOver = "SUBSCRIPTION_OVER",
        /// Stripe refused; the message gives its reason.
        ProviderRefused = "PROVIDER_REFUSED",
    }
}

user_error! {
    /// A reason for refusing `resumeSubscription`.
    ResumeSubscriptionUserError declining with
    /// Rules that can refuse `resumeSubscription`.
    ResumeSubscriptionErrorCode {
        /// The subscription does not exist, or the caller may not see it.
        SubscriptionNotFound = "SUBSCRIPTION_NOT_FOUND",
        /// The subscription is billed by another provider than Stripe.
        NotAtStripe = "NOT_AT_STRIPE",
        /// The subscription has ended.
        SubscriptionOver = "SUBSCRIPTION_OVER",
        /// The subscription is neither paused nor set to cancel.
        NothingToResume = "NOTHING_TO_RESUME",
        /// The card was declined; `declineCode` gives the bank's reason.
        CardDeclined = "CARD_DECLINED",
        /// The card's bank requires the customer to authenticate.
        AuthenticationRequired = "AUTHENTICATION_REQUIRED",
        /// Stripe refused; the message gives its reason.
        ProviderRefused = "PROVIDER_REFUSED",
    }
}

user_error! {
    /// A reason for refusing `pauseSubscription`.
    PauseSubscriptionUserError with
    /// Rules that can refuse `pauseSubscription`.
    PauseSubscriptionErrorCode {
        /// The subscription does not exist, or the caller may not see it.
        SubscriptionNotFound = "SUBSCRIPTION_NOT_FOUND",
        /// The subscription is billed by another provider than Stripe.
        NotAtStripe = "NOT_AT_STRIPE",
        /// The subscription has ended.
        SubscriptionOver = "SUBSCRIPTION_OVER",
        /// The subscription is already paused.
        AlreadyPaused = "ALREADY_PAUSED",
        /// `until` is not in the future, or later than a customer may pause.
        UntilInvalid = "UNTIL_INVALID",
        /// The subscription was paused at customers' requests for as long as a year allows.
        PauseLimitReached = "PAUSE_LIMIT_REACHED",
        /// Stripe refused; the message gives its reason.
        ProviderRefused = "PROVIDER_REFUSED",
    }
}
