//! Reads invoices.

use super::fields::{amount, currency, id};
use crate::inbox::json::{at, list, minor, seconds, text};
use crate::inbox::object::Object;
use crate::payments::{InvoiceStatus, ObservedInvoice};
use chrono::{DateTime, Utc};
use serde_json::Value;

/// Reads an invoice; `payments` are the `invoice_payment`s that refer to it.
pub(in crate::inbox) fn invoice(object: &Object, payments: &[Object]) -> Option<ObservedInvoice> {
    let invoice = &object.payload;
    let currency = currency(invoice)?;
    let status = match text(invoice, "status") {
        Some("open") => InvoiceStatus::Open,
        Some("paid") => InvoiceStatus::Paid,
        Some("void") => InvoiceStatus::Void,
        Some("uncollectible") => InvoiceStatus::Uncollectible,
        _ => InvoiceStatus::Draft,
    };
    let Sums { subtotal, discount, tax, total } = Sums::read(invoice, &currency);
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
        subtotal_minor: subtotal,
        discount_minor: discount,
        tax_minor: tax,
        total_minor: total,
        due_minor: amount(invoice, "amount_due", &currency).unwrap_or(0).max(0),
        paid_minor: paid(invoice, payments, status, &currency),
        attempt_count: minor(at(invoice, "attempt_count")).unwrap_or(0).max(0),
        period: period(invoice),
        due_at: seconds(at(invoice, "due_date")),
        paid_at: seconds(at(invoice, "status_transitions.paid_at")).filter(|_| status == InvoiceStatus::Paid),
        hosted_url: text(invoice, "hosted_invoice_url").map(str::to_owned),
        created_at: seconds(at(invoice, "created"))?,
        currency,
    })
}

/// Returns the amount paid, also outside of Stripe: `amount_paid` may leave that out. Until basil the invoice says that
/// it was paid so, and since then an `invoice_payment` of another type than an intent or a charge.
fn paid(invoice: &Value, payments: &[Object], status: InvoiceStatus, currency: &str) -> i64 {
    let stated = amount(invoice, "amount_paid", currency).unwrap_or(0);
    let is_outside = at(invoice, "paid_out_of_band") == true && status == InvoiceStatus::Paid;
    let due = amount(invoice, "amount_due", currency).filter(|_| is_outside).unwrap_or(0);
    let outside = payments.iter().map(|payment| &payment.payload).filter(|payment| {
        let kind = text(payment, "payment.type");
        text(payment, "status") == Some("paid")
            && kind.is_some_and(|kind| !["payment_intent", "charge"].contains(&kind))
    });
    let outside = outside.filter_map(|payment| amount(payment, "amount_paid", currency)).fold(0, i64::saturating_add);
    stated.max(due).max(outside).max(0)
}

/// The sums of an invoice, such that total = subtotal - discount + tax. All are negative where the invoice is a credit.
struct Sums {
    /// The amount before discounts and tax.
    subtotal: i64,
    /// The discounts, without the tax on them.
    discount: i64,
    /// The tax, included in prices or added to them.
    tax: i64,
    total: i64,
}

impl Sums {
    /// Reads the sums. Stripe's `subtotal` includes the tax that prices include, and may already be less the discounts of
    /// items, so that it decides only where Stripe does not state the tax or the discounts.
    fn read(invoice: &Value, currency: &str) -> Sums {
        let stated = |name: &str| amount(invoice, name, currency);
        let shipping = stated("amount_shipping").unwrap_or(0);
        let total = stated("total").unwrap_or(0);
        let gross = stated("subtotal").map(|subtotal| subtotal.saturating_add(shipping));
        let net = stated("subtotal_excluding_tax").map(|subtotal| subtotal.saturating_add(shipping));
        let taxes = taxes(invoice, currency);
        let untaxed = invoice.get("tax").is_some_and(Value::is_null).then_some(0);
        let tax = taxes.map(|taxes| taxes.all).or_else(|| Some(total.saturating_sub(stated("total_excluding_tax")?)));
        let tax = tax.or_else(|| stated("tax")).or(untaxed);
        let of_prices = gross.zip(net).map(|(gross, net)| gross.saturating_sub(net));
        let of_all = tax.filter(|_| gross == Some(total)).unwrap_or(0);
        let included = taxes.map(|taxes| taxes.included).or(of_prices).unwrap_or(of_all);
        let (tax, discount) = match (tax, discounts(invoice, currency), gross) {
            (Some(tax), Some(discount), _) => (tax, discount),
            (Some(tax), None, Some(gross)) => {
                let before = gross.saturating_add(tax.saturating_sub(included));
                (tax, before.saturating_sub(total))
            }
            (None, Some(discount), Some(gross)) => (total.saturating_sub(gross).saturating_add(discount), discount),
            (None, None, Some(gross)) => match total.saturating_sub(gross) {
                // A rest that adds to the amount, which is negative for a credit, is tax.
                rest if gross.signum() * rest.signum() >= 0 => (rest, 0),
                rest => (0, rest.saturating_neg()),
            },
            (tax, discount, None) => (tax.unwrap_or(0), discount.unwrap_or(0)),
        };
        let net_total = total.saturating_sub(tax);
        match net.filter(|_| included != 0) {
            // The discounts that Stripe lists include the tax that is in the prices.
            Some(net) => Sums { subtotal: net, discount: net.saturating_sub(net_total), tax, total },
            None => Sums { subtotal: net_total.saturating_add(discount), discount, tax, total },
        }
    }
}

/// The taxes of an invoice.
#[derive(Debug, Clone, Copy)]
struct Taxes {
    all: i64,
    /// Those that the prices include.
    included: i64,
}

/// Reads the taxes: `total_taxes` since basil, `total_tax_amounts` before. `None` where neither is there.
fn taxes(invoice: &Value, currency: &str) -> Option<Taxes> {
    let taxes = ["total_taxes", "total_tax_amounts"].into_iter().find_map(|name| at(invoice, name).as_array())?;
    let is_included =
        |tax: &&Value| text(tax, "tax_behavior") == Some("inclusive") || at(tax, "inclusive") == &Value::Bool(true);
    let sum = |taxes: &mut dyn Iterator<Item = &Value>| {
        taxes.filter_map(|tax| amount(tax, "amount", currency)).fold(0, i64::saturating_add)
    };
    Some(Taxes { all: sum(&mut taxes.iter()), included: sum(&mut taxes.iter().filter(is_included)) })
}

/// Sums the discounts; `None` where they are not listed.
fn discounts(invoice: &Value, currency: &str) -> Option<i64> {
    let discounts = at(invoice, "total_discount_amounts").as_array()?.iter();
    Some(discounts.filter_map(|discount| amount(discount, "amount", currency)).fold(0, i64::saturating_add))
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

/// Returns the ids of the prices that the lines of an invoice, or the items of a subscription, sell; those of lines
/// without an amount only where there are no others.
pub(in crate::inbox) fn prices_sold(payload: &Value) -> Vec<String> {
    let price = |line: &Value| {
        // Since basil the price of a line is below `pricing`; before 2020 it was the `plan`.
        let paths = ["price", "pricing.price_details.price", "plan"];
        paths.into_iter().find_map(|path| id(at(line, path)))
    };
    let lines = [list(payload, "lines.data"), list(payload, "items.data")].concat();
    // A line has its own amount, an item that of its price.
    let amount = |line: &Value| minor(at(line, "amount")).or_else(|| minor(at(line, "price.unit_amount")));
    let is_free = |line: &&Value| amount(line) == Some(0);
    let paid: Vec<String> = lines.iter().filter(|line| !is_free(line)).filter_map(price).collect();
    if paid.is_empty() { lines.iter().filter_map(price).collect() } else { paid }
}
