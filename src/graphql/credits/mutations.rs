//! Mutations of credits.

use super::grant::CreditGrant;
use crate::credits::{self, NewGrant};
use crate::graphql::accounts::account::Account;
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
        let new = NewGrant {
            account_id: local_id::<Account>(&input.account_id)?,
            unit: text("unit", input.unit)?,
            amount: input.amount.0,
            reason: optional_text("reason", input.reason)?,
            expires_at: input.expires_at.map(|at| at.0),
            priority: input.priority,
        };
        let granted = credits::grant(ctx.app(), ctx.viewer(), new, &input.idempotency_key).await;
        let (grant, user_errors) = split_refusal(granted)?;
        Ok(Some(GrantCreditsPayload { credit_grant: grant.map(|row| CreditGrant(Arc::new(row))), user_errors }))
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
    /// Time at which unspent credits expire; they never expire by default.
    expires_at: Option<Instant>,
    /// The order of spending: credits with a lower number are spent first.
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
