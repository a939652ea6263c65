//! Mutations that request refunds and decide on them.

use super::payment::Payment;
use super::refund::Refund;
use crate::billing::{self, Approval};
use crate::graphql::common::{BigInt, ContextExt, local_id, optional_text, split_refusal};
use crate::payments::{self, Denial, RefundRequest};
use crate::user_error;
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use std::sync::Arc;

/// Mutation fields for refunds.
#[derive(Default)]
pub struct RefundMutation;

#[Object]
impl RefundMutation {
    /// Requests a refund. Allowed for owners and admins of the payment's account; with the scope `billing:write` for
    /// any account. No money moves before `approveRefund`. A pending request reserves its amount, so that requests
    /// never exceed the payment.
    async fn request_refund(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The payment and the amount.")] input: RequestRefundInput,
    ) -> Result<Option<RequestRefundPayload>> {
        let new = RefundRequest {
            payment_id: local_id::<Payment>(&input.payment_id)?,
            amount_minor: input.amount.map(|amount| amount.0),
            reason: optional_text("reason", input.reason)?,
        };
        let asked = payments::request_refund(ctx.app(), ctx.viewer(), new, &input.idempotency_key).await;
        let (row, user_errors) = split_refusal(asked)?;
        Ok(Some(RequestRefundPayload { refund: row.map(|row| Refund(Arc::new(row))), user_errors }))
    }

    /// Approves a requested refund, in full or in part, and has Stripe process it. If Stripe refuses, the refund fails
    /// with the reason in `failureCode`. If Stripe is unavailable, the request is kept and carried out later, and the
    /// error says so. Requires the scope `billing:write`.
    async fn approve_refund(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The refund and the amount.")] input: ApproveRefundInput,
    ) -> Result<Option<ApproveRefundPayload>> {
        let approval = Approval {
            refund_id: local_id::<Refund>(&input.refund_id)?,
            amount_minor: input.amount.map(|amount| amount.0),
        };
        let done = billing::approve_refund(ctx.app(), ctx.viewer(), approval, &input.idempotency_key).await;
        let (row, user_errors) = split_refusal(done)?;
        Ok(Some(ApproveRefundPayload { refund: row.map(|row| Refund(Arc::new(row))), user_errors }))
    }

    /// Denies a requested refund. An approved one fails, with the `failureCode` `withdrawn`, if Stripe has not carried it
    /// out: check at Stripe first, since a request without an answer may have been carried out. Requires the scope
    /// `billing:write`.
    async fn deny_refund(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The refund and the reason.")] input: DenyRefundInput,
    ) -> Result<Option<DenyRefundPayload>> {
        let denial =
            Denial { refund_id: local_id::<Refund>(&input.refund_id)?, reason: optional_text("reason", input.reason)? };
        let denied = billing::deny_refund(ctx.app(), ctx.viewer(), denial, &input.idempotency_key).await;
        let (row, user_errors) = split_refusal(denied)?;
        Ok(Some(DenyRefundPayload { refund: row.map(|row| Refund(Arc::new(row))), user_errors }))
    }
}

/// Input of `requestRefund`.
#[derive(InputObject)]
pub struct RequestRefundInput {
    /// The id of the payment.
    payment_id: ID,
    /// The amount in minor units of the payment's currency; everything left by default.
    amount: Option<BigInt>,
    /// The reason, for people, up to 500 characters.
    reason: Option<String>,
    /// Idempotency key, 1 to 255 bytes. Repeating a key with the same input within 30 days returns the first answer and
    /// does nothing else.
    idempotency_key: String,
}

/// Input of `approveRefund`.
#[derive(InputObject)]
pub struct ApproveRefundInput {
    /// The id of the refund.
    refund_id: ID,
    /// The amount to refund in minor units; the requested amount by default.
    amount: Option<BigInt>,
    /// Idempotency key, 1 to 255 bytes. Repeating a key with the same input within 30 days returns the first answer and
    /// does nothing else.
    idempotency_key: String,
}

/// Input of `denyRefund`.
#[derive(InputObject)]
pub struct DenyRefundInput {
    /// The id of the refund.
    refund_id: ID,
    /// The reason, for the customer, up to 500 characters.
    reason: Option<String>,
    /// Idempotency key, 1 to 255 bytes. Repeating a key with the same input within 30 days returns the first answer and
    /// does nothing else.
    idempotency_key: String,
}

/// Payload of `requestRefund`.
#[derive(SimpleObject)]
pub struct RequestRefundPayload {
    /// The refund; null if there are user errors.
    refund: Option<Refund>,
    /// Reasons for refusing the request; empty on success.
    user_errors: Vec<RequestRefundUserError>,
}

/// Payload of `approveRefund`.
#[derive(SimpleObject)]
pub struct ApproveRefundPayload {
    /// The refund; null if there are user errors.
    refund: Option<Refund>,
    /// Reasons for refusing the request; empty on success.
    user_errors: Vec<ApproveRefundUserError>,
}

/// Payload of `denyRefund`.
#[derive(SimpleObject)]
pub struct DenyRefundPayload {
    /// The refund; null if there are user errors.
    refund: Option<Refund>,
    /// Reasons for refusing the request; empty on success.
    user_errors: Vec<DenyRefundUserError>,
}

user_error! {
    /// A reason for refusing `requestRefund`.
    RequestRefundUserError with
    /// Rules that can refuse `requestRefund`.
    RequestRefundErrorCode {
        /// The payment does not exist, or the caller may not see it.
        PaymentNotFound = "PAYMENT_NOT_FOUND",
        /// The payment was taken by another provider than Stripe.
        NotAtStripe = "NOT_AT_STRIPE",
        /// The payment has not been received.
        PaymentNotSucceeded = "PAYMENT_NOT_SUCCEEDED",
        /// Everything was refunded already, or is reserved by pending requests.
        NothingLeft = "NOTHING_LEFT",
        /// The amount is less than 1.
        AmountInvalid = "AMOUNT_INVALID",
        /// The amount exceeds what is left of the payment.
        AmountTooLarge = "AMOUNT_TOO_LARGE",
        /// The reason is longer than 500 characters.
        ReasonInvalid = "REASON_INVALID",
    }
}

user_error! {
    /// A reason for refusing `approveRefund`.
    ApproveRefundUserError with
    /// Rules that can refuse `approveRefund`.
    ApproveRefundErrorCode {
        /// The refund does not exist.
        RefundNotFound = "REFUND_NOT_FOUND",
        /// The payment was taken by another provider than Stripe.
        NotAtStripe = "NOT_AT_STRIPE",
        /// The refund is not awaiting a decision.
        RefundDecided = "REFUND_DECIDED",
        /// The payment has not been received.
        PaymentNotSucceeded = "PAYMENT_NOT_SUCCEEDED",
        /// Everything was refunded already, or is reserved by pending requests.
        NothingLeft = "NOTHING_LEFT",
        /// The amount is less than 1.
        AmountInvalid = "AMOUNT_INVALID",
        /// The amount exceeds what was requested, or what is left of the payment.
        AmountTooLarge = "AMOUNT_TOO_LARGE",
        /// Credits to be taken back were spent, and the setting `refund_spent_credits` is `refuse`.
        CreditsSpent = "CREDITS_SPENT",
        /// Stripe refused; the message and the refund's `failureCode` give its reason.
        ProviderRefused = "PROVIDER_REFUSED",
    }
}

user_error! {
    /// A reason for refusing `denyRefund`.
    DenyRefundUserError with
    /// Rules that can refuse `denyRefund`.
    DenyRefundErrorCode {
        /// The refund does not exist.
        RefundNotFound = "REFUND_NOT_FOUND",
        /// The refund is decided by another provider than Stripe.
        NotAtStripe = "NOT_AT_STRIPE",
        /// The refund is not awaiting a decision.
        RefundDecided = "REFUND_DECIDED",
        /// The reason is longer than 500 characters.
        ReasonInvalid = "REASON_INVALID",
    }
}
