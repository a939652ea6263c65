//! Reads adjustments: refunds, credits and chargebacks of a transaction, and their reversals.
//!
//! Paddle reverses an adjustment in two ways, and may do both: it sets its status to `reversed`, or adds another
//! adjustment whose action ends in `_reverse`. The latter does not name the adjustment that it reverses.

use super::fields::{created_at, currency, natural, updated_at};
use crate::inbox::json::{at, minor, text};
use crate::inbox::object::Object;
use crate::payments::{DisputeStatus, ObservedDispute, ObservedRefund, RefundStatus};
use serde_json::Value;

/// The total of a transaction.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paid<'a> {
    pub(super) total_minor: i64,
    pub(super) currency: &'a str,
}

impl Paid<'_> {
    /// Returns the part that an adjustment gives back, in the currency of the transaction; `None` where the adjustment is
    /// of a part, and in another currency.
    pub(super) fn part_of(self, adjustment: &Value) -> Option<i64> {
        if is_in(adjustment, self.currency) {
            return Some(total(adjustment));
        }
        (text(adjustment, "type") == Some("full")).then_some(self.total_minor)
    }
}

/// Returns true for an adjustment in this currency.
pub(super) fn is_in(adjustment: &Value, paid_in: &str) -> bool {
    currency(adjustment, "currency_code").is_none_or(|currency| paid_in.is_empty() || currency == paid_in)
}

/// Returns the amount that adjustments with one of `actions` gave back to the customer, net of reversals; `amount`
/// returns the amount of one that counts.
pub(super) fn given_back(adjustments: &[&Object], actions: &[&str], amount: impl Fn(&Value) -> i64) -> i64 {
    let sum = |action: &str, reverse: bool, status: &str| {
        let these = adjustments.iter().filter(|adjustment| {
            action_of(adjustment) == Some((action, reverse)) && text(&adjustment.payload, "status") == Some(status)
        });
        these.fold(0_i64, |sum, adjustment| sum.saturating_add(amount(&adjustment.payload).max(0)))
    };
    let net = |action: &&str| {
        // A reversal beside an adjustment that is `reversed` itself is the same reversal twice.
        let undone = sum(action, true, "approved").saturating_sub(sum(action, false, "reversed")).max(0);
        sum(action, false, "approved").saturating_sub(undone).max(0)
    };
    actions.iter().map(net).fold(0, i64::saturating_add)
}

/// Returns the total of an adjustment. The sign of a reversal does not count.
pub(super) fn total(adjustment: &Value) -> i64 {
    amount(at(adjustment, "totals.total"), text(adjustment, "action").unwrap_or_default())
}

/// Reads an amount of an adjustment with this action.
pub(super) fn amount(value: &Value, action: &str) -> i64 {
    let reverse = action.ends_with("_reverse");
    let amount = if reverse { minor(value).and_then(i64::checked_abs) } else { natural(value) };
    amount.unwrap_or(0)
}

/// Returns the action, and true where the adjustment is a reversal of one.
fn action_of(adjustment: &Object) -> Option<(&str, bool)> {
    let action = text(&adjustment.payload, "action")?;
    Some(action.strip_suffix("_reverse").map_or((action, false), |reversed| (reversed, true)))
}

/// Returns the refunds among the adjustments of a transaction that was paid by `charge` in the currency `paid_in`.
pub(super) fn refunds(adjustments: &[&Object], charge: Option<&str>, paid_in: &str) -> Vec<ObservedRefund> {
    let refund = |(refund, reversal): (&Object, Option<&Object>)| {
        let provider_status = text(&refund.payload, "status")?;
        let status = match provider_status {
            "pending_approval" => RefundStatus::Requested,
            "approved" if reversal.is_none() => RefundStatus::Processed,
            "rejected" => RefundStatus::Denied,
            "approved" | "reversed" => RefundStatus::Failed,
            _ => return None,
        };
        Some(ObservedRefund {
            external_id: refund.external_id.clone(),
            charge_external_id: charge.map(str::to_owned),
            refund_id: None,
            status,
            provider_status: provider_status.to_owned(),
            amount_minor: Some(total(&refund.payload)).filter(|amount| *amount > 0)?,
            currency: currency(&refund.payload, "currency_code").unwrap_or_else(|| paid_in.to_owned()),
            reason: text(&refund.payload, "reason").map(str::to_owned),
            created_at: created_at(refund),
            processed_at: (status == RefundStatus::Processed).then(|| updated_at(refund)),
            failure_code: None,
        })
    };
    with_reversals(adjustments, "refund").into_iter().filter_map(refund).collect()
}

/// Returns the disputes among the adjustments of a transaction. Paddle answers banks itself and reports a chargeback when the money is
/// gone, so it is lost until it is reversed; a warning has taken nothing yet.
pub(super) fn disputes(adjustments: &[&Object], charge: Option<&str>, paid: Paid<'_>) -> Vec<ObservedDispute> {
    let dispute = |action: &str, (dispute, reversal): (&Object, Option<&Object>)| {
        let provider_status = text(&dispute.payload, "status")?;
        let status = match (provider_status, action) {
            ("reversed" | "rejected", _) => DisputeStatus::Won,
            ("approved" | "pending_approval", _) if reversal.is_some() => DisputeStatus::Won,
            ("approved" | "pending_approval", "chargeback_warning") => DisputeStatus::Warning,
            ("approved", _) => DisputeStatus::Lost,
            ("pending_approval", _) => DisputeStatus::UnderReview,
            _ => return None,
        };
        let closed_at = reversal.map_or_else(|| updated_at(dispute), created_at);
        Some(ObservedDispute {
            external_id: dispute.external_id.clone(),
            charge_external_id: charge.map(str::to_owned),
            status,
            provider_status: provider_status.to_owned(),
            amount_minor: Some(total(&dispute.payload)).filter(|amount| *amount > 0)?,
            currency: currency(&dispute.payload, "currency_code").unwrap_or_else(|| paid.currency.to_owned()),
            lost_minor: if status == DisputeStatus::Lost { paid.part_of(&dispute.payload) } else { Some(0) },
            reason: text(&dispute.payload, "reason").map(str::to_owned),
            created_at: created_at(dispute),
            closed_at: matches!(status, DisputeStatus::Won | DisputeStatus::Lost).then_some(closed_at),
        })
    };
    let of_action =
        |action| with_reversals(adjustments, action).into_iter().filter_map(move |pair| dispute(action, pair));
    ["chargeback_warning", "chargeback"].into_iter().flat_map(of_action).collect()
}

/// Returns true where a bank has ever taken the payment back, or warned of it.
pub(super) fn is_disputed(adjustments: &[&Object]) -> bool {
    let actions = adjustments.iter().filter_map(|adjustment| action_of(adjustment));
    actions.into_iter().any(|(action, _)| ["chargeback", "chargeback_warning"].contains(&action))
}

/// Returns the adjustments of an action, oldest first, each with its reversal. A reversal belongs to the oldest
/// adjustment of the same amount that has none yet. Disputes are reversed as a whole, so any amount will do for them.
fn with_reversals<'a>(adjustments: &[&'a Object], action: &str) -> Vec<(&'a Object, Option<&'a Object>)> {
    let of = |reverse: bool| {
        let mut these: Vec<_> =
            adjustments.iter().copied().filter(|each| action_of(each) == Some((action, reverse))).collect();
        these.sort_by_key(|each| (created_at(each), &each.external_id));
        these
    };
    let mut pairs: Vec<_> = of(false).into_iter().map(|forward| (forward, None)).collect();
    for reversal in of(true).into_iter().filter(|each| text(&each.payload, "status") == Some("approved")) {
        let open = |(forward, found): &(&Object, Option<&Object>)| {
            found.is_none() && text(&forward.payload, "status") != Some("rejected")
        };
        let same = |pair: &(&Object, Option<&Object>)| open(pair) && total(&pair.0.payload) == total(&reversal.payload);
        let any = || pairs.iter().position(open).filter(|_| action != "refund");
        if let Some(index) = pairs.iter().position(same).or_else(any) {
            pairs[index].1 = Some(reversal);
        }
    }
    pairs
}
