//! Reads payments with their charges.

use super::disputes::dispute;
use super::fields::{amount, currency, is_captured};
use super::refunds::Refunds;
use crate::inbox::json::{at, minor, seconds, text};
use crate::inbox::kinds::ObjectKind;
use crate::inbox::object::Object;
use crate::inbox::past::Past;
use crate::payments::{ObservedPayment, PaymentStatus, RevenueStream};
use chrono::{DateTime, TimeDelta, Utc};

/// The maximum time between the creation of a charge and the event of its success, for a charge that succeeded at once.
const AT_ONCE: TimeDelta = TimeDelta::minutes(1);

/// Reads a payment from all objects that refer to it; `None` while neither its intent nor a charge of it is known.
///
/// An authorisation is no payment: what counts is the captured amount, from the time of the capture on.
pub(in crate::inbox) fn payment(external_id: &str, related: &[Object], past: &Past) -> Option<ObservedPayment> {
    let of_kind = |kind: ObjectKind| related.iter().filter(move |object| object.kind == kind);
    let intent = of_kind(ObjectKind::PaymentIntent).next();
    let charge = charge(intent, related);
    let main = intent.or(charge)?;
    let currency = currency(&main.payload)?;
    let amounts =
        [intent, charge].into_iter().flatten().filter_map(|object| amount(&object.payload, "amount", &currency));
    let asked_minor = amounts.filter(|amount| *amount >= 0).max()?;
    let received_minor = received(intent, charge, &currency);
    let status = status(intent, charge, received_minor);
    let succeeded = status == PaymentStatus::Succeeded;
    let created_at = seconds(at(&main.payload, "created"))?;
    let failure = |path: &str| text(&main.payload, path).or_else(|| text(&charge?.payload, path));
    let failure = ["last_payment_error.decline_code", "last_payment_error.code", "failure_code"]
        .into_iter()
        .find_map(failure)
        .filter(|_| !succeeded);
    let refunds = if succeeded { Refunds::read(charge, related, received_minor) } else { Refunds::default() };
    let disputes: Vec<_> = of_kind(ObjectKind::Dispute).filter_map(|object| dispute(object, &currency, past)).collect();
    Some(ObservedPayment {
        provider: "stripe",
        external_id: external_id.to_owned(),
        customer_external_id: related.iter().find_map(|object| object.references.customer.clone()),
        charge_external_id: text(&main.payload, "latest_charge")
            .or_else(|| charge.map(|charge| charge.external_id.as_str()))
            .filter(|_| succeeded)
            .map(str::to_owned),
        invoice_external_id: related.iter().find_map(|object| object.references.invoice.clone()),
        subscription_external_id: related.iter().find_map(|object| object.references.subscription.clone()),
        stream: stream(related),
        status,
        provider_status: text(&main.payload, "status").map(str::to_owned),
        amount_minor: if succeeded { received_minor } else { asked_minor },
        received_minor,
        refunded_minor: refunds.sum(charge, &currency, past),
        fee_minor: None,
        disputed: !disputes.is_empty() || charge.is_some_and(|charge| charge.payload["disputed"] == true),
        failed_attempts: count(
            of_kind(ObjectKind::Charge).filter(|charge| text(&charge.payload, "status") == Some("failed")),
        ),
        failure_code: failure.map(str::to_owned),
        description: text(&main.payload, "description").map(str::to_owned),
        paid_at: succeeded.then(|| paid_at(intent, charge, past).unwrap_or(created_at)),
        created_at,
        refunds: refunds.observed(&currency),
        disputes,
        currency,
    })
}

/// Returns the charge that counts: the one that was captured, else the one that succeeded, else the one that the intent
/// names, else the last.
fn charge<'a>(intent: Option<&Object>, related: &'a [Object]) -> Option<&'a Object> {
    let latest = intent.and_then(|intent| text(&intent.payload, "latest_charge"));
    let rank = |charge: &&Object| {
        let succeeded = text(&charge.payload, "status") == Some("succeeded");
        let named = Some(charge.external_id.as_str()) == latest;
        let created = minor(at(&charge.payload, "created"));
        (succeeded && is_captured(charge), succeeded, named, created, charge.external_id.clone())
    };
    related.iter().filter(|object| object.kind == ObjectKind::Charge).max_by_key(rank)
}

/// Returns the amount received: the captured part of the charge, or that of the intent where it shows more.
fn received(intent: Option<&Object>, charge: Option<&Object>, currency: &str) -> i64 {
    let either = |object: &Object, names: [&str; 2]| {
        names.into_iter().filter_map(|name| amount(&object.payload, name, currency)).find(|amount| *amount > 0)
    };
    let of_charge = charge
        .filter(|charge| text(&charge.payload, "status") == Some("succeeded") && is_captured(charge))
        .and_then(|charge| either(charge, ["amount_captured", "amount"]));
    let of_intent = intent.and_then(|intent| match text(&intent.payload, "status") {
        Some("succeeded") => either(intent, ["amount_received", "amount"]),
        // Of several captures, the first may have been made.
        _ => amount(&intent.payload, "amount_received", currency),
    });
    of_charge.max(of_intent).unwrap_or(0).max(0)
}

fn status(intent: Option<&Object>, charge: Option<&Object>, received_minor: i64) -> PaymentStatus {
    let of = |object: Option<&Object>| object.and_then(|object| text(&object.payload, "status").map(str::to_owned));
    match (of(intent).as_deref(), of(charge).as_deref()) {
        _ if received_minor > 0 => PaymentStatus::Succeeded,
        (Some("canceled"), _) => PaymentStatus::Canceled,
        // An authorisation that was voided or has expired is shown as refunded.
        (None, Some("succeeded")) if charge.is_some_and(|charge| charge.payload["refunded"] == true) => {
            PaymentStatus::Canceled
        }
        (None, Some("failed")) => PaymentStatus::Failed,
        (Some("requires_payment_method"), _) if intent.is_some_and(has_failed) => PaymentStatus::Failed,
        _ => PaymentStatus::Pending,
    }
}

fn has_failed(intent: &Object) -> bool {
    !at(&intent.payload, "last_payment_error").is_null()
}

/// Returns the time at which the money was received: that of the capture, or of the success of a charge that was
/// pending before. Only Stripe's own events tell; the time at which an object was fetched says nothing.
fn paid_at(intent: Option<&Object>, charge: Option<&Object>, past: &Past) -> Option<DateTime<Utc>> {
    let first = |object: Option<&Object>, event_type: &str| past.first(&object?.external_id, event_type);
    let charged_at = charge.and_then(|charge| seconds(at(&charge.payload, "created")));
    let settled_at = first(intent, "payment_intent.succeeded");
    if let Some(captured_at) = first(charge, "charge.captured") {
        return Some(captured_at);
    }
    if intent.is_some_and(is_captured_later) {
        return settled_at.or(charged_at);
    }
    let succeeded_at = first(charge, "charge.succeeded").or(settled_at);
    match (succeeded_at, charged_at) {
        (Some(succeeded_at), Some(charged_at)) if succeeded_at - charged_at <= AT_ONCE => Some(charged_at),
        (succeeded_at, charged_at) => succeeded_at.or(charged_at),
    }
}

fn is_captured_later(intent: &Object) -> bool {
    let is_manual = |path: &str| text(&intent.payload, path) == Some("manual");
    is_manual("capture_method") || is_manual("payment_method_options.card.capture_method")
}

/// Returns the stream of revenue. An invoice alone says nothing of it: only a subscription that is named does.
fn stream(related: &[Object]) -> RevenueStream {
    // Both the session and its intent name the goods; either may be here first.
    let selling =
        related.iter().filter(|object| [ObjectKind::CheckoutSession, ObjectKind::PaymentIntent].contains(&object.kind));
    let noted = |name: &str| selling.clone().any(|object| text(&object.payload, name).is_some());
    if related.iter().any(buys_credits) {
        return RevenueStream::Credits;
    }
    if related.iter().any(|object| object.references.subscription.is_some()) {
        RevenueStream::Subscription
    } else if noted("metadata.credits") {
        RevenueStream::Credits
    } else if noted("metadata.addon") {
        RevenueStream::Addon
    } else if noted("metadata.gift") {
        RevenueStream::Gift
    } else {
        RevenueStream::Other
    }
}

fn count<T>(items: impl Iterator<Item = T>) -> i64 {
    i64::try_from(items.count()).unwrap_or(i64::MAX)
}

/// Returns true for a payment that buys credits without a session.
pub(in crate::inbox) fn buys_credits(object: &Object) -> bool {
    object.kind == ObjectKind::PaymentIntent && !at(&object.payload, "metadata.tollgate_credits").is_null()
}
