//! Refunds: asked for by customers, decided by admins, carried out at Stripe.

use super::payment::Payment;
use super::refund::Refund;
use crate::billing::{self, Approval};
use crate::graphql::common::{BigInt, ContextExt, local_id, optional_text, settle};
use crate::payments::{self, Denial, RefundRequest};
use crate::user_error;
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use std::sync::Arc;

/// What can be done about refunds.
#[derive(Default)]
pub struct RefundMutation;

#[Object]
impl RefundMutation {
    /// Asks for money back. For an owner or admin of the payment's account, and with the scope `billing:write` for any.
    /// Nothing moves before `approveRefund`; what is asked for counts as gone until it is decided, so that no more can be
    /// asked for than was paid.
    async fn request_refund(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Of which payment, and how much.")] input: RequestRefundInput,
    ) -> Result<RequestRefundPayload> {
        let new = RefundRequest {
            payment_id: local_id::<Payment>(&input.payment_id)?,
            amount_minor: input.amount.map(|amount| amount.0),
            reason: optional_text("reason", input.reason)?,
        };
        let asked = payments::request_refund(ctx.app(), ctx.viewer(), new, &input.idempotency_key).await;
        let (row, user_errors) = settle(asked)?;
        Ok(RequestRefundPayload { refund: row.map(|row| Refund(Arc::new(row))), user_errors })
    }

    /// Grants a refund that was asked for, all of it or less, and has Stripe carry it out. Where Stripe refuses, the refund
    /// has failed, and says why in `failureCode`; where it does not answer, the request is kept and carried out later, and
    /// the error says so. Needs the scope `billing:write`.
    async fn approve_refund(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which, and how much of it.")] input: ApproveRefundInput,
    ) -> Result<ApproveRefundPayload> {
        let approval = Approval {
            refund_id: local_id::<Refund>(&input.refund_id)?,
            amount_minor: input.amount.map(|amount| amount.0),
        };
        let done = billing::approve_refund(ctx.app(), ctx.viewer(), approval, &input.idempotency_key).await;
        let (row, user_errors) = settle(done)?;
        Ok(ApproveRefundPayload { refund: row.map(|row| Refund(Arc::new(row))), user_errors })
    }

    /// Does not grant a refund that was asked for. Needs the scope `billing:write`.
    async fn deny_refund(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which, and why.")] input: DenyRefundInput,
    ) -> Result<DenyRefundPayload> {
        let denial =
            Denial { refund_id: local_id::<Refund>(&input.refund_id)?, reason: optional_text("reason", input.reason)? };
        let denied = payments::deny_refund(ctx.app(), ctx.viewer(), denial, &input.idempotency_key).await;
        let (row, user_errors) = settle(denied)?;
        Ok(DenyRefundPayload { refund: row.map(|row| Refund(Arc::new(row))), user_errors })
    }
}

/// A refund that is asked for.
#[derive(InputObject)]
pub struct RequestRefundInput {
    /// Of which payment.
    payment_id: ID,
    /// How much, in minor units of the payment's currency; all that is left where it is left out.
    amount: Option<BigInt>,
    /// Why, for people: up to 500 characters.
    reason: Option<String>,
    /// The same key and input again, within 30 days, give the first answer and nothing else. 1 to 255 bytes.
    idempotency_key: String,
}

/// A refund that is granted.
#[derive(InputObject)]
pub struct ApproveRefundInput {
    /// Which one.
    refund_id: ID,
    /// How much of it, in minor units; what was asked for where it is left out.
    amount: Option<BigInt>,
    /// The same key and input again, within 30 days, give the first answer and nothing else. 1 to 255 bytes.
    idempotency_key: String,
}

/// A refund that is not granted.
#[derive(InputObject)]
pub struct DenyRefundInput {
    /// Which one.
    refund_id: ID,
    /// Why, for the customer: up to 500 characters.
    reason: Option<String>,
    /// The same key and input again, within 30 days, give the first answer and nothing else. 1 to 255 bytes.
    idempotency_key: String,
}

/// The refund that was asked for.
#[derive(SimpleObject)]
pub struct RequestRefundPayload {
    /// As it is now; null where there are user errors.
    refund: Option<Refund>,
    /// Why nothing was asked for; empty where something was.
    user_errors: Vec<RequestRefundUserError>,
}

/// The refund that was granted.
#[derive(SimpleObject)]
pub struct ApproveRefundPayload {
    /// As it is now; null where there are user errors.
    refund: Option<Refund>,
    /// Why no money goes back; empty where it does.
    user_errors: Vec<ApproveRefundUserError>,
}

/// The refund that was not granted.
#[derive(SimpleObject)]
pub struct DenyRefundPayload {
    /// As it is now; null where there are user errors.
    refund: Option<Refund>,
    /// Why it could not be denied; empty where it was.
    user_errors: Vec<DenyRefundUserError>,
}

user_error! {
    /// Why a refund was not asked for.
    RequestRefundUserError with
    /// The rules that can refuse a request for a refund.
    RequestRefundErrorCode {
        /// There is no such payment of the caller's.
        PaymentNotFound = "PAYMENT_NOT_FOUND",
        /// Another provider took the money.
        NotAtStripe = "NOT_AT_STRIPE",
        /// No money has arrived.
        PaymentNotSucceeded = "PAYMENT_NOT_SUCCEEDED",
        /// All of it has gone back, or is to go back.
        NothingLeft = "NOTHING_LEFT",
        /// The amount is less than one.
        AmountInvalid = "AMOUNT_INVALID",
        /// The amount is more than what is left.
        AmountTooLarge = "AMOUNT_TOO_LARGE",
        /// The reason is too long.
        ReasonInvalid = "REASON_INVALID",
    }
}

user_error! {
    /// Why a refund was not granted.
    ApproveRefundUserError with
    /// The rules that can refuse to grant a refund.
    ApproveRefundErrorCode {
        /// There is no such refund.
        RefundNotFound = "REFUND_NOT_FOUND",
        /// Another provider took the money.
        NotAtStripe = "NOT_AT_STRIPE",
        /// It is not waiting for a decision.
        RefundDecided = "REFUND_DECIDED",
        /// No money has arrived.
        PaymentNotSucceeded = "PAYMENT_NOT_SUCCEEDED",
        /// All of it has gone back, or is to go back.
        NothingLeft = "NOTHING_LEFT",
        /// The amount is less than one.
        AmountInvalid = "AMOUNT_INVALID",
        /// The amount is more than what was asked for, or than what is left.
        AmountTooLarge = "AMOUNT_TOO_LARGE",
        /// Stripe says no, for a reason that the message and `failureCode` of the refund name.
        ProviderRefused = "PROVIDER_REFUSED",
    }
}

user_error! {
    /// Why a refund was not denied.
    DenyRefundUserError with
    /// The rules that can refuse to deny a refund.
    DenyRefundErrorCode {
        /// There is no such refund.
        RefundNotFound = "REFUND_NOT_FOUND",
        /// Another provider decides.
        NotAtStripe = "NOT_AT_STRIPE",
        /// It is not waiting for a decision.
        RefundDecided = "REFUND_DECIDED",
        /// The reason is too long.
        ReasonInvalid = "REASON_INVALID",
    }
}
