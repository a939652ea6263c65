//! Reads disputes.

use super::fields::{amount, currency, own_amount};
use crate::inbox::json::{at, list, seconds, text};
use crate::inbox::object::Object;
use crate::inbox::past::Past;
use crate::payments::{DisputeStatus, ObservedDispute};
use chrono::{DateTime, Utc};
use serde_json::Value;

/// Reads a dispute over a payment in the currency `paid_in`.
pub(super) fn dispute(object: &Object, paid_in: &str, past: &Past) -> Option<ObservedDispute> {
    let dispute = &object.payload;
    let provider_status = text(dispute, "status")?;
    let status = match provider_status {
        "needs_response" => DisputeStatus::NeedsResponse,
        "under_review" => DisputeStatus::UnderReview,
        // An inquiry that was closed, or a dispute that was prevented, took nothing.
        "won" | "warning_closed" | "prevented" => DisputeStatus::Won,
        "lost" => DisputeStatus::Lost,
        _ => DisputeStatus::Warning,
    };
    let disputed_in = currency(dispute).unwrap_or_else(|| paid_in.to_owned());
    let amount_minor = amount(dispute, "amount", &disputed_in).filter(|amount| *amount > 0)?;
    let created_at = seconds(at(dispute, "created"))?;
    let is_closed = matches!(status, DisputeStatus::Won | DisputeStatus::Lost);
    let closed_at = past.first(&object.external_id, "charge.dispute.closed");
    Some(ObservedDispute {
        external_id: object.external_id.clone(),
        charge_external_id: object.references.charge.clone(),
        status,
        provider_status: provider_status.to_owned(),
        amount_minor,
        lost_minor: lost(dispute, status, Some(amount_minor).filter(|_| disputed_in == paid_in), paid_in),
        currency: disputed_in,
        reason: text(dispute, "reason").map(str::to_owned),
        created_at,
        closed_at: is_closed.then(|| closed_at.or_else(|| last_movement(dispute)).unwrap_or(created_at)),
    })
}

/// Returns the part of the payment that was lost with a dispute, in the currency of the payment: what Stripe withdrew
/// and did not reinstate, else the disputed amount, `None` where it is in another currency. `None` where neither is
/// known.
fn lost(dispute: &Value, status: DisputeStatus, disputed_minor: Option<i64>, paid_in: &str) -> Option<i64> {
    let movements = list(dispute, "balance_transactions").iter();
    let movements = movements.filter(|movement| currency(movement).as_deref() == Some(paid_in));
    let moved: Vec<i64> = movements.filter_map(|movement| own_amount(movement, "amount")).collect();
    let withdrawn = moved.iter().fold(0_i64, |sum, amount| sum.saturating_sub(*amount)).max(0);
    match status {
        DisputeStatus::Lost if !moved.is_empty() => Some(withdrawn),
        DisputeStatus::Lost => disputed_minor,
        // Stripe reinstates the money of a dispute that was won, but not always all of it.
        DisputeStatus::Won if moved.iter().any(|amount| *amount > 0) => Some(withdrawn),
        _ => Some(0),
    }
}

/// Returns the time of the last movement of money for a dispute.
fn last_movement(dispute: &Value) -> Option<DateTime<Utc>> {
    list(dispute, "balance_transactions").iter().filter_map(|movement| seconds(at(movement, "created"))).max()
}
