//! The input, payload and errors of `grantCredits`.

use super::grant::CreditGrant;
use super::ledger::LedgerTransaction;
use crate::credits::{NewGrant, Note, Request};
use crate::graphql::accounts::account::Account;
use crate::graphql::common::{BigInt, Instant, local_id, optional_text, part, text, to_one};
use crate::user_error;
use async_graphql::{ComplexObject, Context, ID, InputObject, Result, SimpleObject};
use uuid::Uuid;

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

impl GrantCreditsInput {
    pub(super) fn new_grant(self) -> crate::error::Result<(NewGrant, String)> {
        let new = NewGrant {
            account_id: part(local_id::<Account>(&self.account_id), "ACCOUNT_NOT_FOUND", &["accountId"])?,
            unit: part(text("unit", self.unit), "UNIT_NOT_FOUND", &["unit"])?,
            amount: self.amount.0,
            reason: part(optional_text("reason", self.reason), "REASON_INVALID", &["reason"])?,
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

/// The granted credits.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct GrantCreditsPayload {
    /// The grant; null if there are user errors.
    pub(super) credit_grant: Option<CreditGrant>,
    /// Credits that the account can spend after the grant; null if there are user errors.
    pub(super) available: Option<BigInt>,
    #[graphql(skip)]
    pub(super) transaction_id: Option<Uuid>,
    /// The rules that refused the request; empty on success.
    pub(super) user_errors: Vec<GrantCreditsUserError>,
}

#[ComplexObject]
impl GrantCreditsPayload {
    /// The ledger transaction; null if the credits can be spent only later, and if there are user errors.
    async fn transaction(&self, ctx: &Context<'_>) -> Result<Option<LedgerTransaction>> {
        to_one(ctx, self.transaction_id).await
    }
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
