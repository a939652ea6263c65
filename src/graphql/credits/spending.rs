//! Inputs, payloads and errors of the mutations that move credits.

use super::hold::CreditHold;
use super::ledger::LedgerTransaction;
use crate::credits::{Moved, Note, Request};
use crate::graphql::accounts::account::Account;
use crate::graphql::common::{BigInt, Instant, local_id, optional_text, part, text, to_one};
use crate::user_error;
use async_graphql::{Context, ID, InputObject, Object, Result};

/// Declares the payload of a mutation that moves credits; with `and hold` it shows the hold.
macro_rules! change_payload {
    ($(#[$doc:meta])* $name:ident with $error:ident $(and $hold:ident)?) => {
        pub struct $name {
            pub(super) moved: Option<Moved>,
            pub(super) user_errors: Vec<$error>,
        }

        $(#[$doc])*
        #[Object]
        impl $name {
            /// The ledger transaction; null if there are user errors.
            async fn transaction(&self, ctx: &Context<'_>) -> Result<Option<LedgerTransaction>> {
                to_one(ctx, self.moved.as_ref().and_then(|moved| moved.transaction_id)).await
            }

            $(
                /// The hold; null if there are user errors.
                async fn $hold(&self, ctx: &Context<'_>) -> Result<Option<CreditHold>> {
                    to_one(ctx, self.moved.as_ref().and_then(|moved| moved.hold_id)).await
                }
            )?

            /// Credits that the account can spend after the operation, in the smallest step of the unit; null if there
            /// are user errors.
            async fn available(&self) -> Option<BigInt> {
                self.moved.as_ref().map(|moved| BigInt(moved.available))
            }

            /// Credits of the account that are held after the operation, in the smallest step of the unit; null if
            /// there are user errors.
            async fn held(&self) -> Option<BigInt> {
                self.moved.as_ref().map(|moved| BigInt(moved.held))
            }

            /// The rules that refused the request; empty on success.
            async fn user_errors(&self) -> &[$error] {
                &self.user_errors
            }
        }
    };
}
pub(super) use change_payload;

/// Returns the explanation of a request; a refusal if a text of it is malformed.
pub(crate) fn note(
    reason: Option<String>,
    ref_type: Option<String>,
    ref_id: Option<String>,
) -> crate::error::Result<Note> {
    let ref_type = part(optional_text("refType", ref_type), "REFERENCE_INVALID", &["refType"])?;
    let ref_id = part(optional_text("refId", ref_id), "REFERENCE_INVALID", &["refId"])?;
    let reference = match (ref_type, ref_id) {
        (None, None) => None,
        (kind, id) => Some((kind.unwrap_or_default(), id.unwrap_or_default())),
    };
    Ok(Note { reason: part(optional_text("reason", reason), "REASON_INVALID", &["reason"])?, reference })
}

/// Credits to be spent.
#[derive(InputObject)]
pub struct SpendCreditsInput {
    /// The account that pays.
    pub(super) account_id: ID,
    /// The code of the credit unit.
    pub(super) unit: String,
    /// The amount, in the smallest step of the unit: 1 to 1,000,000,000,000,000.
    pub(super) amount: BigInt,
    /// An explanation for display: up to 500 characters.
    pub(super) reason: Option<String>,
    /// The kind of object in the host application that the credits are spent on: up to 255 bytes, with `refId`.
    pub(super) ref_type: Option<String>,
    /// The id of that object: up to 255 bytes, with `refType`.
    pub(super) ref_id: Option<String>,
    /// Identifies this request: within 30 days, the same key and input return the first result and spend nothing again.
    /// 1 to 255 bytes.
    pub(super) idempotency_key: String,
}

impl SpendCreditsInput {
    pub(super) fn request(self) -> crate::error::Result<(Request, Note, String)> {
        let note = note(self.reason, self.ref_type, self.ref_id)?;
        let account_id = part(local_id::<Account>(&self.account_id), "ACCOUNT_NOT_FOUND", &["accountId"])?;
        let request = Request::Spend {
            account_id,
            unit: part(text("unit", self.unit), "UNIT_NOT_FOUND", &["unit"])?,
            amount: self.amount.0,
        };
        Ok((request, note, self.idempotency_key))
    }
}

change_payload! {
    /// The credits that were spent.
    SpendCreditsPayload with SpendCreditsUserError
}

user_error! {
    /// A rule that refused to spend credits.
    SpendCreditsUserError with
    /// The rules that can refuse `spendCredits`.
    SpendCreditsErrorCode {
        /// The account does not exist.
        AccountNotFound = "ACCOUNT_NOT_FOUND",
        /// The credit unit does not exist.
        UnitNotFound = "UNIT_NOT_FOUND",
        /// The amount is out of range.
        AmountInvalid = "AMOUNT_INVALID",
        /// The account has fewer credits.
        InsufficientCredits = "INSUFFICIENT_CREDITS",
        /// The reason is too long.
        ReasonInvalid = "REASON_INVALID",
        /// The reference is incomplete or too long.
        ReferenceInvalid = "REFERENCE_INVALID",
    }
}

/// Credits to be reserved.
#[derive(InputObject)]
pub struct HoldCreditsInput {
    /// The account that pays.
    pub(super) account_id: ID,
    /// The code of the credit unit.
    pub(super) unit: String,
    /// The amount, in the smallest step of the unit: 1 to 1,000,000,000,000,000.
    pub(super) amount: BigInt,
    /// Time at which what is left of the hold releases itself: within 366 days; an hour from now by default.
    pub(super) expires_at: Option<Instant>,
    /// An explanation for display: up to 500 characters.
    pub(super) reason: Option<String>,
    /// The kind of object in the host application that the credits are held for: up to 255 bytes, with `refId`.
    pub(super) ref_type: Option<String>,
    /// The id of that object: up to 255 bytes, with `refType`.
    pub(super) ref_id: Option<String>,
    /// Identifies this request: within 30 days, the same key and input return the first result and hold nothing again.
    /// 1 to 255 bytes.
    pub(super) idempotency_key: String,
}

impl HoldCreditsInput {
    pub(super) fn request(self) -> crate::error::Result<(Request, Note, String)> {
        let note = note(self.reason, self.ref_type, self.ref_id)?;
        let request = Request::Hold {
            account_id: part(local_id::<Account>(&self.account_id), "ACCOUNT_NOT_FOUND", &["accountId"])?,
            unit: part(text("unit", self.unit), "UNIT_NOT_FOUND", &["unit"])?,
            amount: self.amount.0,
            expires_at: self.expires_at.map(|at| at.0),
        };
        Ok((request, note, self.idempotency_key))
    }
}

change_payload! {
    /// The credits that were reserved.
    HoldCreditsPayload with HoldCreditsUserError and credit_hold
}

user_error! {
    /// A rule that refused to hold credits.
    HoldCreditsUserError with
    /// The rules that can refuse `holdCredits`.
    HoldCreditsErrorCode {
        /// The account does not exist.
        AccountNotFound = "ACCOUNT_NOT_FOUND",
        /// The credit unit does not exist.
        UnitNotFound = "UNIT_NOT_FOUND",
        /// The amount is out of range.
        AmountInvalid = "AMOUNT_INVALID",
        /// The account has fewer credits.
        InsufficientCredits = "INSUFFICIENT_CREDITS",
        /// The end is in the past or too far away.
        ExpiryInvalid = "EXPIRY_INVALID",
        /// The reason is too long.
        ReasonInvalid = "REASON_INVALID",
        /// The reference is incomplete or too long.
        ReferenceInvalid = "REFERENCE_INVALID",
    }
}

/// Credits of a hold to be spent.
#[derive(InputObject)]
pub struct CaptureHoldInput {
    /// The hold.
    pub(super) hold_id: ID,
    /// The amount, in the smallest step of the unit; all that is left by default.
    pub(super) amount: Option<BigInt>,
    /// True to keep the rest of the hold for a further capture; by default the rest is released.
    #[graphql(default = false)]
    pub(super) keep_open: bool,
    /// An explanation for display: up to 500 characters.
    pub(super) reason: Option<String>,
    /// Identifies this request: within 30 days, the same key and input return the first result and spend nothing again.
    /// 1 to 255 bytes.
    pub(super) idempotency_key: String,
}

impl CaptureHoldInput {
    pub(super) fn request(self) -> crate::error::Result<(Request, Note, String)> {
        let amount = self.amount.map(|amount| amount.0);
        let hold_id = part(local_id::<CreditHold>(&self.hold_id), "HOLD_NOT_FOUND", &["holdId"])?;
        let request = Request::Capture { hold_id, amount, keep_open: self.keep_open };
        Ok((request, note(self.reason, None, None)?, self.idempotency_key))
    }
}

change_payload! {
    /// The credits of a hold that were spent.
    CaptureHoldPayload with CaptureHoldUserError and credit_hold
}

user_error! {
    /// A rule that refused to capture a hold.
    CaptureHoldUserError with
    /// The rules that can refuse `captureHold`.
    CaptureHoldErrorCode {
        /// The hold does not exist.
        HoldNotFound = "HOLD_NOT_FOUND",
        /// The hold was captured or released, or its time is over.
        HoldEnded = "HOLD_ENDED",
        /// The amount is out of range.
        AmountInvalid = "AMOUNT_INVALID",
        /// The hold has fewer credits.
        AmountTooLarge = "AMOUNT_TOO_LARGE",
        /// The reason is too long.
        ReasonInvalid = "REASON_INVALID",
    }
}

/// A hold to be released.
#[derive(InputObject)]
pub struct ReleaseHoldInput {
    /// The hold.
    pub(super) hold_id: ID,
    /// An explanation for display: up to 500 characters.
    pub(super) reason: Option<String>,
    /// Identifies this request: within 30 days, the same key and input return the first result. 1 to 255 bytes.
    pub(super) idempotency_key: String,
}

impl ReleaseHoldInput {
    pub(super) fn request(self) -> crate::error::Result<(Request, Note, String)> {
        let request =
            Request::Release { hold_id: part(local_id::<CreditHold>(&self.hold_id), "HOLD_NOT_FOUND", &["holdId"])? };
        Ok((request, note(self.reason, None, None)?, self.idempotency_key))
    }
}

change_payload! {
    /// The credits that were released.
    ReleaseHoldPayload with ReleaseHoldUserError and credit_hold
}

user_error! {
    /// A rule that refused to release a hold.
    ReleaseHoldUserError with
    /// The rules that can refuse `releaseHold`.
    ReleaseHoldErrorCode {
        /// The hold does not exist.
        HoldNotFound = "HOLD_NOT_FOUND",
        /// The hold was captured or released, or its time is over.
        HoldEnded = "HOLD_ENDED",
        /// The reason is too long.
        ReasonInvalid = "REASON_INVALID",
    }
}
