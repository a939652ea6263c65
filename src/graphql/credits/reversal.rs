//! Inputs, payloads and errors of reversals and transfers.

use super::ledger::LedgerTransaction;
use super::spending::{change_payload, note};
use crate::credits::{Moved, Note, Request};
use crate::graphql::accounts::account::Account;
use crate::graphql::common::{BigInt, local_id, part, text, to_one};
use crate::user_error;
use async_graphql::{Context, ID, InputObject, Object, Result};

/// A ledger transaction to be reversed.
#[derive(InputObject)]
pub struct ReverseLedgerTransactionInput {
    /// The transaction: a grant of which nothing was used, a spend or a capture.
    pub(super) transaction_id: ID,
    /// An explanation for display: up to 500 characters.
    pub(super) reason: Option<String>,
    /// Identifies this request: within 30 days, the same key and input return the first result. 1 to 255 bytes.
    pub(super) idempotency_key: String,
}

impl ReverseLedgerTransactionInput {
    pub(super) fn request(self) -> crate::error::Result<(Request, Note, String)> {
        let transaction_id = local_id::<LedgerTransaction>(&self.transaction_id);
        let transaction_id = part(transaction_id, "TRANSACTION_NOT_FOUND", &["transactionId"])?;
        let request = Request::Reverse { transaction_id };
        Ok((request, note(self.reason, None, None)?, self.idempotency_key))
    }
}

change_payload! {
    /// The reversal.
    ReverseLedgerTransactionPayload with ReverseLedgerTransactionUserError
}

user_error! {
    /// A rule that refused to reverse a ledger transaction.
    ReverseLedgerTransactionUserError with
    /// The rules that can refuse `reverseLedgerTransaction`.
    ReverseLedgerTransactionErrorCode {
        /// The transaction does not exist.
        TransactionNotFound = "TRANSACTION_NOT_FOUND",
        /// The transaction was reversed before.
        AlreadyReversed = "ALREADY_REVERSED",
        /// Transactions of this kind cannot be reversed.
        NotReversible = "NOT_REVERSIBLE",
        /// Credits of the grant were used or have expired.
        CreditsSpent = "CREDITS_SPENT",
        /// The reason is too long.
        ReasonInvalid = "REASON_INVALID",
    }
}

/// Credits to be transferred.
#[derive(InputObject)]
pub struct TransferCreditsInput {
    /// The account that gives.
    pub(super) account_id: ID,
    /// The account that receives; it must have the same owner.
    pub(super) to_account_id: ID,
    /// The code of the credit unit.
    pub(super) unit: String,
    /// The amount, in the smallest step of the unit: 1 to 1,000,000,000,000,000.
    pub(super) amount: BigInt,
    /// An explanation for display: up to 500 characters.
    pub(super) reason: Option<String>,
    /// Identifies this request: within 30 days, the same key and input return the first result and move nothing again.
    /// 1 to 255 bytes.
    pub(super) idempotency_key: String,
}

impl TransferCreditsInput {
    pub(super) fn request(self) -> crate::error::Result<(Request, Note, String)> {
        let request = Request::Transfer {
            account_id: part(local_id::<Account>(&self.account_id), "ACCOUNT_NOT_FOUND", &["accountId"])?,
            to_account_id: part(local_id::<Account>(&self.to_account_id), "ACCOUNT_NOT_FOUND", &["toAccountId"])?,
            unit: part(text("unit", self.unit), "UNIT_NOT_FOUND", &["unit"])?,
            amount: self.amount.0,
        };
        Ok((request, note(self.reason, None, None)?, self.idempotency_key))
    }
}

change_payload! {
    /// The credits that were transferred; the balance is that of the account that gave.
    TransferCreditsPayload with TransferCreditsUserError
}

user_error! {
    /// A rule that refused to transfer credits.
    TransferCreditsUserError with
    /// The rules that can refuse `transferCredits`.
    TransferCreditsErrorCode {
        /// One of the accounts does not exist.
        AccountNotFound = "ACCOUNT_NOT_FOUND",
        /// Both accounts are the same.
        SameAccount = "SAME_ACCOUNT",
        /// The accounts have different owners.
        OwnerDiffers = "OWNER_DIFFERS",
        /// The credit unit does not exist.
        UnitNotFound = "UNIT_NOT_FOUND",
        /// The amount is out of range.
        AmountInvalid = "AMOUNT_INVALID",
        /// The account has fewer credits.
        InsufficientCredits = "INSUFFICIENT_CREDITS",
        /// The reason is too long.
        ReasonInvalid = "REASON_INVALID",
    }
}
