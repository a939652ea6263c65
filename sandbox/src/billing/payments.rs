//! Payments and their consequences for invoices, subscriptions and checkout sessions.

use serde_json::{Value, json};

use crate::billing::{ending, pending};
use crate::error::{StripeResult, card_error, invalid_request, malformed_parameter, no_payment_method};
use crate::objects::intents::{self, Attempt, IntentDetails, find_requiring_action, unexpected_state};
use crate::objects::{cards, invoices, sessions};
use crate::params::Params;
use crate::store::{Store, number, text};
use crate::terms::days_after;

/// The days between the attempts to collect a renewal: after the first failure, the second, the third.
const RETRY_DAYS: [i64; 3] = [3, 5, 7];

/// Attempts to pay an intent, and applies the consequences of a success.
pub(crate) fn attempt(store: &mut Store, intent: &str, method: Option<&str>, off_session: bool) -> Attempt {
    let attempt = intents::attempt(store, intent, method, off_session);
    if attempt == Attempt::Paid {
        apply_payment(store, intent);
    }
    attempt
}

fn apply_payment(store: &mut Store, intent: &str) {
    apply_to_invoice(store, intent);
    if let Some(session) = sessions::open_session_of(store, intent) {
        sessions::complete(store, &session, "paid");
    }
}

/// Handles `POST /v1/payment_intents`.
pub(crate) fn create(store: &mut Store, params: &Params) -> StripeResult<Value> {
    params.allow_only(&[
        "amount",
        "currency",
        "customer",
        "payment_method",
        "payment_method_types.*",
        "confirm",
        "off_session",
        "metadata.*",
        "description",
        "automatic_payment_methods.enabled",
        "automatic_payment_methods.allow_redirects",
        "return_url",
        "setup_future_usage",
        "receipt_email",
    ])?;
    params.require("amount")?;
    let amount = params.number("amount")?.unwrap_or(0);
    let currency = params.require("currency")?.to_lowercase();
    if amount < 1 {
        return Err(malformed_parameter(
            "parameter_invalid_integer",
            "amount",
            "This value must be greater than or equal to 1.",
        ));
    }
    let customer = params.or_null("customer");
    if let Some(customer) = customer.as_str() {
        store.find("customer", customer, "customer")?;
    }
    let (confirms, off_session) = (params.flag("confirm")? == Some(true), params.flag("off_session")? == Some(true));
    if off_session && !confirms {
        return Err(invalid_request(
            "parameter_invalid",
            "off_session",
            "`off_session` can only be set with `confirm`.",
        ));
    }
    let method = match params.text("payment_method") {
        Some(name) => Some(cards::resolve(store, name, customer.as_str(), "payment_method")?),
        None => None,
    };
    let details = IntentDetails {
        amount,
        currency: &currency,
        customer,
        description: params.or_null("description"),
        metadata: params.metadata("metadata"),
    };
    let id = intents::insert(store, &details);
    if let Some(method) = &method {
        store.edit(&id, |intent| {
            intent["payment_method"] = json!(method);
            intent["status"] = json!("requires_confirmation");
        });
    }
    store.emit("payment_intent.created", &id);
    if confirms { confirm(store, &id, method.as_deref(), off_session) } else { Ok(store.get(&id).clone()) }
}

/// Handles `POST /v1/payment_intents/{id}/confirm`.
pub(crate) fn confirm_request(store: &mut Store, id: &str, params: &Params) -> StripeResult<Value> {
    params.allow_only(&["payment_method", "off_session", "return_url"])?;
    let intent = store.find("payment_intent", id, "")?;
    let method = match params.text("payment_method") {
        Some(name) => Some(cards::resolve(store, name, intent["customer"].as_str(), "payment_method")?),
        None => intent["payment_method"].as_str().map(str::to_owned),
    };
    confirm(store, id, method.as_deref(), params.flag("off_session")? == Some(true))
}

fn confirm(store: &mut Store, id: &str, method: Option<&str>, off_session: bool) -> StripeResult<Value> {
    let status = text(store.get(id), "status").to_owned();
    if matches!(status.as_str(), "succeeded" | "canceled" | "requires_action") {
        return Err(unexpected_state(store.get(id), "confirm"));
    }
    match attempt(store, id, method, off_session) {
        Attempt::Paid | Attempt::RequiresAction => Ok(store.get(id).clone()),
        Attempt::Declined(error) => Err(card_error(&error, store.get(id))),
        Attempt::NoPaymentMethod => Err(unexpected_state(store.get(id), "confirm without a payment method")),
    }
}

/// Handles `POST /v1/payment_intents/{id}/cancel`.
pub(crate) fn cancel_request(store: &mut Store, id: &str, params: &Params) -> StripeResult<Value> {
    params.allow_only(&["cancellation_reason"])?;
    let intent = store.find("payment_intent", id, "")?;
    if matches!(text(&intent, "status"), "succeeded" | "canceled") {
        return Err(unexpected_state(&intent, "cancel"));
    }
    let reason = params.or_null("cancellation_reason");
    intents::cancel(store, id, &reason);
    Ok(store.get(id).clone())
}

/// Ends 3-D Secure with success or failure.
pub(crate) fn authenticate(store: &mut Store, id: &str, succeeds: bool) -> StripeResult<()> {
    find_requiring_action(store, id)?;
    if succeeds {
        intents::succeed(store, id);
        apply_payment(store, id);
        return Ok(());
    }
    let message = "We are unable to authenticate your payment method. Please choose another and try again.";
    let code = "payment_intent_authentication_failure";
    let error = json!({"code": code, "message": message, "type": "invalid_request_error"});
    intents::record_error(store, id, &error);
    Ok(())
}

/// Handles `POST /v1/invoices/{id}/pay`.
pub(crate) fn pay_invoice_request(store: &mut Store, id: &str, params: &Params) -> StripeResult<Value> {
    params.allow_only(&["payment_method", "off_session"])?;
    let invoice = store.find("invoice", id, "")?;
    if invoice["status"] != "open" {
        let message = if invoice["status"] == "paid" { "Invoice is already paid" } else { "Invoice is not open" };
        return Err(invalid_request(
            if invoice["status"] == "paid" { "invoice_already_paid" } else { "" },
            "",
            message,
        ));
    }
    let customer = text(&invoice, "customer").to_owned();
    let method = match params.text("payment_method") {
        Some(name) => Some(cards::resolve(store, name, Some(&customer), "payment_method")?),
        None => cards::default_for(store, &customer, store.get(invoices::subscription_of(&invoice))),
    };
    let off_session = params.flag("off_session")? != Some(false);
    match collect_with(store, id, method.as_deref(), off_session) {
        Attempt::Paid => Ok(store.get(id).clone()),
        Attempt::Declined(error) => Err(card_error(&error, store.get(&invoices::intent_of(store, id)))),
        Attempt::RequiresAction => {
            let error = json!({"type": "card_error", "code": "invoice_payment_intent_requires_action",
                "message": "This payment requires additional user action before it can be completed successfully."});
            Err(card_error(&error, store.get(&invoices::intent_of(store, id))))
        }
        Attempt::NoPaymentMethod => Err(no_payment_method()),
    }
}

/// Attempts to pay an invoice with the payment method of its subscription or customer.
pub(crate) fn collect(store: &mut Store, id: &str, off_session: bool) -> Attempt {
    let invoice = store.get(id).clone();
    let subscription = store.get(invoices::subscription_of(&invoice)).clone();
    let method = cards::default_for(store, text(&invoice, "customer"), &subscription);
    collect_with(store, id, method.as_deref(), off_session)
}

fn collect_with(store: &mut Store, id: &str, method: Option<&str>, off_session: bool) -> Attempt {
    if text(store.get(id), "status") != "open" {
        return Attempt::Paid;
    }
    let intent = invoices::intent_of(store, id);
    let attempt = attempt(store, &intent, method, off_session);
    if attempt != Attempt::Paid {
        let requires_action = match &attempt {
            Attempt::Declined(error) => error["code"] == "authentication_required",
            other => *other == Attempt::RequiresAction,
        };
        record_failure(store, id, requires_action);
    }
    attempt
}

fn record_failure(store: &mut Store, id: &str, requires_action: bool) {
    let before = store.get(id).clone();
    let attempts = number(&before, "attempt_count") + 1;
    let first = before["billing_reason"] == "subscription_create";
    let wait = usize::try_from(attempts - 1).ok().and_then(|failures| RETRY_DAYS.get(failures)).filter(|_| !first);
    let next = wait.map(|days| days_after(store.now, *days));
    store.edit(id, |invoice| {
        invoice["attempt_count"] = json!(attempts);
        invoice["attempted"] = json!(true);
        invoice["next_payment_attempt"] = json!(next);
    });
    if requires_action {
        store.emit("invoice.payment_action_required", id);
    }
    store.emit("invoice.payment_failed", id);
    store.emit_update("invoice.updated", id, &before);
    if !first {
        mark_past_due(store, invoices::subscription_of(&before), next.is_none());
        store.update(text(&before, "customer"), "customer.updated", |customer| customer["delinquent"] = json!(true));
    }
}

/// Marks the invoice of a paid intent as paid.
fn apply_to_invoice(store: &mut Store, intent: &str) {
    let mut payments = store.all("invoice_payment");
    let payment = payments.find(|payment| payment["payment"]["payment_intent"] == intent).cloned();
    drop(payments);
    let Some(payment) = payment else { return };
    invoices::mark_paid(store, text(&payment, "invoice"), true);
    let now = store.now;
    store.edit(text(&payment, "id"), |payment| {
        payment["status"] = json!("paid");
        payment["amount_paid"] = payment["amount_requested"].clone();
        payment["status_transitions"]["paid_at"] = json!(now);
    });
    store.emit("invoice_payment.paid", text(&payment, "id"));
    let invoice = store.get(text(&payment, "invoice")).clone();
    activate(store, &invoice);
    store.update(text(&invoice, "customer"), "customer.updated", |customer| {
        customer["delinquent"] = json!(false);
        customer["currency"] = invoice["currency"].clone();
    });
}

/// Activates the subscription of a paid invoice, and applies its pending change.
fn activate(store: &mut Store, invoice: &Value) {
    let id = invoices::subscription_of(invoice).to_owned();
    if pending::invoice_of(store, &id) == text(invoice, "id") {
        pending::apply(store, &id);
    }
    if matches!(text(store.get(&id), "status"), "incomplete" | "past_due") {
        store.update(&id, "customer.subscription.updated", |subscription| subscription["status"] = json!("active"));
    }
}

/// Marks a subscription as past due, and ends it after the last attempt.
pub(crate) fn mark_past_due(store: &mut Store, id: &str, last: bool) {
    if !store.get(id)["pending_update"].is_null() {
        return;
    }
    if matches!(text(store.get(id), "status"), "active" | "trialing") {
        store.update(id, "customer.subscription.updated", |subscription| subscription["status"] = json!("past_due"));
    }
    if last && text(store.get(id), "status") == "past_due" {
        ending::end(store, id, "payment_failed");
    }
}
