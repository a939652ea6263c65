//! Reads the refunds of a payment.

use super::fields::{amount, currency, id, is_captured, own_amount};
use super::objects::progress;
use crate::inbox::json::{at, list, seconds, text};
use crate::inbox::kinds::ObjectKind;
use crate::inbox::object::Object;
use crate::inbox::past::Past;
use crate::payments::{ObservedRefund, RefundStatus};
use serde_json::Value;
use std::collections::BTreeMap;
use uuid::Uuid;

/// The reasons of refunds by which Stripe releases an authorisation: no money was received, and none is returned.
const RELEASES: [&str; 2] = ["expired_uncaptured_charge", "partial_capture"];

/// The refunds of a payment by id, in their newest state.
#[derive(Debug, Default)]
pub(super) struct Refunds(BTreeMap<String, Refund>);

/// A refund, and the charge that it returns money of.
#[derive(Debug, Clone)]
struct Refund {
    payload: Value,
    charge: Option<String>,
}

impl Refunds {
    /// Reads the refunds of a payment of which `received_minor` was received by `charge`: the objects, and before
    /// 2022-11-15 those inside the charges. Of several versions the one nearer to the end of its life is the newest.
    pub(super) fn read(charge: Option<&Object>, related: &[Object], received_minor: i64) -> Refunds {
        let mut refunds = BTreeMap::<String, Refund>::new();
        let charges = related.iter().filter(|object| object.kind == ObjectKind::Charge);
        let inside = charges.clone().flat_map(|charge| {
            let refunds = list(&charge.payload, "refunds.data").iter();
            refunds.map(|refund| Refund { payload: refund.clone(), charge: Some(charge.external_id.clone()) })
        });
        let objects = related.iter().filter(|object| object.kind == ObjectKind::Refund);
        let objects =
            objects.map(|object| Refund { payload: object.payload.clone(), charge: object.references.charge.clone() });
        let rank = |refund: &Refund| progress(ObjectKind::Refund, &refund.payload);
        for refund in inside.chain(objects) {
            let Some(id) = id(&refund.payload) else { continue };
            if refunds.get(&id).is_none_or(|known| rank(known) <= rank(&refund)) {
                refunds.insert(id, refund);
            }
        }
        // An authorisation that was voided, or its part that was not captured, is shown as refunded.
        let voided: Vec<_> = charges.filter(|charge| !is_captured(charge)).map(|charge| &charge.external_id).collect();
        refunds.retain(|_, refund| {
            let is_release = text(&refund.payload, "reason").is_some_and(|reason| RELEASES.contains(&reason));
            !is_release && refund.charge.as_ref().is_none_or(|charge| !voided.contains(&charge))
        });
        let mut refunds = Refunds(refunds);
        let released = charge.map_or(0, |charge| released(&charge.payload));
        let live = charge.and_then(|charge| currency(&charge.payload)).map_or(0, |of| refunds.total(&of, false));
        if released > 0 && live > received_minor {
            let of_release = |refund: &Refund| own_amount(&refund.payload, "amount") == Some(released);
            let found = refunds.0.iter().find(|(_, refund)| of_release(refund)).map(|(id, _)| id.clone());
            found.and_then(|id| refunds.0.remove(&id));
        }
        refunds
    }

    /// Returns the amount refunded in the currency of the payment: the sum of the refunds that did not fail.
    ///
    /// The figure of the charge counts as far as it shows refunds that are not here: it holds those that failed until
    /// Stripe has taken them off, by which it was once larger than now.
    pub(super) fn sum(&self, charge: Option<&Object>, currency: &str, past: &Past) -> i64 {
        let live = self.total(currency, false);
        let Some(charge) = charge else { return live };
        let Some(figure) = amount(&charge.payload, "amount_refunded", currency) else { return live };
        let taken_off = past.most_refunded(currency).saturating_sub(figure).max(0);
        let stale = self.total(currency, true).saturating_sub(taken_off).max(0);
        let released = released(&charge.payload);
        let figure = if figure >= released { figure - released } else { figure };
        live.max(figure.saturating_sub(stale)).max(0)
    }

    /// Returns the refunds of a payment in the currency `paid_in`.
    pub(super) fn observed(&self, paid_in: &str) -> Vec<ObservedRefund> {
        self.0.iter().filter_map(|(id, refund)| observed(id, refund, paid_in)).collect()
    }

    /// Sums the refunds in a currency that failed, or that did not.
    fn total(&self, of: &str, failed: bool) -> i64 {
        let these = self.0.values().filter(|refund| has_failed(&refund.payload) == failed);
        let these = these.filter(|refund| currency(&refund.payload).is_none_or(|currency| currency == of));
        let amounts = these.filter_map(|refund| amount(&refund.payload, "amount", of));
        amounts.filter(|amount| *amount > 0).fold(0, i64::saturating_add)
    }
}

/// Returns true for a refund that returned nothing in the end.
pub(in crate::inbox) fn has_failed(refund: &Value) -> bool {
    matches!(text(refund, "status"), Some("failed" | "canceled"))
}

/// Returns the authorised part of a captured charge that was released.
fn released(charge: &Value) -> i64 {
    let (asked, captured) = (own_amount(charge, "amount"), own_amount(charge, "amount_captured"));
    let part = asked.zip(captured.filter(|captured| *captured > 0)).map(|(asked, captured)| asked - captured);
    part.unwrap_or(0).max(0)
}

fn observed(external_id: &str, Refund { payload, charge }: &Refund, paid_in: &str) -> Option<ObservedRefund> {
    let currency = currency(payload).unwrap_or_else(|| paid_in.to_owned());
    let provider_status = text(payload, "status").unwrap_or("pending");
    let status = match provider_status {
        "succeeded" => RefundStatus::Processed,
        "failed" | "canceled" => RefundStatus::Failed,
        _ => RefundStatus::Approved,
    };
    let created_at = seconds(at(payload, "created"))?;
    Some(ObservedRefund {
        external_id: external_id.to_owned(),
        charge_external_id: charge.clone(),
        refund_id: text(payload, "metadata.tollgate_refund").and_then(|id| Uuid::try_parse(id).ok()),
        status,
        provider_status: provider_status.to_owned(),
        amount_minor: amount(payload, "amount", &currency).filter(|amount| *amount > 0)?,
        currency,
        reason: text(payload, "reason").map(str::to_owned),
        created_at,
        // Stripe does not say when; for the customer the creation counts.
        processed_at: (status == RefundStatus::Processed).then_some(created_at),
        failure_code: text(payload, "failure_reason").map(str::to_owned),
    })
}
