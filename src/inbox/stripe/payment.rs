//! Reads payments with their charges, refunds and disputes, and credits that were bought.

use super::fields::currency;
use crate::credits::ObservedPurchase;
use crate::inbox::json::{at, minor, seconds, text};
use crate::inbox::kinds::ObjectKind;
use crate::inbox::object::Object;
use crate::payments::{
    DisputeStatus, ObservedDispute, ObservedPayment, ObservedRefund, PaymentStatus, RefundStatus, RevenueStream,
};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Reads a payment from all objects that refer to it; `None` while neither its intent nor a charge of it is known.
pub(in crate::inbox) fn payment(external_id: &str, related: &[Object]) -> Option<ObservedPayment> {
    let of_kind = |kind: ObjectKind| related.iter().filter(move |object| object.kind == kind);
    let intent = of_kind(ObjectKind::PaymentIntent).next();
    let charge = charge(intent, related);
    let main = intent.or(charge)?;
    let status = status(intent, charge);
    let first_of = |name: &'static str| {
        let values = [intent, charge].into_iter().flatten().filter_map(move |object| minor(at(&object.payload, name)));
        values.filter(|amount| *amount >= 0).max()
    };
    let amount_minor = first_of("amount")?;
    let received = if intent.is_some() { "amount_received" } else { "amount_captured" };
    let created_at = seconds(at(&main.payload, "created"))?;
    let charged_at = charge.and_then(|charge| seconds(at(&charge.payload, "created")));
    let failure = |path: &str| text(&main.payload, path).or_else(|| text(&charge?.payload, path));
    let failure = ["last_payment_error.decline_code", "last_payment_error.code", "failure_code"]
        .into_iter()
        .find_map(failure)
        .filter(|_| status != PaymentStatus::Succeeded);
    let refunds: Vec<_> = of_kind(ObjectKind::Refund).filter_map(refund).collect();
    let disputes: Vec<_> = of_kind(ObjectKind::Dispute).filter_map(dispute).collect();
    Some(ObservedPayment {
        provider: "stripe",
        external_id: external_id.to_owned(),
        customer_external_id: related.iter().find_map(|object| object.references.customer.clone()),
        charge_external_id: text(&main.payload, "latest_charge")
            .or_else(|| charge.map(|charge| charge.external_id.as_str()))
            .filter(|_| status == PaymentStatus::Succeeded)
            .map(str::to_owned),
        invoice_external_id: related.iter().find_map(|object| object.references.invoice.clone()),
        subscription_external_id: related.iter().find_map(|object| object.references.subscription.clone()),
        stream: stream(related),
        status,
        provider_status: text(&main.payload, "status").map(str::to_owned),
        currency: currency(&main.payload)?,
        amount_minor,
        received_minor: if status == PaymentStatus::Succeeded { first_of(received).unwrap_or(amount_minor) } else { 0 },
        refunded_minor: if status == PaymentStatus::Succeeded { refunded(charge, related) } else { 0 },
        fee_minor: None,
        disputed: !disputes.is_empty() || charge.is_some_and(|charge| charge.payload["disputed"] == true),
        failed_attempts: count(
            of_kind(ObjectKind::Charge).filter(|charge| text(&charge.payload, "status") == Some("failed")),
        ),
        failure_code: failure.map(str::to_owned),
        description: text(&main.payload, "description").map(str::to_owned),
        paid_at: (status == PaymentStatus::Succeeded).then(|| charged_at.unwrap_or(created_at)),
        created_at,
        refunds,
        disputes,
    })
}

/// Returns the charge that counts: the one that the intent names, else the one that succeeded, else the last.
fn charge<'a>(intent: Option<&Object>, related: &'a [Object]) -> Option<&'a Object> {
    let latest = intent.and_then(|intent| text(&intent.payload, "latest_charge"));
    let rank = |charge: &&Object| {
        let succeeded = text(&charge.payload, "status") == Some("succeeded");
        let named = Some(charge.external_id.as_str()) == latest;
        (succeeded, named, minor(at(&charge.payload, "created")), charge.external_id.clone())
    };
    related.iter().filter(|object| object.kind == ObjectKind::Charge).max_by_key(rank)
}

fn status(intent: Option<&Object>, charge: Option<&Object>) -> PaymentStatus {
    let of = |object: Option<&Object>| object.and_then(|object| text(&object.payload, "status").map(str::to_owned));
    match (of(intent).as_deref(), of(charge).as_deref()) {
        (Some("succeeded"), _) | (None, Some("succeeded")) => PaymentStatus::Succeeded,
        (Some("canceled"), _) => PaymentStatus::Canceled,
        (None, Some("failed")) => PaymentStatus::Failed,
        (Some("requires_payment_method"), _) if intent.is_some_and(has_failed) => PaymentStatus::Failed,
        _ => PaymentStatus::Pending,
    }
}

fn has_failed(intent: &Object) -> bool {
    !at(&intent.payload, "last_payment_error").is_null()
}

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
        // Most invoices bill for subscriptions, and an intent without its invoice does not name the subscription.
        let billed = related.iter().any(|object| object.references.invoice.is_some());
        if billed { RevenueStream::Subscription } else { RevenueStream::Other }
    }
}

/// Returns the amount refunded: the charge's own figure, less the refunds that failed since.
fn refunded(charge: Option<&Object>, related: &[Object]) -> i64 {
    let refunds = || related.iter().filter(|object| object.kind == ObjectKind::Refund);
    let amount = |refund: &Object| minor(at(&refund.payload, "amount")).unwrap_or(0).max(0);
    let failed = |refund: &&Object| matches!(text(&refund.payload, "status"), Some("failed" | "canceled"));
    let figure = charge.and_then(|charge| Some((minor(at(&charge.payload, "amount_refunded"))?, charge.occurred_at)));
    match figure {
        Some((figure, at)) => {
            let since = refunds().filter(failed).filter(|refund| refund.occurred_at > at);
            (figure - since.map(amount).sum::<i64>()).max(0)
        }
        None => refunds().filter(|refund| !failed(refund)).map(amount).sum(),
    }
}

fn refund(object: &Object) -> Option<ObservedRefund> {
    let refund = &object.payload;
    let provider_status = text(refund, "status").unwrap_or("pending");
    let status = match provider_status {
        "succeeded" => RefundStatus::Processed,
        "failed" | "canceled" => RefundStatus::Failed,
        _ => RefundStatus::Approved,
    };
    let created_at = seconds(at(refund, "created"))?;
    Some(ObservedRefund {
        external_id: object.external_id.clone(),
        charge_external_id: object.references.charge.clone(),
        refund_id: text(refund, "metadata.tollgate_refund").and_then(|id| Uuid::try_parse(id).ok()),
        status,
        provider_status: provider_status.to_owned(),
        amount_minor: minor(at(refund, "amount")).filter(|amount| *amount > 0)?,
        reason: text(refund, "reason").map(str::to_owned),
        created_at,
        // Stripe does not say when; for the customer the creation counts.
        processed_at: (status == RefundStatus::Processed).then_some(created_at),
        failure_code: text(refund, "failure_reason").map(str::to_owned),
    })
}

fn dispute(object: &Object) -> Option<ObservedDispute> {
    let dispute = &object.payload;
    let provider_status = text(dispute, "status")?;
    let status = match provider_status {
        "needs_response" => DisputeStatus::NeedsResponse,
        "under_review" => DisputeStatus::UnderReview,
        "won" => DisputeStatus::Won,
        "lost" => DisputeStatus::Lost,
        _ => DisputeStatus::Warning,
    };
    Some(ObservedDispute {
        external_id: object.external_id.clone(),
        charge_external_id: object.references.charge.clone(),
        status,
        provider_status: provider_status.to_owned(),
        amount_minor: minor(at(dispute, "amount")).filter(|amount| *amount > 0)?,
        reason: text(dispute, "reason").map(str::to_owned),
        created_at: seconds(at(dispute, "created"))?,
        closed_at: matches!(status, DisputeStatus::Won | DisputeStatus::Lost).then_some(object.occurred_at),
    })
}

fn count<T>(items: impl Iterator<Item = T>) -> i64 {
    i64::try_from(items.count()).unwrap_or(i64::MAX)
}

/// Returns true for a payment that buys credits without a session.
pub(in crate::inbox) fn buys_credits(object: &Object) -> bool {
    object.kind == ObjectKind::PaymentIntent && !at(&object.payload, "metadata.tollgate_credits").is_null()
}

/// Reads credits that were bought and paid: in a Checkout session of mode `payment` with `credits` in its metadata, or
/// by a payment of ours with `tollgate_credits`. `paid` is our id of the payment and its newest state, where it is
/// here.
pub(in crate::inbox) fn purchase(
    bought: &Object,
    unit: &str,
    paid: Option<(Uuid, &ObservedPayment)>,
) -> Option<ObservedPurchase> {
    let payload = &bought.payload;
    let (is_paid, credits, amount) = if buys_credits(bought) {
        (text(payload, "status") == Some("succeeded"), "metadata.tollgate_credits", "amount")
    } else {
        let of_payment = text(payload, "mode") == Some("payment");
        (of_payment && text(payload, "payment_status") == Some("paid"), "metadata.credits", "amount_total")
    };
    let credits = minor(at(payload, credits)).filter(|credits| *credits > 0 && is_paid)?;
    let asked = minor(at(payload, amount)).unwrap_or(0).max(0);
    let lost = |dispute: &&ObservedDispute| dispute.status == DisputeStatus::Lost;
    let returned = |payment: &ObservedPayment| {
        payment.refunded_minor + payment.disputes.iter().filter(lost).map(|dispute| dispute.amount_minor).sum::<i64>()
    };
    let paid_at: Option<DateTime<Utc>> = paid.and_then(|(_, payment)| payment.paid_at);
    Some(ObservedPurchase {
        business_key: format!("stripe:{}", bought.external_id),
        unit: text(payload, "metadata.credit_unit").unwrap_or(unit).to_owned(),
        credits,
        amount_minor: paid.map_or(asked, |(_, payment)| payment.amount_minor),
        returned_minor: paid.map_or(0, |(_, payment)| returned(payment)),
        payment_id: paid.map(|(id, _)| id),
        paid_at: paid_at.or_else(|| seconds(at(payload, "created"))).unwrap_or(bought.occurred_at),
    })
}
