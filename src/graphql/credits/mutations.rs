//! Mutations of credits.

use super::batch::{ChangeCreditsInput, ChangeCreditsPayload, CreditChangeInput, CreditChangeResult};
use super::grant::CreditGrant;
use super::granting::{GrantCreditsInput, GrantCreditsPayload};
use super::reversal::{
    ReverseLedgerTransactionInput, ReverseLedgerTransactionPayload, TransferCreditsInput, TransferCreditsPayload,
};
use super::spending::{
    CaptureHoldInput, CaptureHoldPayload, HoldCreditsInput, HoldCreditsPayload, ReleaseHoldInput, ReleaseHoldPayload,
    SpendCreditsInput, SpendCreditsPayload,
};
use crate::credits::{self, Moved, Note, Request};
use crate::error::Error;
use crate::graphql::common::user_error::FromRefusal;
use crate::graphql::common::{BigInt, ContextExt, split_refusal};
use async_graphql::{Context, Object, Result};
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
        let (new, key) = input.new_grant().map_err(Error::as_bad_input)?;
        let granted = credits::grant(ctx.app(), ctx.viewer(), new, &key).await;
        let (granted, user_errors) = split_refusal(granted)?;
        let (grant, moved) = granted.unzip();
        Ok(Some(GrantCreditsPayload {
            credit_grant: grant.map(|row| CreditGrant(Arc::new(row))),
            available: moved.as_ref().map(|moved| BigInt(moved.available)),
            transaction_id: moved.and_then(|moved| moved.transaction_id),
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
        let (moved, user_errors) = change(ctx, input.request()).await?;
        Ok(Some(SpendCreditsPayload { moved, user_errors }))
    }

    /// Reserves credits of an account for work in progress, to be spent by `captureHold` or released by `releaseHold`
    /// or by time. Requires the scope `credits:write`.
    async fn hold_credits(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The account and the amount.")] input: HoldCreditsInput,
    ) -> Result<Option<HoldCreditsPayload>> {
        let (moved, user_errors) = change(ctx, input.request()).await?;
        Ok(Some(HoldCreditsPayload { moved, user_errors }))
    }

    /// Spends credits of a hold, and releases the rest. Requires the scope `credits:write`.
    async fn capture_hold(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The hold and the amount.")] input: CaptureHoldInput,
    ) -> Result<Option<CaptureHoldPayload>> {
        let (moved, user_errors) = change(ctx, input.request()).await?;
        Ok(Some(CaptureHoldPayload { moved, user_errors }))
    }

    /// Releases what is left of a hold. Requires the scope `credits:write`.
    async fn release_hold(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The hold.")] input: ReleaseHoldInput,
    ) -> Result<Option<ReleaseHoldPayload>> {
        let (moved, user_errors) = change(ctx, input.request()).await?;
        Ok(Some(ReleaseHoldPayload { moved, user_errors }))
    }

    /// Reverses a ledger transaction by its opposite: credits that were spent return to their grants, and those whose
    /// grant has expired expire at once. Requires the scope `credits:write`.
    async fn reverse_ledger_transaction(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The transaction.")] input: ReverseLedgerTransactionInput,
    ) -> Result<Option<ReverseLedgerTransactionPayload>> {
        let (moved, user_errors) = change(ctx, input.request()).await?;
        Ok(Some(ReverseLedgerTransactionPayload { moved, user_errors }))
    }

    /// Moves credits to another account of the same owner, where they keep their expiry and priority. Requires the scope
    /// `credits:write`.
    async fn transfer_credits(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The accounts and the amount.")] input: TransferCreditsInput,
    ) -> Result<Option<TransferCreditsPayload>> {
        let (moved, user_errors) = change(ctx, input.request()).await?;
        Ok(Some(TransferCreditsPayload { moved, user_errors }))
    }

    /// Makes many changes of credits, each with an idempotency key and a result of its own. Requires the scope
    /// `credits:write`.
    async fn change_credits(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The changes.")] input: ChangeCreditsInput,
    ) -> Result<Option<ChangeCreditsPayload>> {
        let requests = input.changes.into_iter().map(CreditChangeInput::request).collect();
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
    request: crate::error::Result<(Request, Note, String)>,
) -> Result<(Option<Moved>, Vec<E>)> {
    let (request, note, key) = request.map_err(Error::as_bad_input)?;
    split_refusal(credits::change(ctx.app(), ctx.viewer(), request, note, &key).await)
}
