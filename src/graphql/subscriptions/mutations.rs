//! Changes of subscriptions, carried out at Stripe.

use super::subscription::Subscription;
use crate::billing::{self, Cancel, Feedback};
use crate::graphql::common::{ContextExt, Instant, local_id, optional_text, settle};
use crate::user_error;
use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use std::sync::Arc;

/// What can be done with a subscription.
#[derive(Default)]
pub struct SubscriptionMutation;

#[Object]
impl SubscriptionMutation {
    /// Ends a subscription, at once or at the end of what is paid for. For an owner or admin of its account, and with
    /// the scope `billing:write` for any. What was planned for it is not to be. Where Stripe does not answer, the request
    /// is kept and carried out later, and the error says so.
    async fn cancel_subscription(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which, and how.")] input: CancelSubscriptionInput,
    ) -> Result<CancelSubscriptionPayload> {
        let cancel = Cancel {
            subscription_id: local_id::<Subscription>(&input.subscription_id)?,
            now: input.timing == CancellationTiming::Now,
            feedback: input.feedback.map(Feedback::from),
            comment: optional_text("comment", input.comment)?,
        };
        let done = billing::cancel_subscription(ctx.app(), ctx.viewer(), cancel, &input.idempotency_key).await;
        let (row, user_errors) = settle(done)?;
        Ok(CancelSubscriptionPayload { subscription: row.map(|row| Subscription(Arc::new(row))), user_errors })
    }

    /// Has a subscription go on that was to end, or that is paused. For an owner or admin of its account, and with the
    /// scope `billing:write` for any. Kept and carried out later where Stripe does not answer.
    async fn resume_subscription(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which.")] input: ResumeSubscriptionInput,
    ) -> Result<ResumeSubscriptionPayload> {
        let id = local_id::<Subscription>(&input.subscription_id)?;
        let done = billing::resume_subscription(ctx.app(), ctx.viewer(), id, &input.idempotency_key).await;
        let (row, user_errors) = settle(done)?;
        Ok(ResumeSubscriptionPayload { subscription: row.map(|row| Subscription(Arc::new(row))), user_errors })
    }

    /// Has nothing collected for a subscription until it is resumed; the plan is kept meanwhile, and counts
    /// for no revenue. For an owner or admin of its account, and with the scope `billing:write` for any. Kept and carried out later where Stripe does not answer.
    async fn pause_subscription(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which, and until when.")] input: PauseSubscriptionInput,
    ) -> Result<PauseSubscriptionPayload> {
        let pause = (local_id::<Subscription>(&input.subscription_id)?, input.until.map(|until| until.0));
        let done = billing::pause_subscription(ctx.app(), ctx.viewer(), pause, &input.idempotency_key).await;
        let (row, user_errors) = settle(done)?;
        Ok(PauseSubscriptionPayload { subscription: row.map(|row| Subscription(Arc::new(row))), user_errors })
    }
}

/// When a subscription ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum CancellationTiming {
    /// When what is paid for ends; until then it can be resumed.
    PeriodEnd,
    /// At once, without paying anything back.
    Now,
}

/// Why someone leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Feedback")]
pub enum CancellationFeedback {
    /// It is hard to use.
    TooComplex,
    /// It is not good enough.
    LowQuality,
    /// Something else.
    Other,
    /// Another product is better.
    SwitchedService,
    /// Something is missing.
    MissingFeatures,
    /// It costs too much.
    TooExpensive,
    /// Support was not good.
    CustomerService,
    /// It is not used.
    Unused,
}

/// A subscription that is to end.
#[derive(InputObject)]
pub struct CancelSubscriptionInput {
    /// Which one.
    subscription_id: ID,
    /// When.
    #[graphql(default_with = "CancellationTiming::PeriodEnd")]
    timing: CancellationTiming,
    /// Why.
    feedback: Option<CancellationFeedback>,
    /// Why, in the customer's words.
    comment: Option<String>,
    /// The same key and input again, within 30 days, give the first answer and nothing else. 1 to 255 bytes.
    idempotency_key: String,
}

/// A subscription that is to go on.
#[derive(InputObject)]
pub struct ResumeSubscriptionInput {
    /// Which one.
    subscription_id: ID,
    /// The same key and input again, within 30 days, give the first answer and nothing else. 1 to 255 bytes.
    idempotency_key: String,
}

/// A subscription that is to rest.
#[derive(InputObject)]
pub struct PauseSubscriptionInput {
    /// Which one.
    subscription_id: ID,
    /// When it goes on by itself; never where it is left out.
    until: Option<Instant>,
    /// The same key and input again, within 30 days, give the first answer and nothing else. 1 to 255 bytes.
    idempotency_key: String,
}

/// The subscription that ends.
#[derive(SimpleObject)]
pub struct CancelSubscriptionPayload {
    /// As it is now; null where there are user errors.
    subscription: Option<Subscription>,
    /// Why nothing was done; empty where something was.
    user_errors: Vec<CancelSubscriptionUserError>,
}

/// The subscription that goes on.
#[derive(SimpleObject)]
pub struct ResumeSubscriptionPayload {
    /// As it is now; null where there are user errors.
    subscription: Option<Subscription>,
    /// Why nothing was done; empty where something was.
    user_errors: Vec<ResumeSubscriptionUserError>,
}

/// The subscription that rests.
#[derive(SimpleObject)]
pub struct PauseSubscriptionPayload {
    /// As it is now; null where there are user errors.
    subscription: Option<Subscription>,
    /// Why nothing was done; empty where something was.
    user_errors: Vec<PauseSubscriptionUserError>,
}

user_error! {
    /// Why a subscription was not ended.
    CancelSubscriptionUserError with
    /// The rules that can refuse to end a subscription.
    CancelSubscriptionErrorCode {
        /// There is no such subscription of the caller's.
        SubscriptionNotFound = "SUBSCRIPTION_NOT_FOUND",
        /// Another provider bills for it.
        NotAtStripe = "NOT_AT_STRIPE",
        /// It is over.
        SubscriptionOver = "SUBSCRIPTION_OVER",
        /// The comment is too long.
        CommentTooLong = "COMMENT_TOO_LONG",
        /// Stripe says no, for a reason that the message names.
        ProviderRefused = "PROVIDER_REFUSED",
    }
}

user_error! {
    /// Why a subscription was not resumed.
    ResumeSubscriptionUserError declining with
    /// The rules that can refuse to resume a subscription.
    ResumeSubscriptionErrorCode {
        /// There is no such subscription of the caller's.
        SubscriptionNotFound = "SUBSCRIPTION_NOT_FOUND",
        /// Another provider bills for it.
        NotAtStripe = "NOT_AT_STRIPE",
        /// It is over.
        SubscriptionOver = "SUBSCRIPTION_OVER",
        /// It is neither to end nor paused.
        NothingToResume = "NOTHING_TO_RESUME",
        /// The card was declined.
        CardDeclined = "CARD_DECLINED",
        /// The card's bank wants the customer to confirm.
        AuthenticationRequired = "AUTHENTICATION_REQUIRED",
        /// Stripe says no, for a reason that the message names.
        ProviderRefused = "PROVIDER_REFUSED",
    }
}

user_error! {
    /// Why a subscription was not paused.
    PauseSubscriptionUserError with
    /// The rules that can refuse to pause a subscription.
    PauseSubscriptionErrorCode {
        /// There is no such subscription of the caller's.
        SubscriptionNotFound = "SUBSCRIPTION_NOT_FOUND",
        /// Another provider bills for it.
        NotAtStripe = "NOT_AT_STRIPE",
        /// It is over.
        SubscriptionOver = "SUBSCRIPTION_OVER",
        /// It is paused already.
        AlreadyPaused = "ALREADY_PAUSED",
        /// The end of the pause lies in the past.
        UntilInvalid = "UNTIL_INVALID",
        /// Stripe says no, for a reason that the message names.
        ProviderRefused = "PROVIDER_REFUSED",
    }
}
