//! Reads transactions. Each is both an invoice and the payment of it, under one id.

use super::adjustments::{Paid, disputes, given_back, is_disputed, refunds};
use super::fields::{PADDLE, created_at, currency, natural, span, updated_at};
use super::lines::{Line, lines};
use super::offer::Kind;
use crate::inbox::json::{at, instant, list, minor, text};
use crate::inbox::object::Object;
use crate::payments::{InvoiceStatus, ObservedInvoice, ObservedPayment, PaymentStatus, RevenueStream};
use chrono::{DateTime, Datelike, Days, Months, Utc};
use serde_json::Value;

/// The totals of a transaction, tax included, in minor units.
struct Totals {
    currency: String,
    discount: i64,
    tax: i64,
    total: i64,
    /// The total less the amount paid from the customer's credit balance.
    due: i64,
    /// The amount received.
    received: i64,
}

/// Reads a transaction as an invoice; `None` without an amount, or for an unknown status.
pub(in crate::inbox) fn invoice(transaction: &Object) -> Option<ObservedInvoice> {
    let payload = &transaction.payload;
    let status = match text(payload, "status")? {
        "draft" => InvoiceStatus::Draft,
        "ready" | "billed" | "past_due" => InvoiceStatus::Open,
        "paid" | "completed" => InvoiceStatus::Paid,
        "canceled" => InvoiceStatus::Void,
        _ => return None,
    };
    let Totals { currency, discount, tax, total, due, received } = totals(payload)?;
    Some(ObservedInvoice {
        provider: PADDLE,
        external_id: transaction.external_id.clone(),
        customer_external_id: text(payload, "customer_id").map(str::to_owned),
        subscription_external_id: text(payload, "subscription_id").map(str::to_owned),
        payment_external_id: is_payment(payload).then(|| transaction.external_id.clone()),
        number: text(payload, "invoice_number").map(str::to_owned),
        status,
        billing_reason: text(payload, "origin").map(str::to_owned),
        currency,
        // Derived from the other three, so that the four add up whatever was sent.
        subtotal_minor: total.checked_add(discount)?.checked_sub(tax)?,
        discount_minor: discount,
        tax_minor: tax,
        total_minor: total,
        due_minor: due,
        paid_minor: received,
        attempt_count: i64::try_from(list(payload, "payments").len()).unwrap_or(i64::MAX),
        period: span(at(payload, "billing_period")),
        due_at: due_at(payload),
        paid_at: (status == InvoiceStatus::Paid).then(|| paid_at(transaction)),
        hosted_url: text(payload, "checkout.url").map(str::to_owned),
        created_at: created_at(transaction),
    })
}

/// Reads a transaction as a payment, with the refunds and disputes among its adjustments.
///
/// `None` where nothing has to be paid, and for a transaction that was neither billed nor attempted: a draft, or a
/// checkout that nobody has paid at. An amount paid from a credit balance is no payment. Until Paddle says `paid`, the
/// payment has failed where the newest attempt has, though Paddle may try again.
pub(in crate::inbox) fn payment(transaction: &Object, adjustments: &[&Object]) -> Option<ObservedPayment> {
    let payload = &transaction.payload;
    if !is_payment(payload) {
        return None;
    }
    let Totals { currency, due, total, received, .. } = totals(payload)?;
    let provider_status = text(payload, "status")?;
    let attempts = list(payload, "payments");
    let failed = attempts.iter().filter(|attempt| text(attempt, "status") == Some("error"));
    let newest = latest(attempts.iter(), "created_at");
    let status = match provider_status {
        "paid" | "completed" => PaymentStatus::Succeeded,
        "canceled" => PaymentStatus::Canceled,
        "draft" | "ready" | "billed" | "past_due" => {
            let failed = newest.is_some_and(|attempt| text(attempt, "status") == Some("error"));
            if failed { PaymentStatus::Failed } else { PaymentStatus::Pending }
        }
        _ => return None,
    };
    let succeeded = status == PaymentStatus::Succeeded;
    let charge = captured(payload).or(newest).and_then(|attempt| text(attempt, "payment_attempt_id"));
    let failure = latest(failed.clone(), "created_at").and_then(|attempt| text(attempt, "error_code"));
    // Credits are left out: they lower the debt or go to a balance, and no money returns. So are chargebacks, which
    // count as disputes.
    let paid = Paid { total_minor: total, currency: &currency };
    let part = |adjustment: &Value| paid.part_of(adjustment).unwrap_or(0);
    let refunded = given_back(adjustments, &["refund"], part).clamp(0, due);
    let lines = lines(payload);
    Some(ObservedPayment {
        provider: PADDLE,
        external_id: transaction.external_id.clone(),
        customer_external_id: text(payload, "customer_id").map(str::to_owned),
        charge_external_id: charge.map(str::to_owned),
        invoice_external_id: Some(transaction.external_id.clone()),
        subscription_external_id: text(payload, "subscription_id").map(str::to_owned),
        stream: stream(payload, &lines),
        status,
        provider_status: Some(provider_status.to_owned()),
        amount_minor: due,
        received_minor: received,
        refunded_minor: if succeeded { refunded } else { 0 },
        fee_minor: natural(at(payload, "details.totals.fee")),
        disputed: is_disputed(adjustments),
        failed_attempts: i64::try_from(failed.count()).unwrap_or(i64::MAX),
        failure_code: failure.filter(|_| !succeeded).map(str::to_owned),
        description: description(&lines),
        paid_at: succeeded.then(|| paid_at(transaction)),
        created_at: created_at(transaction),
        refunds: refunds(adjustments, charge, &currency),
        disputes: disputes(adjustments, charge, paid),
        currency,
    })
}

/// Returns true where money has to be paid, and somebody was asked for it.
fn is_payment(payload: &Value) -> bool {
    let asked = instant(at(payload, "billed_at")).is_some()
        || !list(payload, "payments").is_empty()
        || text(payload, "status").is_some_and(|status| !["draft", "ready", "canceled"].contains(&status));
    asked && totals(payload).is_some_and(|totals| totals.due > 0)
}

/// Returns true where Paddle says that everything is paid.
pub(super) fn is_paid(payload: &Value) -> bool {
    text(payload, "status").is_some_and(|status| ["paid", "completed"].contains(&status))
}

/// Returns the time of payment: of the capture, else the next best time that Paddle sends.
pub(super) fn paid_at(transaction: &Object) -> DateTime<Utc> {
    let captured = captured(&transaction.payload).and_then(|attempt| instant(at(attempt, "captured_at")));
    captured.or_else(|| instant(at(&transaction.payload, "billed_at"))).unwrap_or_else(|| updated_at(transaction))
}

fn totals(payload: &Value) -> Option<Totals> {
    let totals = at(payload, "details.totals");
    let amount = |name| natural(at(totals, name));
    let total = amount("total").or_else(|| amount("grand_total"))?;
    let due = amount("grand_total").unwrap_or(total);
    let captured = list(payload, "payments").iter().filter(|attempt| text(attempt, "status") == Some("captured"));
    let captured = captured.filter_map(|attempt| natural(at(attempt, "amount"))).fold(0, i64::saturating_add);
    // Invoices that are paid by bank transfer have no attempts.
    let received = match captured {
        0 if is_paid(payload) => due.saturating_sub(amount("balance").unwrap_or(0)).max(0),
        captured => captured,
    };
    Some(Totals {
        currency: currency(totals, "currency_code").or_else(|| currency(payload, "currency_code"))?,
        discount: amount("discount").unwrap_or(0),
        tax: amount("tax").unwrap_or(0),
        total,
        due,
        received,
    })
}

/// Returns the newest attempt by the time at `path`; Paddle lists the newest first.
fn latest<'a>(attempts: impl DoubleEndedIterator<Item = &'a Value>, path: &str) -> Option<&'a Value> {
    attempts.rev().max_by_key(|attempt| instant(at(attempt, path)))
}

fn captured(payload: &Value) -> Option<&Value> {
    let attempts = list(payload, "payments").iter();
    latest(attempts.filter(|attempt| text(attempt, "status") == Some("captured")), "captured_at")
}

/// Returns the due date of an invoice that is sent; invoices that are collected automatically have none.
fn due_at(payload: &Value) -> Option<DateTime<Utc>> {
    let billed_at = instant(at(payload, "billed_at")).filter(|_| text(payload, "collection_mode") == Some("manual"))?;
    let terms = at(payload, "billing_details.payment_terms");
    let frequency = u32::try_from(minor(at(terms, "frequency"))?).ok()?;
    let due_at = match text(terms, "interval")? {
        "day" => billed_at.checked_add_days(Days::new(frequency.into())),
        "week" => billed_at.checked_add_days(Days::new(u64::from(frequency) * 7)),
        "month" => billed_at.checked_add_months(Months::new(frequency)),
        "year" => billed_at.checked_add_months(Months::new(frequency.checked_mul(12)?)),
        _ => None,
    };
    due_at.filter(|due_at| due_at.year() <= 9999)
}

/// Returns the stream of revenue: the goods of all lines, else the subscription.
fn stream(payload: &Value, lines: &[Line<'_>]) -> RevenueStream {
    let all = |kind| !lines.is_empty() && lines.iter().all(|line| line.offer.kind() == Some(kind));
    let recurs =
        |line: &Line<'_>| line.offer.kind() == Some(Kind::Plan) || at(line.offer.price, "billing_cycle").is_object();
    if all(Kind::CreditPack) {
        RevenueStream::Credits
    } else if all(Kind::Addon) {
        RevenueStream::Addon
    } else if all(Kind::Licence) {
        RevenueStream::Other
    } else if text(payload, "subscription_id").is_some() || lines.iter().any(recurs) {
        RevenueStream::Subscription
    } else {
        RevenueStream::Other
    }
}

/// Returns the names of the goods.
fn description(lines: &[Line<'_>]) -> Option<String> {
    let mut names: Vec<&str> = Vec::new();
    for name in lines.iter().filter_map(|line| line.offer.name()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    (!names.is_empty()).then(|| names.join(", "))
}
