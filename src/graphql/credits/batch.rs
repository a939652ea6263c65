//! Many changes of credits in one request.

use super::grant::CreditGrant;
use super::granting::GrantCreditsInput;
use super::hold::CreditHold;
use super::ledger::LedgerTransaction;
use super::reversal::{ReverseLedgerTransactionInput, TransferCreditsInput};
use super::spending::{CaptureHoldInput, HoldCreditsInput, ReleaseHoldInput, SpendCreditsInput};
use crate::credits::{Moved, Note, Request};
use crate::graphql::common::{BigInt, to_one};
use crate::user_error;
use async_graphql::{Context, InputObject, Object, OneofObject, Result, SimpleObject};

/// One change of credits: exactly one of the fields is given, with the input of the mutation of its name.
#[derive(OneofObject)]
pub enum CreditChangeInput {
    /// As `grantCredits`.
    Grant(GrantCreditsInput),
    /// As `spendCredits`.
    Spend(SpendCreditsInput),
    /// As `holdCredits`.
    Hold(HoldCreditsInput),
    /// As `captureHold`.
    Capture(CaptureHoldInput),
    /// As `releaseHold`.
    Release(ReleaseHoldInput),
    /// As `reverseLedgerTransaction`.
    Reverse(ReverseLedgerTransactionInput),
    /// As `transferCredits`.
    Transfer(TransferCreditsInput),
}

/// Changes of credits.
#[derive(InputObject)]
pub struct ChangeCreditsInput {
    /// Up to 1,000 changes. Those of one account are made in this order.
    pub(super) changes: Vec<CreditChangeInput>,
}

/// The result of one change.
pub struct CreditChangeResult {
    pub(super) moved: Option<Moved>,
    pub(super) user_errors: Vec<ChangeCreditsUserError>,
}

/// The result of one change of credits.
#[Object]
impl CreditChangeResult {
    /// The ledger transaction; null if there are user errors, and for a grant that begins later.
    async fn transaction(&self, ctx: &Context<'_>) -> Result<Option<LedgerTransaction>> {
        to_one(ctx, self.moved.as_ref().and_then(|moved| moved.transaction_id)).await
    }

    /// The grant that was made; null for other changes.
    async fn credit_grant(&self, ctx: &Context<'_>) -> Result<Option<CreditGrant>> {
        to_one(ctx, self.moved.as_ref().and_then(|moved| moved.grant_id)).await
    }

    /// The hold that was made, captured or released; null for other changes.
    async fn credit_hold(&self, ctx: &Context<'_>) -> Result<Option<CreditHold>> {
        to_one(ctx, self.moved.as_ref().and_then(|moved| moved.hold_id)).await
    }

    /// Credits that the account can spend after the change, in the smallest step of the unit; null if there are user
    /// errors.
    async fn available(&self) -> Option<BigInt> {
        self.moved.as_ref().map(|moved| BigInt(moved.available))
    }

    /// Credits of the account that are held after the change, in the smallest step of the unit; null if there are user
    /// errors.
    async fn held(&self) -> Option<BigInt> {
        self.moved.as_ref().map(|moved| BigInt(moved.held))
    }

    /// The rules that refused this change; empty on success.
    async fn user_errors(&self) -> &[ChangeCreditsUserError] {
        &self.user_errors
    }
}

/// The results of changes of credits.
#[derive(SimpleObject)]
pub struct ChangeCreditsPayload {
    /// A result for each change, in their order; null if the request itself was refused.
    pub(super) results: Option<Vec<CreditChangeResult>>,
    /// The rules that refused the request as a whole; empty on success.
    pub(super) user_errors: Vec<ChangeCreditsUserError>,
}

user_error! {
    /// A rule that refused a change of credits.
    ChangeCreditsUserError with
    /// The rules that can refuse `changeCredits` and each of its changes.
    ChangeCreditsErrorCode {
        /// There are more than 1,000 changes.
        TooManyOperations = "TOO_MANY_OPERATIONS",
        /// The account does not exist.
        AccountNotFound = "ACCOUNT_NOT_FOUND",
        /// The credit unit does not exist.
        UnitNotFound = "UNIT_NOT_FOUND",
        /// The amount is out of range.
        AmountInvalid = "AMOUNT_INVALID",
        /// The hold has fewer credits.
        AmountTooLarge = "AMOUNT_TOO_LARGE",
        /// The account has fewer credits.
        InsufficientCredits = "INSUFFICIENT_CREDITS",
        /// The expiry is in the past or too far away.
        ExpiryInvalid = "EXPIRY_INVALID",
        /// The hold does not exist.
        HoldNotFound = "HOLD_NOT_FOUND",
        /// The hold was captured or released, or its time is over.
        HoldEnded = "HOLD_ENDED",
        /// The transaction does not exist.
        TransactionNotFound = "TRANSACTION_NOT_FOUND",
        /// The transaction was reversed before.
        AlreadyReversed = "ALREADY_REVERSED",
        /// Transactions of this kind cannot be reversed.
        NotReversible = "NOT_REVERSIBLE",
        /// Credits of the grant were used or have expired.
        CreditsSpent = "CREDITS_SPENT",
        /// Both accounts are the same.
        SameAccount = "SAME_ACCOUNT",
        /// The accounts have different owners.
        OwnerDiffers = "OWNER_DIFFERS",
        /// The reason is too long.
        ReasonInvalid = "REASON_INVALID",
        /// The reference is incomplete or too long.
        ReferenceInvalid = "REFERENCE_INVALID",
        /// The idempotency key was used before with another input.
        IdempotencyKeyReused = "IDEMPOTENCY_KEY_REUSED",
        /// The idempotency key is empty or too long.
        IdempotencyKeyInvalid = "IDEMPOTENCY_KEY_INVALID",
    }
}

impl CreditChangeInput {
    /// Returns the request, its explanation and its idempotency key.
    pub(super) fn request(self) -> crate::error::Result<(Request, Note, String)> {
        match self {
            CreditChangeInput::Grant(input) => input.request(),
            CreditChangeInput::Spend(input) => input.request(),
            CreditChangeInput::Hold(input) => input.request(),
            CreditChangeInput::Capture(input) => input.request(),
            CreditChangeInput::Release(input) => input.request(),
            CreditChangeInput::Reverse(input) => input.request(),
            CreditChangeInput::Transfer(input) => input.request(),
        }
    }
}
