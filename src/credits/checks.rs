//! The checks that all changes of credits share.

use crate::error::{Error, Result};

/// Maximum credits of one operation, in the smallest step of the unit; far from the range of 64 bits.
pub(super) const MAX_AMOUNT: i64 = 1_000_000_000_000_000;

/// Refuses an amount that is out of range.
pub(super) fn check_amount(amount: i64) -> Result<()> {
    if (1..=MAX_AMOUNT).contains(&amount) {
        return Ok(());
    }
    Err(Error::refused("AMOUNT_INVALID", &["amount"], "`amount` must be 1 to 1,000,000,000,000,000 steps."))
}

/// Refuses a reason that is too long.
pub(super) fn check_reason(reason: Option<&str>) -> Result<()> {
    if reason.is_some_and(|reason| reason.chars().count() > 500) {
        return Err(Error::refused("REASON_INVALID", &["reason"], "`reason` must have at most 500 characters."));
    }
    Ok(())
}
