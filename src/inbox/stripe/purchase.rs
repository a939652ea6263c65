//! Reads credits that were bought.

use super::fields::own_amount;
use super::payment::buys_credits;
use crate::credits::ObservedPurchase;
use crate::inbox::json::{at, minor, seconds, text};
use crate::inbox::object::Object;
use crate::payments::{ObservedPayment, PaymentStatus};
use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

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
        let is_purchase = text(payload, "mode") == Some("payment");
        // Nothing tells of a session whose payment is captured later; its payment does.
        let is_received = paid.is_some_and(|(_, payment)| payment.status == PaymentStatus::Succeeded);
        let is_fulfilled = is_fulfilled(payload) || is_received && text(payload, "status") == Some("complete");
        (is_purchase && is_fulfilled, "metadata.credits", "amount_total")
    };
    let credits = minor(at(payload, credits)).filter(|credits| *credits > 0 && is_paid)?;
    let asked = own_amount(payload, amount).unwrap_or(0).max(0);
    let paid_at: Option<DateTime<Utc>> = paid.and_then(|(_, payment)| payment.paid_at);
    Some(ObservedPurchase {
        business_key: format!("stripe:{}", bought.external_id),
        unit: text(payload, "metadata.credit_unit").unwrap_or(unit).to_owned(),
        credits,
        amount_minor: paid.map_or(asked, |(_, payment)| payment.amount_minor),
        returned_minor: paid.map_or(0, |(_, payment)| payment.known_returned_minor()),
        payment_id: paid.map(|(id, _)| id),
        paid_at: paid_at.or_else(|| seconds(at(payload, "created"))).unwrap_or(bought.occurred_at),
    })
}

/// Returns true for a Checkout session whose goods are due to the customer: it is paid, or complete and free.
fn is_fulfilled(session: &Value) -> bool {
    text(session, "payment_status") == Some("paid") || is_free(session)
}

/// Returns true for a Checkout session that was completed and needed no payment.
fn is_free(session: &Value) -> bool {
    text(session, "status") == Some("complete") && text(session, "payment_status") == Some("no_payment_required")
}

/// Returns the time of a Checkout session that was completed and needed no payment; `None` for others.
pub(in crate::inbox) fn free_since(session: &Object) -> Option<DateTime<Utc>> {
    is_free(&session.payload).then(|| seconds(at(&session.payload, "created")).unwrap_or(session.occurred_at))
}
