//! Invoices of subscriptions: made, finalized, paid or not.

use serde_json::{Value, json};

use super::cards;
use super::form::Params;
use super::lines;
use super::payments::{self, Attempt, Purpose};
use super::refusal::{Outcome, of_card, refused};
use super::state::{State, joined, list, number, text};
use super::subscriptions;
use super::terms::days_after;

/// After how many days a renewal that failed is tried again: after the first failure, the second, the third.
const RETRIES: [i64; 3] = [3, 5, 7];

/// An invoice over these lines, of which nothing is kept yet.
pub(super) fn draft(state: &mut State, subscription: &Value, reason: &str, mut lines: Vec<Value>) -> Value {
    let discounts = lines::discounts(state, subscription);
    let off = lines::discount(&mut lines, &discounts);
    let subtotal: i64 = lines.iter().map(|line| number(line, "amount")).sum();
    let total = subtotal - off.iter().map(|(_, amount)| amount).sum::<i64>();
    let id = state.new_id("in_");
    lines.iter_mut().for_each(|line| line["invoice"] = json!(id));
    let customer = state.get(text(subscription, "customer")).clone();
    let balance = number(&customer, "balance");
    let due = if total > 0 { (total + balance.min(0)).max(0) } else { 0 };
    let start = subscription["items"]["data"][0]["current_period_start"].as_i64().unwrap_or(state.now).min(state.now);
    let amounts: Vec<Value> = off.iter().map(|(id, amount)| json!({"amount": amount, "discount": id})).collect();
    joined(
        json!({
        "id": id, "object": "invoice", "account_country": "US", "account_name": "Example Inc", "amount_due": due,
        "amount_overpaid": 0, "amount_paid": 0, "amount_remaining": due, "amount_shipping": 0, "application": null,
        "attempt_count": 0, "attempted": false, "auto_advance": true,
        "automatic_tax": {"enabled": false, "status": null}, "automatically_finalizes_at": null,
        "billing_reason": reason, "collection_method": "charge_automatically", "created": state.now,
        "currency": subscription["currency"], "customer": subscription["customer"],
        "customer_email": customer["email"], "customer_name": customer["name"], "default_payment_method": null,
        "description": null, "discounts": discounts.iter().map(|(id, _)| id).collect::<Vec<_>>(), "due_date": null,
        "effective_at": null, "ending_balance": null, "footer": null, "hosted_invoice_url": null, "invoice_pdf": null,
        }),
        json!({
            "lines": {"object": "list", "data": lines, "has_more": false, "total_count": lines.len(),
                "url": format!("/v1/invoices/{id}/lines")},
            "livemode": false, "metadata": {}, "next_payment_attempt": null, "number": null,
            "parent": {
                "quote_details": null,
                "subscription_details": {"metadata": subscription["metadata"], "subscription": subscription["id"]},
                "type": "subscription_details",
            },
            "period_end": state.now, "period_start": start,
            "post_payment_credit_notes_amount": 0, "pre_payment_credit_notes_amount": 0, "receipt_number": null,
            "starting_balance": balance, "statement_descriptor": null, "status": "draft",
            "status_transitions":
                {"finalized_at": null, "marked_uncollectible_at": null, "paid_at": null, "voided_at": null},
            "subtotal": subtotal, "subtotal_excluding_tax": subtotal, "test_clock": null, "total": total,
            "total_discount_amounts": amounts, "total_excluding_tax": total, "total_pretax_credit_amounts": [],
            "total_taxes": [], "webhooks_delivered_at": null,
        }),
    )
}

/// Makes a draft an invoice that is to be paid. One of nothing is paid with that.
pub(super) fn issue(state: &mut State, invoice: Value) -> String {
    let id = text(&invoice, "id").to_owned();
    state.create("invoice.created", invoice);
    finalize(state, &id);
    id
}

/// Finalizes a draft that exists.
pub(super) fn finalize(state: &mut State, id: &str) {
    let invoice = state.get(id).clone();
    let customer = text(&invoice, "customer").to_owned();
    let prefix = text(state.get(&customer), "invoice_prefix").to_owned();
    let sequence = number(state.get(&customer), "next_invoice_sequence");
    let (total, due) = (number(&invoice, "total"), number(&invoice, "amount_due"));
    // What the total lacks of what is due was taken from the customer's credit; a total below nothing adds to it.
    let ending = number(&invoice, "starting_balance") + total - due;
    let now = state.now;
    state.edit(id, |invoice| {
        invoice["status"] = json!("open");
        invoice["number"] = json!(format!("{prefix}-{sequence:04}"));
        invoice["effective_at"] = json!(now);
        invoice["ending_balance"] = json!(ending);
        invoice["hosted_invoice_url"] = json!(format!("https://invoice.stripe.com/i/test/{id}"));
        invoice["status_transitions"]["finalized_at"] = json!(now);
    });
    state.edit(&customer, |customer| customer["next_invoice_sequence"] = json!(sequence + 1));
    state.update(&customer, "customer.updated", |customer| customer["balance"] = json!(ending));
    state.tell("invoice.finalized", id);
    if due == 0 {
        paid(state, id, false);
        return;
    }
    let purpose = Purpose {
        amount: due,
        currency: text(&invoice, "currency"),
        customer: invoice["customer"].clone(),
        description: json!(match text(&invoice, "billing_reason") {
            "subscription_create" => "Subscription creation",
            _ => "Subscription update",
        }),
        metadata: json!({}),
    };
    let intent = payments::make(state, &purpose);
    state.edit(&intent, |intent| intent["setup_future_usage"] = json!("off_session"));
    let payment = json!({
        "id": state.new_id("inpay_"), "object": "invoice_payment", "amount_paid": null, "amount_requested": due,
        "created": now, "currency": invoice["currency"], "invoice": id, "is_default": true, "livemode": false,
        "payment": {"payment_intent": intent, "type": "payment_intent"}, "status": "open",
        "status_transitions": {"canceled_at": null, "paid_at": null},
    });
    state.put(payment);
    state.tell("payment_intent.created", &intent);
}

/// The payments of an invoice.
pub(super) fn payments_of(state: &State, invoice: &str) -> Vec<Value> {
    state.with("invoice_payment", "invoice", invoice)
}

/// The intent that an invoice is to be paid with; empty where there is none.
pub(super) fn intent_of(state: &State, invoice: &str) -> String {
    let payments = payments_of(state, invoice);
    payments.first().map_or(String::new(), |payment| text(&payment["payment"], "payment_intent").to_owned())
}

/// The subscription that an invoice is of.
pub(super) fn subscription_of(invoice: &Value) -> &str {
    text(&invoice["parent"]["subscription_details"], "subscription")
}

/// Tries to pay an invoice with what the customer pays with.
pub(super) fn collect(state: &mut State, id: &str, off_session: bool) -> Attempt {
    let invoice = state.get(id).clone();
    let subscription = state.get(subscription_of(&invoice)).clone();
    let method = cards::default_of(state, text(&invoice, "customer"), &subscription);
    collect_with(state, id, method.as_deref(), off_session)
}

fn collect_with(state: &mut State, id: &str, method: Option<&str>, off_session: bool) -> Attempt {
    if text(state.get(id), "status") != "open" {
        return Attempt::Paid;
    }
    let intent = intent_of(state, id);
    let attempt = payments::attempt(state, &intent, method, off_session);
    if attempt != Attempt::Paid {
        let asks = match &attempt {
            Attempt::Declined(error) => error["code"] == "authentication_required",
            other => *other == Attempt::Action,
        };
        failed(state, id, asks);
    }
    attempt
}

fn failed(state: &mut State, id: &str, asks: bool) {
    let before = state.get(id).clone();
    let attempts = number(&before, "attempt_count") + 1;
    let first = before["billing_reason"] == "subscription_create";
    let wait = usize::try_from(attempts - 1).ok().and_then(|failures| RETRIES.get(failures)).filter(|_| !first);
    let next = wait.map(|days| days_after(state.now, *days));
    state.edit(id, |invoice| {
        invoice["attempt_count"] = json!(attempts);
        invoice["attempted"] = json!(true);
        invoice["next_payment_attempt"] = json!(next);
    });
    if asks {
        state.tell("invoice.payment_action_required", id);
    }
    state.tell("invoice.payment_failed", id);
    state.tell_change("invoice.updated", id, &before);
    if !first {
        subscriptions::payment_failed(state, subscription_of(&before), next.is_none());
        state.update(text(&before, "customer"), "customer.updated", |customer| customer["delinquent"] = json!(true));
    }
}

/// What follows for an invoice when its intent was paid.
pub(super) fn paid_by(state: &mut State, intent: &str) {
    let mut payments = state.of_kind("invoice_payment");
    let payment = payments.find(|payment| payment["payment"]["payment_intent"] == intent).cloned();
    drop(payments);
    let Some(payment) = payment else { return };
    paid(state, text(&payment, "invoice"), true);
    let now = state.now;
    state.edit(text(&payment, "id"), |payment| {
        payment["status"] = json!("paid");
        payment["amount_paid"] = payment["amount_requested"].clone();
        payment["status_transitions"]["paid_at"] = json!(now);
    });
    state.tell("invoice_payment.paid", text(&payment, "id"));
    let invoice = state.get(text(&payment, "invoice")).clone();
    subscriptions::invoice_paid(state, &invoice);
    state.update(text(&invoice, "customer"), "customer.updated", |customer| {
        customer["delinquent"] = json!(false);
        customer["currency"] = invoice["currency"].clone();
    });
}

fn paid(state: &mut State, id: &str, attempted: bool) {
    let now = state.now;
    state.edit(id, |invoice| {
        invoice["status"] = json!("paid");
        invoice["attempted"] = json!(true);
        invoice["attempt_count"] = json!(number(invoice, "attempt_count") + i64::from(attempted));
        invoice["amount_paid"] = invoice["amount_due"].clone();
        invoice["amount_remaining"] = json!(0);
        invoice["auto_advance"] = json!(false);
        invoice["next_payment_attempt"] = Value::Null;
        invoice["status_transitions"]["paid_at"] = json!(now);
    });
    state.tell("invoice.paid", id);
    state.tell("invoice.payment_succeeded", id);
}

/// Takes an invoice back that nobody has to pay any more, and with it its intent.
pub(super) fn void(state: &mut State, id: &str) {
    if !matches!(text(state.get(id), "status"), "open" | "draft") {
        return;
    }
    let intent = intent_of(state, id);
    payments::canceled(state, &intent, &json!("void_invoice"));
    let now = state.now;
    state.edit(id, |invoice| {
        invoice["status"] = json!("void");
        invoice["auto_advance"] = json!(false);
        invoice["next_payment_attempt"] = Value::Null;
        invoice["status_transitions"]["voided_at"] = json!(now);
    });
    state.tell("invoice.voided", id);
}

/// Stops trying to be paid.
pub(super) fn give_up(state: &mut State, subscription: &str) {
    let open: Vec<Value> = state.of_kind("invoice").filter(|invoice| invoice["status"] == "open").cloned().collect();
    for invoice in open.iter().filter(|invoice| subscription_of(invoice) == subscription) {
        state.update(text(invoice, "id"), "invoice.updated", |invoice| {
            invoice["auto_advance"] = json!(false);
            invoice["next_payment_attempt"] = Value::Null;
        });
    }
}

/// `POST /v1/invoices/{id}/pay`
pub(super) fn pay(state: &mut State, id: &str, params: &Params) -> Outcome<Value> {
    params.allow(&["payment_method", "off_session"])?;
    let invoice = state.find("invoice", id, "")?;
    if invoice["status"] != "open" {
        let message = if invoice["status"] == "paid" { "Invoice is already paid" } else { "Invoice is not open" };
        return Err(refused(if invoice["status"] == "paid" { "invoice_already_paid" } else { "" }, "", message));
    }
    let customer = text(&invoice, "customer").to_owned();
    let method = match params.text("payment_method") {
        Some(name) => Some(cards::named(state, name, Some(&customer), "payment_method")?),
        None => cards::default_of(state, &customer, state.get(subscription_of(&invoice))),
    };
    let off_session = params.flag("off_session")? != Some(false);
    match collect_with(state, id, method.as_deref(), off_session) {
        Attempt::Paid => Ok(state.get(id).clone()),
        Attempt::Declined(error) => Err(of_card(&error, state.get(&intent_of(state, id)))),
        Attempt::Action => {
            let error = json!({"type": "card_error", "code": "invoice_payment_intent_requires_action",
                "message": "This payment requires additional user action before it can be completed successfully."});
            Err(of_card(&error, state.get(&intent_of(state, id))))
        }
        Attempt::NoCard => Err(no_card()),
    }
}

/// `POST /v1/invoices/{id}/void`
pub(super) fn void_request(state: &mut State, id: &str, params: &Params) -> Outcome<Value> {
    params.allow(&[])?;
    let invoice = state.find("invoice", id, "")?;
    if invoice["status"] != "open" {
        return Err(refused("", "", "You can only pass in open invoices."));
    }
    void(state, id);
    Ok(state.get(id).clone())
}

/// The refusal where there is nothing to pay with.
pub(super) fn no_card() -> Box<super::refusal::Refusal> {
    let message = "This customer has no attached payment source or default payment method. Please consider adding a \
        default payment method.";
    refused("resource_missing", "", message)
}

/// Whether a discount has taken something off an invoice.
pub(super) fn was_used(state: &State, discount: &str) -> bool {
    let mut taken = state.of_kind("invoice").flat_map(|invoice| list(&invoice["total_discount_amounts"]));
    taken.any(|off| off["discount"] == discount && number(off, "amount") > 0)
}
