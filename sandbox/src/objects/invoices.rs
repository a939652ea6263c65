//! Invoices of subscriptions.

use serde_json::{Value, json};

use crate::error::{StripeResult, invalid_request};
use crate::objects::intents::{self, IntentDetails};
use crate::objects::lines;
use crate::params::Params;
use crate::store::{Store, list, merge, number, text};

/// Returns a draft with these lines without storing it.
pub(crate) fn draft(store: &mut Store, subscription: &Value, reason: &str, mut lines: Vec<Value>) -> Value {
    let discounts = lines::active_discounts(store, subscription);
    let off = lines::apply_discounts(&mut lines, &discounts);
    let subtotal: i64 = lines.iter().map(|line| number(line, "amount")).sum();
    let total = subtotal - off.iter().map(|(_, amount)| amount).sum::<i64>();
    let id = store.new_id("in_");
    lines.iter_mut().for_each(|line| line["invoice"] = json!(id));
    let customer = store.get(text(subscription, "customer")).clone();
    let balance = number(&customer, "balance");
    let due = if total > 0 { (total + balance.min(0)).max(0) } else { 0 };
    let start = subscription["items"]["data"][0]["current_period_start"].as_i64().unwrap_or(store.now).min(store.now);
    let amounts: Vec<Value> = off.iter().map(|(id, amount)| json!({"amount": amount, "discount": id})).collect();
    let unused = json!({
        "account_tax_ids": null, "custom_fields": null, "customer_address": null, "customer_phone": customer["phone"],
        "customer_shipping": null, "customer_tax_exempt": "none", "default_source": null,
        "default_tax_rates": subscription["default_tax_rates"], "from_invoice": null, "issuer": {"type": "self"},
        "last_finalization_error": null, "latest_revision": null, "on_behalf_of": null,
        "payment_settings":
            {"default_mandate": null, "payment_method_options": null, "payment_method_types": null},
        "rendering": null, "shipping_cost": null, "shipping_details": null,
    });
    let draft = merge(
        json!({
        "id": id, "object": "invoice", "account_country": "US", "account_name": "Example Inc", "amount_due": due,
        "amount_overpaid": 0, "amount_paid": 0, "amount_remaining": due, "amount_shipping": 0, "application": null,
        "attempt_count": 0, "attempted": false, "auto_advance": true,
        "automatic_tax":
            {"disabled_reason": null, "enabled": false, "liability": null, "provider": null, "status": null},
        "automatically_finalizes_at": null,
        "billing_reason": reason, "collection_method": "charge_automatically", "created": store.now,
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
            "period_end": store.now, "period_start": start,
            "post_payment_credit_notes_amount": 0, "pre_payment_credit_notes_amount": 0, "receipt_number": null,
            "starting_balance": balance, "statement_descriptor": null, "status": "draft",
            "status_transitions":
                {"finalized_at": null, "marked_uncollectible_at": null, "paid_at": null, "voided_at": null},
            "subtotal": subtotal, "subtotal_excluding_tax": subtotal, "test_clock": null, "total": total,
            "total_discount_amounts": amounts, "total_excluding_tax": total, "total_pretax_credit_amounts": [],
            "total_taxes": [], "webhooks_delivered_at": null,
        }),
    );
    merge(draft, unused)
}

/// Stores and finalizes a draft. Returns its id. An invoice with nothing due is paid at once.
pub(crate) fn issue(store: &mut Store, invoice: Value) -> String {
    let id = text(&invoice, "id").to_owned();
    store.create("invoice.created", invoice);
    finalize(store, &id);
    id
}

/// Finalizes a stored draft.
pub(crate) fn finalize(store: &mut Store, id: &str) {
    let invoice = store.get(id).clone();
    let customer = text(&invoice, "customer").to_owned();
    let prefix = text(store.get(&customer), "invoice_prefix").to_owned();
    let sequence = number(store.get(&customer), "next_invoice_sequence");
    let (total, due) = (number(&invoice, "total"), number(&invoice, "amount_due"));
    // The difference between the total and the amount due comes from the customer's credit; a negative total adds to it.
    let ending = number(&invoice, "starting_balance") + total - due;
    let now = store.now;
    store.edit(id, |invoice| {
        invoice["status"] = json!("open");
        invoice["number"] = json!(format!("{prefix}-{sequence:04}"));
        invoice["effective_at"] = json!(now);
        invoice["ending_balance"] = json!(ending);
        invoice["hosted_invoice_url"] = json!(format!("https://invoice.stripe.com/i/test/{id}"));
        invoice["status_transitions"]["finalized_at"] = json!(now);
    });
    store.edit(&customer, |customer| customer["next_invoice_sequence"] = json!(sequence + 1));
    store.update(&customer, "customer.updated", |customer| customer["balance"] = json!(ending));
    store.emit("invoice.finalized", id);
    if due == 0 {
        mark_paid(store, id, false);
        return;
    }
    let details = IntentDetails {
        amount: due,
        currency: text(&invoice, "currency"),
        customer: invoice["customer"].clone(),
        description: json!(match text(&invoice, "billing_reason") {
            "subscription_create" => "Subscription creation",
            _ => "Subscription update",
        }),
        metadata: json!({}),
    };
    let intent = intents::insert(store, &details);
    store.edit(&intent, |intent| intent["setup_future_usage"] = json!("off_session"));
    let payment = json!({
        "id": store.new_id("inpay_"), "object": "invoice_payment", "amount_paid": null, "amount_requested": due,
        "created": now, "currency": invoice["currency"], "invoice": id, "is_default": true, "livemode": false,
        "payment": {"payment_intent": intent, "type": "payment_intent"}, "status": "open",
        "status_transitions": {"canceled_at": null, "paid_at": null},
    });
    store.insert(payment);
    store.emit("payment_intent.created", &intent);
}

/// Returns the payments of an invoice.
pub(crate) fn payments_of(store: &Store, invoice: &str) -> Vec<Value> {
    store.find_all("invoice_payment", "invoice", invoice)
}

/// Returns the intent of an invoice, or an empty string.
pub(crate) fn intent_of(store: &Store, invoice: &str) -> String {
    let payments = payments_of(store, invoice);
    payments.first().map_or(String::new(), |payment| text(&payment["payment"], "payment_intent").to_owned())
}

/// Returns the subscription of an invoice.
pub(crate) fn subscription_of(invoice: &Value) -> &str {
    text(&invoice["parent"]["subscription_details"], "subscription")
}

/// Marks an invoice as paid; `attempted` is true if a payment was made.
pub(crate) fn mark_paid(store: &mut Store, id: &str, attempted: bool) {
    let now = store.now;
    store.edit(id, |invoice| {
        invoice["status"] = json!("paid");
        invoice["attempted"] = json!(true);
        invoice["attempt_count"] = json!(number(invoice, "attempt_count") + i64::from(attempted));
        invoice["amount_paid"] = invoice["amount_due"].clone();
        invoice["amount_remaining"] = json!(0);
        invoice["auto_advance"] = json!(false);
        invoice["next_payment_attempt"] = Value::Null;
        invoice["status_transitions"]["paid_at"] = json!(now);
    });
    store.emit("invoice.paid", id);
    store.emit("invoice.payment_succeeded", id);
}

/// Voids an open invoice and cancels its intent.
pub(crate) fn void(store: &mut Store, id: &str) {
    if !matches!(text(store.get(id), "status"), "open" | "draft") {
        return;
    }
    let intent = intent_of(store, id);
    intents::cancel(store, &intent, &json!("void_invoice"));
    let now = store.now;
    store.edit(id, |invoice| {
        invoice["status"] = json!("void");
        invoice["auto_advance"] = json!(false);
        invoice["next_payment_attempt"] = Value::Null;
        invoice["status_transitions"]["voided_at"] = json!(now);
    });
    store.emit("invoice.voided", id);
    // A subscription that waits for this payment ends with it.
    let subscription = subscription_of(store.get(id)).to_owned();
    let waiting = store.get(&subscription);
    if waiting["status"] == "incomplete" && waiting["latest_invoice"] == id {
        store.update(&subscription, "customer.subscription.updated", |subscription| {
            subscription["status"] = json!("incomplete_expired");
            subscription["ended_at"] = json!(now);
        });
    }
}

/// Ends the retries of a subscription's open invoices.
pub(crate) fn stop_collection(store: &mut Store, subscription: &str) {
    let open: Vec<Value> = store.all("invoice").filter(|invoice| invoice["status"] == "open").cloned().collect();
    for invoice in open.iter().filter(|invoice| subscription_of(invoice) == subscription) {
        store.update(text(invoice, "id"), "invoice.updated", |invoice| {
            invoice["auto_advance"] = json!(false);
            invoice["next_payment_attempt"] = Value::Null;
        });
    }
}

/// Handles `POST /v1/invoices/{id}/void`.
pub(crate) fn void_request(store: &mut Store, id: &str, params: &Params) -> StripeResult<Value> {
    params.allow_only(&[])?;
    let invoice = store.find("invoice", id, "")?;
    if invoice["status"] != "open" {
        return Err(invalid_request("", "", "You can only pass in open invoices."));
    }
    void(store, id);
    Ok(store.get(id).clone())
}

/// Returns true if the discount has reduced an invoice.
pub(crate) fn has_reduced_an_invoice(store: &Store, discount: &str) -> bool {
    let mut taken = store.all("invoice").flat_map(|invoice| list(&invoice["total_discount_amounts"]));
    taken.any(|off| off["discount"] == discount && number(off, "amount") > 0)
}
