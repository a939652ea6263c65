//! Mutations of credits.

use super::batch::{ChangeCreditsInput, ChangeCreditsPayload, CreditChangeInput, CreditChangeResult};
use super::grant::CreditGrant;
use super::reversal::{
    ReverseLedgerTransactionInput, ReverseLedgerTransactionPayload, TransferCreditsInput, TransferCreditsPayload,
};
use super::spending::{
    CaptureHoldInput, CaptureHoldPayload, HoldCreditsInput, HoldCreditsPayload, ReleaseHoldInput, ReleaseHoldPayload,
    SpendCreditsInput, SpendCreditsPayload,
};
use crate::credits::{self, Moved, NewGrant, Note, Request};
use crate::error::Error;
use crate::graphql::accounts::account::Account;
use crate::graphql::common::user_error::FromRefusal;
use crate::graphql::common::{BigInt, ContextExt, Instant, local_id, optional_text, split_refusal, text};
use crate::user_error;
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use std::sync::Arc;

/// The mutation root of credits.
#[derive(Default)]
pub struct CreditMutation;

#[Object]
impl CreditMutation {
    /// Grants credits to an account. Requires the scope `credits:write`.
    async fn grant_credits(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The account and the amount.")] input: GrantCreditsInput,
    ) -> Result<Option<GrantCreditsPayload>> {
        let (new, key) = input.new_grant()?;
        let granted = credits::grant(ctx.app(), ctx.viewer(), new, &key).await;
        let (granted, user_errors) = split_refusal(granted)?;
        let (grant, moved) = granted.unzip();
        Ok(Some(GrantCreditsPayload {
            credit_grant: grant.map(|row| CreditGrant(Arc::new(row))),
            available: moved.map(|moved| BigInt(moved.available)),
            user_errors,
        }))
    }

    /// Spends credits of an account: those that expire first, of these those with the lowest priority, of these the
    /// oldest. Requires the scope `credits:write`.
    async fn spend_credits(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The account and the amount.")] input: SpendCreditsInput,
    ) -> Result<Option<SpendCreditsPayload>> {
        let (moved, user_errors) = change(ctx, input.request()?).await?;
        Ok(Some(SpendCreditsPayload { moved, user_errors }))
    }

    /// Reserves credits of an account for work in progress, to be spent by `captureHold` or released by `releaseHold`
    /// or by time. Requires the scope `credits:write`.
    async fn hold_credits(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The account and the amount.")] input: HoldCreditsInput,
    ) -> Result<Option<HoldCreditsPayload>> {
        let (moved, user_errors) = change(ctx, input.request()?).await?;
        Ok(Some(HoldCreditsPayload { moved, user_errors }))
    }

    /// Spends credits of a hold, and releases the rest. Requires the scope `credits:write`.
    async fn capture_hold(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The hold and the amount.")] input: CaptureHoldInput,
    ) -> Result<Option<CaptureHoldPayload>> {
        let (moved, user_errors) = change(ctx, input.request()?).await?;
        Ok(Some(CaptureHoldPayload { moved, user_errors }))
    }

    /// Releases what is left of a hold. Requires the scope `credits:write`.
    async fn release_hold(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The hold.")] input: ReleaseHoldInput,
    ) -> Result<Option<ReleaseHoldPayload>> {
        let (moved, user_errors) = change(ctx, input.request()?).await?;
        Ok(Some(ReleaseHoldPayload { moved, user_errors }))
    }

    /// Reverses a ledger transaction by its opposite: credits that were spent return to their grants, and those whose
    /// grant has expired expire at once. Requires the scope `credits:write`.
    async fn reverse_ledger_transaction(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The transaction.")] input: ReverseLedgerTransactionInput,
    ) -> Result<Option<ReverseLedgerTransactionPayload>> {
        let (moved, user_errors) = change(ctx, input.request()?).await?;
        Ok(Some(ReverseLedgerTransactionPayload { moved, user_errors }))
    }

    /// Moves credits to another account of the same owner, where they keep their expiry and priority. Requires the scope
    /// `credits:write`.
    async fn transfer_credits(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The accounts and the amount.")] input: TransferCreditsInput,
    ) -> Result<Option<TransferCreditsPayload>> {
        let (moved, user_errors) = change(ctx, input.request()?).await?;
        Ok(Some(TransferCreditsPayload { moved, user_errors }))
    }

    /// Makes many changes of credits, each with an idempotency key and a result of its own. Requires the scope
    /// `credits:write`.
    async fn change_credits(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The changes.")] input: ChangeCreditsInput,
    ) -> Result<Option<ChangeCreditsPayload>> {
        let requests = input.changes.into_iter().map(CreditChangeInput::request).collect::<Result<_, _>>()?;
        let (results, user_errors) = split_refusal(credits::change_all(ctx.app(), ctx.viewer(), requests).await)?;
        let result = |moved: crate::error::Result<Moved>| {
            let (moved, user_errors) = split_refusal(moved.map_err(Error::as_refusal_of_key))?;
            Ok(CreditChangeResult { moved, user_errors })
        };
        let results = results.map(|results| results.into_iter().map(result).collect::<Result<_>>()).transpose()?;
        Ok(Some(ChangeCreditsPayload { results, user_errors }))
    }
}

/// Makes a change, and splits its result from the rules that refused it.
async fn change<E: FromRefusal>(
    ctx: &Context<'_>,
    (request, note, key): (Request, Note, String),
) -> Result<(Option<Moved>, Vec<E>)> {
    Ok(split_refusal(credits::change(ctx.app(), ctx.viewer(), request, note, &key).await)?)
}

impl GrantCreditsInput {
    fn new_grant(self) -> crate::error::Result<(NewGrant, String)> {
        let new = NewGrant {
            account_id: local_id::<Account>(&self.account_id)?,
            unit: text("unit", self.unit)?,
            amount: self.amount.0,
            reason: optional_text("reason", self.reason)?,
            starts_at: self.starts_at.map(|at| at.0),
            expires_at: self.expires_at.map(|at| at.0),
            priority: self.priority,
        };
        Ok((new, self.idempotency_key))
    }

    /// Returns the request as one of many.
    pub(super) fn request(self) -> crate::error::Result<(Request, Note, String)> {
        let (new, key) = self.new_grant()?;
        Ok((Request::Grant(new), Note::default(), key))
    }
}

/// A grant of credits.
#[derive(InputObject)]
pub struct GrantCreditsInput {
    /// The account that receives the credits.
    account_id: ID,
    /// The code of the credit unit.
    unit: String,
    /// The amount, in the smallest step of the unit: 1 to 1,000,000,000,000,000.
    amount: BigInt,
    /// An explanation for display: up to 500 characters.
    reason: Option<String>,
    /// Time from which the credits can be spent; at once by default.
    starts_at: Option<Instant>,
    /// Time at which unspent credits expire; they never expire by default.
    expires_at: Option<Instant>,
    /// The order of spending: of credits that expire at one time, those with a lower number are spent first.
    #[graphql(default = 0)]
    priority: i64,
    /// Identifies this request: within 30 days, the same key and input return the first result and grant nothing again.
    /// 1 to 255 bytes.
    idempotency_key: String,
}

/// The granted credits.
#[derive(SimpleObject)]
pub struct GrantCreditsPayload {
    /// The grant; null if there are user errors.
    credit_grant: Option<CreditGrant>,
    /// Credits that the account can spend after the grant; null if there are user errors.
    available: Option<BigInt>,
    /// The rules that refused the request; empty on success.
    user_errors: Vec<GrantCreditsUserError>,
}

user_error! {
    /// A rule that refused to grant credits.
    GrantCreditsUserError with
    /// The rules that can refuse `grantCredits`.
    GrantCreditsErrorCode {
        /// The account does not exist.
        AccountNotFound = "ACCOUNT_NOT_FOUND",
        /// The credit unit does not exist.
        UnitNotFound = "UNIT_NOT_FOUND",
        /// The amount is out of range.
        AmountInvalid = "AMOUNT_INVALID",
        /// The expiry is in the past.
        ExpiryInvalid = "EXPIRY_INVALID",
        /// The reason is too long.
        ReasonInvalid = "REASON_INVALID",
    }
}
