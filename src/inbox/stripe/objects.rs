//! The facts that are read of every kind of Stripe's objects: references, owner, progress.

use super::fields::id;
use crate::inbox::json::{at, seconds, text};
use crate::inbox::kinds::ObjectKind;
use crate::inbox::object::{Object, References};
use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

/// The types of events that contain nothing but the deletion of an object.
pub(in crate::inbox) const BARE_DELETIONS: [&str; 4] =
    ["customer.deleted", "product.deleted", "price.deleted", "coupon.deleted"];

/// The types of events that tell when something happened that the objects do not date.
pub(in crate::inbox) const TELLING_EVENTS: [&str; 6] = [
    "charge.captured",
    "charge.succeeded",
    "charge.dispute.closed",
    "invoice.paid",
    "invoice.payment_succeeded",
    "payment_intent.succeeded",
];

/// Returns true for a type of event that reports a deletion.
pub(in crate::inbox) fn is_deletion(event_type: &str) -> bool {
    BARE_DELETIONS.contains(&event_type) || event_type == "customer.discount.deleted"
}

/// Returns the references of an object.
pub(in crate::inbox) fn references(kind: ObjectKind, object: &Value) -> References {
    let (own, named) = (|| id(at(object, "id")), |path| id(at(object, path)));
    let mut references = References {
        customer: named("customer"),
        subscription: named("subscription").or_else(|| named("parent.subscription_details.subscription")),
        invoice: named("invoice"),
        payment: named("payment_intent").or_else(|| named("payment.payment_intent")),
        charge: named("charge"),
        product: named("product").filter(|_| kind == ObjectKind::Price),
        promotion_code: named("promotion_code").filter(|_| kind == ObjectKind::Discount),
    };
    match kind {
        ObjectKind::Customer => references.customer = own(),
        ObjectKind::Subscription => references.subscription = own(),
        ObjectKind::Invoice => references.invoice = own(),
        ObjectKind::PaymentIntent => references.payment = own(),
        ObjectKind::Charge => {
            references.charge = own();
            // Charges without an intent are payments by themselves.
            references.payment = references.payment.or_else(own);
        }
        _ => {}
    }
    references
}

/// Returns the account that an object names.
pub(in crate::inbox) fn account(object: &Value) -> Option<Uuid> {
    let named = ["metadata.tollgate_account", "parent.subscription_details.metadata.tollgate_account"];
    named.into_iter().find_map(|path| Uuid::try_parse(text(object, path)?).ok())
}

/// Returns the user of the host application whom an object names in its metadata, which needs a secret key to write.
pub(in crate::inbox) fn user(object: &Value) -> Option<&str> {
    let named =
        ["metadata.user_id", "parent.subscription_details.metadata.user_id", "subscription_details.metadata.user_id"];
    named.into_iter().find_map(|path| text(object, path))
}

/// Returns the `client_reference_id` of a session: the address of a payment link or the markup of a pricing table sets it,
/// so the buyer can choose it.
pub(in crate::inbox) fn claim(object: &Object) -> Option<&str> {
    text(&object.payload, "client_reference_id").filter(|_| object.kind == ObjectKind::CheckoutSession)
}

/// Returns the time of creation.
pub(in crate::inbox) fn created_at(object: &Object) -> DateTime<Utc> {
    seconds(at(&object.payload, "created")).unwrap_or(object.occurred_at)
}

/// Returns the gift that a checkout session sells or that a subscription was redeemed for.
pub(in crate::inbox) fn gift(object: &Object) -> Option<Uuid> {
    if !matches!(object.kind, ObjectKind::CheckoutSession | ObjectKind::Subscription) {
        return None;
    }
    Uuid::try_parse(text(&object.payload, "metadata.gift")?).ok()
}

/// Returns true for a checkout session that ended without a purchase.
pub(in crate::inbox) fn is_expired(session: &Object) -> bool {
    text(&session.payload, "status") == Some("expired")
}

/// Ranks the state of an object by how near it is to the end of the object's life.
pub(in crate::inbox) fn progress(kind: ObjectKind, object: &Value) -> u8 {
    let status = text(object, "status").unwrap_or_default();
    match (kind, status) {
        (ObjectKind::Subscription, "incomplete") => 0,
        (ObjectKind::Subscription, "canceled" | "incomplete_expired") => 3,
        (ObjectKind::Invoice, "draft") => 0,
        (ObjectKind::Invoice, "open") => 1,
        (ObjectKind::Invoice, "uncollectible") => 2,
        (ObjectKind::Invoice, _) => 3,
        (ObjectKind::PaymentIntent, "processing" | "requires_capture") => 1,
        (ObjectKind::PaymentIntent, "succeeded" | "canceled") => 3,
        (ObjectKind::Charge, "pending") => 0,
        (ObjectKind::Charge, _) if at(object, "refunded") == &Value::Bool(true) => 3,
        (ObjectKind::Charge, _) => 1 + u8::from(at(object, "amount_refunded").as_i64() > Some(0)),
        (ObjectKind::Refund, "succeeded") => 2,
        (ObjectKind::Refund, "failed" | "canceled") => 3,
        (ObjectKind::Dispute, "under_review" | "warning_under_review") => 1,
        (ObjectKind::Dispute, "won" | "lost" | "warning_closed" | "prevented") => 3,
        (ObjectKind::CheckoutSession, "complete") => 1 + u8::from(text(object, "payment_status") != Some("unpaid")),
        (ObjectKind::CheckoutSession, "expired") => 2,
        (ObjectKind::SubscriptionSchedule, "completed" | "released" | "canceled") => 3,
        (ObjectKind::Subscription | ObjectKind::SubscriptionSchedule | ObjectKind::InvoicePayment, _) => 1,
        _ => 0,
    }
}
