//! Changes to credits.

use super::ledger::CreditGrant;
use crate::credits::{self as feature, NewGrant};
use crate::graphql::accounts::account::Account;
use crate::graphql::common::{BigInt, ContextExt, Instant, local_id, optional_text, settle, text};
use crate::user_error;
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use std::sync::Arc;

/// What can be done with credits.
#[derive(Default)]
pub struct CreditMutation;

#[Object]
impl CreditMutation {
    /// Gives credits to an account. Needs the scope `credits:write`.
    async fn grant_credits(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who gets how many.")] input: GrantCreditsInput,
    ) -> Result<Option<GrantCreditsPayload>> {
        let new = NewGrant {
            account_id: local_id::<Account>(&input.account_id)?,
            unit: text("unit", input.unit)?,
            amount: input.amount.0,
            reason: optional_text("reason", input.reason)?,
            expires_at: input.expires_at.map(|at| at.0),
            priority: input.priority,
        };
        let granted = feature::grant(ctx.app(), ctx.viewer(), new, &input.idempotency_key).await;
        let (grant, user_errors) = settle(granted)?;
        Ok(Some(GrantCreditsPayload { credit_grant: grant.map(|row| CreditGrant(Arc::new(row))), user_errors }))
    }
}

/// Credits for an account.
#[derive(InputObject)]
pub struct GrantCreditsInput {
    /// Who gets them.
    account_id: ID,
    /// The code of the credit unit.
    unit: String,
    /// How many, in the smallest step of the unit: 1 to 1,000,000,000,000,000.
    amount: BigInt,
    /// Why, for people: up to 500 characters.
    reason: Option<String>,
    /// When what is left of them goes; never where it is left out.
    expires_at: Option<Instant>,
    /// Credits with a lower number are spent first.
    #[graphql(default = 0)]
    priority: i64,
    /// Makes this request the same as another: the same key and input again, within 30 days, give the first answer and
    /// nothing else. 1 to 255 bytes.
    idempotency_key: String,
}

/// The credits that were given.
#[derive(SimpleObject)]
pub struct GrantCreditsPayload {
    /// The grant; null if there are user errors.
    credit_grant: Option<CreditGrant>,
    /// The rules that refused the request; empty on success.
    user_errors: Vec<GrantCreditsUserError>,
}

user_error! {
    /// Why no credits were given.
    GrantCreditsUserError with
    /// The rules that can refuse to give credits.
    GrantCreditsErrorCode {
        /// There is no such account.
        AccountNotFound = "ACCOUNT_NOT_FOUND",
        /// There is no such credit unit.
        UnitNotFound = "UNIT_NOT_FOUND",
        /// The amount is out of range.
        AmountInvalid = "AMOUNT_INVALID",
        /// The expiry lies in the past.
        ExpiryInvalid = "EXPIRY_INVALID",
        /// The reason is too long.
        ReasonInvalid = "REASON_INVALID",
    }
}
