//! The mutation that checks and counts the use of a feature.

use super::entitlement::Entitlement;
use crate::entitlements::{self, NewConsumption};
use crate::error::Error;
use crate::graphql::accounts::account::Account;
use crate::graphql::common::{BigInt, ContextExt, local_id, split_refusal, text, to_one};
use crate::graphql::credits::ledger::LedgerTransaction;
use crate::graphql::credits::spending::note;
use crate::graphql::plans::parts::CreditUnit;
use crate::graphql::usage::event::UsageEvent;
use crate::user_error;
use async_graphql::{ComplexObject, Context, ID, InputObject, Object, Result, SimpleObject};
use uuid::Uuid;

/// The mutation root of uses.
#[derive(Default)]
pub struct ConsumeMutation;

#[Object]
impl ConsumeMutation {
    /// Checks a use of a feature of the kind LIMIT or CREDIT, and counts it in all of its windows at once: all of it, or
    /// nothing if one of them has too little left. Requires the scope `credits:write`.
    async fn consume(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The account, the feature and the number of units.")] input: ConsumeInput,
    ) -> Result<Option<ConsumePayload>> {
        let account_id = local_id::<Account>(&input.account_id)?;
        let feature = text("feature", input.feature)?;
        let note = note(input.reason, input.ref_type, input.ref_id).map_err(Error::as_bad_input)?;
        let new = NewConsumption { account_id, feature: feature.clone(), amount: input.amount.0, note };
        let consumed = entitlements::consume(ctx.app(), ctx.viewer(), new, &input.idempotency_key).await;
        let (consumed, user_errors) = split_refusal(consumed)?;
        let cost = consumed.as_ref().and_then(|consumed| consumed.cost);
        let units = consumed.as_ref().map(|consumed| BigInt(consumed.amount));
        let spent = units.map(|_| BigInt(cost.map_or(0, |cost| cost.credits)));
        let transaction_id = consumed.as_ref().and_then(|consumed| consumed.transaction_id);
        let event_id = consumed.as_ref().map(|consumed| consumed.event_id);
        let entitlement = match consumed {
            Some(consumed) => Some(Entitlement(consumed.entitlement)),
            None => Entitlement::of(ctx, Some(account_id), feature).await?,
        };
        Ok(Some(ConsumePayload {
            consumed: units,
            credits_spent: spent,
            credit_unit_id: cost.map(|cost| cost.credit_unit_id),
            transaction_id,
            event_id,
            entitlement,
            user_errors,
        }))
    }
}

/// A use of a feature.
#[derive(InputObject)]
pub struct ConsumeInput {
    /// The account that uses the feature.
    account_id: ID,
    /// The code of the feature.
    feature: String,
    /// The number of units, in the feature's unit: 1 to 1,000,000,000,000,000.
    #[graphql(default_with = "BigInt(1)")]
    amount: BigInt,
    /// An explanation for display, kept with the ledger transaction if credits are spent: up to 500 characters.
    reason: Option<String>,
    /// The kind of object in the host application that the use is about: up to 255 bytes, with `refId`.
    ref_type: Option<String>,
    /// The id of that object: up to 255 bytes, with `refType`.
    ref_id: Option<String>,
    /// Identifies this request: within 30 days, the same key and input return the first result and count nothing again.
    /// 1 to 255 bytes.
    idempotency_key: String,
}

/// The outcome of a use.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct ConsumePayload {
    /// The units that were counted; null if there are user errors.
    consumed: Option<BigInt>,
    /// The credits that the use cost, in the smallest step of the unit: for units beyond the limits, or without a limit for
    /// all that a rate card prices. 0 if it cost none, null if there are user errors.
    credits_spent: Option<BigInt>,
    #[graphql(skip)]
    credit_unit_id: Option<Uuid>,
    #[graphql(skip)]
    transaction_id: Option<Uuid>,
    #[graphql(skip)]
    event_id: Option<Uuid>,
    /// The entitlement after the use, also in the answer to a repetition, or as it is now if there are user errors; null if
    /// there is no such account or feature.
    entitlement: Option<Entitlement>,
    /// The rules that refused the use; empty on success.
    user_errors: Vec<ConsumeUserError>,
}

#[ComplexObject]
impl ConsumePayload {
    /// The unit of the credits that were spent; null if none were.
    async fn credit_unit(&self, ctx: &Context<'_>) -> Result<Option<CreditUnit>> {
        to_one(ctx, self.credit_unit_id).await
    }

    /// The event that records the use on the feature's meter: `correctUsage` takes it back. Null if there are user errors.
    async fn usage_event(&self, ctx: &Context<'_>) -> Result<Option<UsageEvent>> {
        to_one(ctx, self.event_id).await
    }

    /// The ledger transaction that spent the credits; null if none were spent.
    async fn ledger_transaction(&self, ctx: &Context<'_>) -> Result<Option<LedgerTransaction>> {
        to_one(ctx, self.transaction_id).await
    }
}

user_error! {
    /// A rule that refused a use.
    ConsumeUserError with
    /// The rules that can refuse `consume`.
    ConsumeErrorCode {
        /// The account does not exist.
        AccountNotFound = "ACCOUNT_NOT_FOUND",
        /// The feature does not exist.
        FeatureNotFound = "FEATURE_NOT_FOUND",
        /// The feature is of a kind that is not counted, or its meter does not sum: such usage is recorded.
        FeatureNotCounted = "FEATURE_NOT_COUNTED",
        /// The account does not have the feature; `entitlement` says why.
        NotEntitled = "NOT_ENTITLED",
        /// A window has too little left; `entitlement` has what is left, and when it resets.
        LimitReached = "LIMIT_REACHED",
        /// The credits do not suffice for what the use costs.
        InsufficientCredits = "INSUFFICIENT_CREDITS",
        /// The number of units is out of range.
        AmountInvalid = "AMOUNT_INVALID",
        /// The explanation is too long.
        ReasonInvalid = "REASON_INVALID",
        /// The reference is incomplete or too long.
        ReferenceInvalid = "REFERENCE_INVALID",
    }
}
