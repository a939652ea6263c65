//! Payment intents and the charges that they lead to.

use serde_json::{Value, json};

use super::cards::{self, Card, behaviour};
use super::form::Params;
use super::refusal::{Outcome, malformed, of_card, refused};
use super::state::{State, joined, number, text};
use super::{checkout, invoices};

/// What came of an attempt to pay.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Attempt {
    /// The money is there.
    Paid,
    /// The card was declined: why.
    Declined(Value),
    /// The holder of the card has to confirm.
    Action,
    /// There is nothing to pay with.
    NoCard,
}

/// What a new intent is for.
pub(super) struct Purpose<'a> {
    pub(super) amount: i64,
    pub(super) currency: &'a str,
    /// The customer; null for nobody known.
    pub(super) customer: Value,
    /// Text or null.
    pub(super) description: Value,
    pub(super) metadata: Value,
}

/// `POST /v1/payment_intents`
pub(super) fn create(state: &mut State, params: &Params) -> Outcome<Value> {
    params.allow(&[
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
    params.need("amount")?;
    let amount = params.number("amount")?.unwrap_or(0);
    let currency = params.need("currency")?.to_lowercase();
    if amount < 1 {
        return Err(malformed("parameter_invalid_integer", "amount", "This value must be greater than or equal to 1."));
    }
    let customer = params.or_null("customer");
    if let Some(customer) = customer.as_str() {
        state.find("customer", customer, "customer")?;
    }
    let (confirm, off_session) = (params.flag("confirm")? == Some(true), params.flag("off_session")? == Some(true));
    if off_session && !confirm {
        return Err(refused("parameter_invalid", "off_session", "`off_session` can only be set with `confirm`."));
    }
    let method = match params.text("payment_method") {
        Some(name) => Some(cards::named(state, name, customer.as_str(), "payment_method")?),
        None => None,
    };
    let purpose = Purpose {
        amount,
        currency: &currency,
        customer,
        description: params.or_null("description"),
        metadata: params.metadata("metadata"),
    };
    let id = make(state, &purpose);
    if let Some(method) = &method {
        state.edit(&id, |intent| {
            intent["payment_method"] = json!(method);
            intent["status"] = json!("requires_confirmation");
        });
    }
    state.tell("payment_intent.created", &id);
    if confirm { confirmed(state, &id, method.as_deref(), off_session) } else { Ok(state.get(&id).clone()) }
}

/// `POST /v1/payment_intents/{id}/confirm`
pub(super) fn confirm(state: &mut State, id: &str, params: &Params) -> Outcome<Value> {
    params.allow(&["payment_method", "off_session", "return_url"])?;
    let intent = state.find("payment_intent", id, "")?;
    let method = match params.text("payment_method") {
        Some(name) => Some(cards::named(state, name, intent["customer"].as_str(), "payment_method")?),
        None => intent["payment_method"].as_str().map(str::to_owned),
    };
    confirmed(state, id, method.as_deref(), params.flag("off_session")? == Some(true))
}

fn confirmed(state: &mut State, id: &str, method: Option<&str>, off_session: bool) -> Outcome<Value> {
    let status = text(state.get(id), "status").to_owned();
    if matches!(status.as_str(), "succeeded" | "canceled" | "requires_action") {
        return Err(unexpected_state(state.get(id), "confirm"));
    }
    match attempt(state, id, method, off_session) {
        Attempt::Paid | Attempt::Action => Ok(state.get(id).clone()),
        Attempt::Declined(error) => Err(of_card(&error, state.get(id))),
        Attempt::NoCard => Err(unexpected_state(state.get(id), "confirm without a payment method")),
    }
}

fn unexpected_state(intent: &Value, what: &str) -> Box<super::refusal::Refusal> {
    let status = text(intent, "status");
    let message = format!("You cannot {what} this PaymentIntent because it has a status of {status}.");
    let mut refusal = refused("payment_intent_unexpected_state", "", &message);
    refusal.error["payment_intent"] = intent.clone();
    refusal
}

/// `POST /v1/payment_intents/{id}/cancel`
pub(super) fn cancel(state: &mut State, id: &str, params: &Params) -> Outcome<Value> {
    params.allow(&["cancellation_reason"])?;
    let intent = state.find("payment_intent", id, "")?;
    if matches!(text(&intent, "status"), "succeeded" | "canceled") {
        return Err(unexpected_state(&intent, "cancel"));
    }
    let reason = params.or_null("cancellation_reason");
    canceled(state, id, &reason);
    Ok(state.get(id).clone())
}

/// Cancels an intent that may still be canceled.
pub(super) fn canceled(state: &mut State, id: &str, reason: &Value) {
    if matches!(text(state.get(id), "status"), "" | "succeeded" | "canceled") {
        return;
    }
    let now = state.now;
    state.edit(id, |intent| {
        intent["status"] = json!("canceled");
        intent["canceled_at"] = json!(now);
        intent["cancellation_reason"] = reason.clone();
        intent["next_action"] = Value::Null;
    });
    state.tell("payment_intent.canceled", id);
}

/// A new intent, of which nothing is told yet.
pub(super) fn make(state: &mut State, purpose: &Purpose<'_>) -> String {
    let id = state.new_id("pi_");
    let secret = state.new_id(&format!("{id}_secret_"));
    state.put(joined(
        json!({
        "id": id, "object": "payment_intent", "amount": purpose.amount, "amount_capturable": 0,
        "amount_details": {"tip": {}}, "amount_received": 0, "application": null, "application_fee_amount": null,
        "automatic_payment_methods": null, "canceled_at": null, "cancellation_reason": null,
        "capture_method": "automatic", "client_secret": secret, "confirmation_method": "automatic",
        "created": state.now, "currency": purpose.currency, "customer": purpose.customer,
        "description": purpose.description, "last_payment_error": null, "latest_charge": null, "livemode": false,
        }),
        json!({
            "metadata": purpose.metadata, "next_action": null, "on_behalf_of": null, "payment_method": null,
            "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
            "payment_method_types": ["card"], "processing": null, "receipt_email": null, "review": null,
            "setup_future_usage": null, "shipping": null, "source": null, "statement_descriptor": null,
            "statement_descriptor_suffix": null, "status": "requires_payment_method", "transfer_data": null,
            "transfer_group": null,
        }),
    ));
    id
}

/// Tries to pay an intent with a payment method.
pub(super) fn attempt(state: &mut State, id: &str, method: Option<&str>, off_session: bool) -> Attempt {
    let Some(method) = method else { return Attempt::NoCard };
    match behaviour(state.get(method)) {
        Card::Good => {
            state.edit(id, |intent| intent["payment_method"] = json!(method));
            succeed(state, id);
            Attempt::Paid
        }
        Card::Declined => fail(state, id, method, "card_declined", "generic_decline", "Your card was declined."),
        Card::WithoutFunds => {
            let message = "Your card has insufficient funds.";
            fail(state, id, method, "card_declined", "insufficient_funds", message)
        }
        Card::NeedsAuthentication if off_session => {
            let message = "Your card was declined. This transaction requires authentication.";
            fail(state, id, method, "authentication_required", "authentication_required", message)
        }
        Card::NeedsAuthentication => {
            let url = format!("{}/confirm/{id}", state.base);
            state.edit(id, |intent| {
                intent["payment_method"] = json!(method);
                intent["status"] = json!("requires_action");
                intent["next_action"] =
                    json!({"redirect_to_url": {"return_url": null, "url": url}, "type": "redirect_to_url"});
            });
            state.tell("payment_intent.requires_action", id);
            Attempt::Action
        }
    }
}

/// An intent that waits for the holder of the card.
pub(super) fn asking(state: &State, id: &str) -> Outcome<Value> {
    let intent = state.find("payment_intent", id, "")?;
    if intent["status"] == "requires_action" { Ok(intent) } else { Err(unexpected_state(&intent, "authenticate")) }
}

/// What follows when the holder of the card has confirmed that it is them, or has not.
pub(super) fn authenticated(state: &mut State, id: &str, succeeds: bool) -> Outcome<()> {
    asking(state, id)?;
    if succeeds {
        succeed(state, id);
        return Ok(());
    }
    let message = "We are unable to authenticate your payment method. Please choose another and try again.";
    let code = "payment_intent_authentication_failure";
    let error = json!({"code": code, "message": message, "type": "invalid_request_error"});
    failed(state, id, &error);
    Ok(())
}

fn succeed(state: &mut State, id: &str) {
    let intent = state.get(id).clone();
    let charge = charge(state, &intent, text(&intent, "payment_method"), None);
    state.tell("charge.succeeded", &charge);
    state.edit(id, |intent| {
        intent["status"] = json!("succeeded");
        intent["amount_received"] = intent["amount"].clone();
        intent["latest_charge"] = json!(charge);
        intent["last_payment_error"] = Value::Null;
        intent["next_action"] = Value::Null;
    });
    state.tell("payment_intent.succeeded", id);
    invoices::paid_by(state, id);
    checkout::paid_by(state, id);
}

fn fail(state: &mut State, id: &str, method: &str, code: &str, decline_code: &str, message: &str) -> Attempt {
    let intent = state.get(id).clone();
    let mut error = json!({
        "code": code, "decline_code": decline_code, "message": message, "type": "card_error",
        "doc_url": format!("https://stripe.com/docs/error-codes/{}", code.replace('_', "-")),
        "payment_method": state.get(method),
    });
    let charge = charge(state, &intent, method, Some(&error));
    error["charge"] = json!(charge);
    state.tell("charge.failed", &charge);
    state.edit(id, |intent| intent["latest_charge"] = json!(charge));
    failed(state, id, &error);
    Attempt::Declined(error)
}

fn failed(state: &mut State, id: &str, error: &Value) {
    state.edit(id, |intent| {
        intent["status"] = json!("requires_payment_method");
        intent["payment_method"] = Value::Null;
        intent["last_payment_error"] = error.clone();
        intent["next_action"] = Value::Null;
    });
    state.tell("payment_intent.payment_failed", id);
}

/// A new charge of an intent, of which nothing is told yet: one that succeeded, or one that failed with an error.
fn charge(state: &mut State, intent: &Value, method: &str, error: Option<&Value>) -> String {
    let id = state.new_id("ch_");
    let transaction = error.is_none().then(|| state.new_id("txn_"));
    let amount = number(intent, "amount");
    let of_error = |name: &str| error.map_or(Value::Null, |error| error[name].clone());
    let outcome = match error {
        None => json!({"network_status": "approved_by_network", "reason": null, "risk_level": "normal",
            "seller_message": "Payment complete.", "type": "authorized"}),
        Some(error) => json!({"network_status": "declined_by_network", "reason": error["decline_code"],
            "risk_level": "normal", "seller_message": "The bank declined the payment.", "type": "issuer_declined"}),
    };
    let card = state.get(method)["card"].clone();
    state.put(joined(
        json!({
        "id": id, "object": "charge", "amount": amount, "amount_captured": if error.is_none() { amount } else { 0 },
        "amount_refunded": 0, "application": null, "application_fee": null, "application_fee_amount": null,
        "balance_transaction": transaction, "billing_details": {"address": null, "email": null, "name": null},
        "captured": error.is_none(), "created": state.now, "currency": intent["currency"],
        "customer": intent["customer"], "description": intent["description"], "disputed": false,
        "failure_balance_transaction": null, "failure_code": of_error("code"), "failure_message": of_error("message"),
        "fraud_details": {}, "livemode": false, "metadata": intent["metadata"], "on_behalf_of": null,
        }),
        json!({
            "outcome": outcome, "paid": error.is_none(), "payment_intent": intent["id"], "payment_method": method,
            "payment_method_details": {"card": card, "type": "card"}, "receipt_email": null, "receipt_number": null,
            "receipt_url": null, "refunded": false, "review": null, "shipping": null, "source": null,
            "statement_descriptor": null, "status": if error.is_none() { "succeeded" } else { "failed" },
            "transfer_data": null, "transfer_group": null,
        }),
    ));
    id
}
