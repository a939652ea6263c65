//! Refusals of uses, with the way out of each.

use super::decide::Counted;
use super::values::EntitlementReason;
use crate::error::Error;
use crate::plans::OnExceed;
use chrono::SecondsFormat;

/// Returns the refusal of a use that passes a limit: the one that resets last, of those that block.
pub(super) fn limit_reached(limits: &[Counted], amount: i64) -> Error {
    let blocking = limits.iter().filter(|limit| limit.remaining().is_some_and(|remaining| remaining < amount));
    let blocking = blocking.filter(|limit| limit.limit.on_exceed == OnExceed::Block);
    let last = blocking.max_by_key(|limit| (limit.count.resets_at.is_none(), limit.count.resets_at));
    let message = last.map_or_else(String::new, |last| {
        let (left, limit) = (last.remaining().unwrap_or_default(), last.limit.units.unwrap_or_default());
        let window = last.limit.window.map_or("use", |window| window.as_str());
        match last.count.resets_at {
            Some(at) => {
                let at = at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
                format!("Only {left} of {limit} are left (window: {window}): wait until {at}, or change the plan.")
            }
            None => format!("Only {left} of {limit} are left (window: {window}): change the plan for more."),
        }
    });
    Error::refused("LIMIT_REACHED", &["amount"], message)
}

/// Returns the refusal of a use of a feature that the account does not have.
pub(super) fn not_entitled(reason: EntitlementReason) -> Error {
    let message = match reason {
        EntitlementReason::NoPlan => "The account has no plan: it needs one with this feature.",
        EntitlementReason::PastDue => "A payment is due, and the time to pay it is over: the account has to pay first.",
        EntitlementReason::Paused => "The subscription is paused: resume it first.",
        EntitlementReason::TrialExcluded => "The trial does not include this feature: it comes with the paid plan.",
        EntitlementReason::TakenAway => {
            "The feature was taken away from this account: revoke the override to return it."
        }
        _ => "The account's plan does not include this feature: `unlockedBy` of its entitlement has those that do.",
    };
    Error::refused("NOT_ENTITLED", &["feature"], message)
}
