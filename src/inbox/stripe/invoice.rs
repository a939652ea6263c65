//! Reads invoices.

use super::fields::currency;
use crate::inbox::json::{at, list, minor, seconds, text};
use crate::inbox::object::Object;
use crate::payments::{InvoiceStatus, ObservedInvoice};
use chrono::{DateTime, Utc};
use serde_json::Value;

/// Reads an invoice; `payments` are the `invoice_payment`s that refer to it.
pub(in crate::inbox) fn invoice(object: &Object, payments: &[Object]) -> Option<ObservedInvoice> {
    let invoice = &object.payload;
    let amount = |name: &str| minor(at(invoice, name)).unwrap_or(0);
    let status = match text(invoice, "status") {
        Some("open") => InvoiceStatus::Open,
        Some("paid") => InvoiceStatus::Paid,
        Some("void") => InvoiceStatus::Void,
        Some("uncollectible") => InvoiceStatus::Uncollectible,
        _ => InvoiceStatus::Draft,
    };
    let discounts = list(invoice, "total_discount_amounts").iter();
    let discount_minor = discounts.filter_map(|discount| minor(&discount["amount"])).sum::<i64>().max(0);
    let (subtotal, total_minor) = (amount("subtotal"), amount("total"));
    // The part of the total that is neither subtotal nor discount; tax that prices include is in the subtotal.
    let tax_minor = (total_minor - subtotal + discount_minor).max(0);
    let of_default = |payment: &&Object| at(&payment.payload, "is_default") == &Value::Bool(true);
    let paying = payments.iter().find(of_default).or(payments.first());
    Some(ObservedInvoice {
        provider: "stripe",
        external_id: object.external_id.clone(),
        customer_external_id: object.references.customer.clone(),
        subscription_external_id: object.references.subscription.clone(),
        payment_external_id: object.references.payment.clone().or_else(|| paying?.references.payment.clone()),
        number: text(invoice, "number").map(str::to_owned),
        status,
        billing_reason: text(invoice, "billing_reason").map(str::to_owned),
        currency: currency(invoice)?,
        subtotal_minor: total_minor + discount_minor - tax_minor,
        discount_minor,
        tax_minor,
        total_minor,
        due_minor: amount("amount_due").max(0),
        paid_minor: amount("amount_paid").max(0),
        attempt_count: amount("attempt_count").max(0),
        period: period(invoice),
        due_at: seconds(at(invoice, "due_date")),
        paid_at: seconds(at(invoice, "status_transitions.paid_at")).filter(|_| status == InvoiceStatus::Paid),
        hosted_url: text(invoice, "hosted_invoice_url").map(str::to_owned),
        created_at: seconds(at(invoice, "created"))?,
    })
}

/// Reads the period that is billed: that of the last line, because earlier lines may be prorations of the past; the
/// invoice's own period is the one before.
fn period(invoice: &Value) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let lines = list(invoice, "lines.data");
    let bounds = |holder: &Value, start: &str, end: &str| {
        seconds(at(holder, start)).zip(seconds(at(holder, end))).filter(|(start, end)| start <= end)
    };
    let line = lines.last().and_then(|line| bounds(line, "period.start", "period.end"));
    line.or_else(|| bounds(invoice, "period_start", "period_end"))
}
