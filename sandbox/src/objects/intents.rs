//! Payment intents and their charges. The consequences of a payment follow in `billing::payments`.

use serde_json::{Value, json};

use crate::error::{StripeError, StripeResult, invalid_request};
use crate::objects::cards::{Card, behavior};
use crate::store::{Store, merge, number, text};

/// The result of an attempt to pay.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Attempt {
    /// The payment succeeded.
    Paid,
    /// The card was declined with this error.
    Declined(Value),
    /// The cardholder has to confirm the payment.
    RequiresAction,
    /// There is no payment method.
    NoPaymentMethod,
}

/// The fields of a new intent.
pub(crate) struct IntentDetails<'a> {
    pub(crate) amount: i64,
    pub(crate) currency: &'a str,
    /// The id of the customer, or null.
    pub(crate) customer: Value,
    /// A string or null.
    pub(crate) description: Value,
    pub(crate) metadata: Value,
}

/// Returns the error for an intent whose status does not allow an action.
pub(crate) fn unexpected_state(intent: &Value, what: &str) -> Box<StripeError> {
    let status = text(intent, "status");
    let message = format!("You cannot {what} this PaymentIntent because it has a status of {status}.");
    let mut refusal = invalid_request("payment_intent_unexpected_state", "", &message);
    refusal.error["payment_intent"] = intent.clone();
    refusal
}

/// Cancels an intent unless it has succeeded or is canceled.
pub(crate) fn cancel(store: &mut Store, id: &str, reason: &Value) {
    if matches!(text(store.get(id), "status"), "" | "succeeded" | "canceled") {
        return;
    }
    let now = store.now;
    store.edit(id, |intent| {
        intent["status"] = json!("canceled");
        intent["canceled_at"] = json!(now);
        intent["cancellation_reason"] = reason.clone();
        intent["next_action"] = Value::Null;
    });
    store.emit("payment_intent.canceled", id);
}

/// Inserts an intent without an event.
pub(crate) fn insert(store: &mut Store, details: &IntentDetails<'_>) -> String {
    let id = store.new_id("pi_");
    let secret = store.new_id(&format!("{id}_secret_"));
    store.insert(merge(
        json!({
        "id": id, "object": "payment_intent", "amount": details.amount, "amount_capturable": 0,
        "amount_details": {"tip": {}}, "amount_received": 0, "application": null, "application_fee_amount": null,
        "automatic_payment_methods": null, "canceled_at": null, "cancellation_reason": null,
        "capture_method": "automatic", "client_secret": secret, "confirmation_method": "automatic",
        "created": store.now, "currency": details.currency, "customer": details.customer,
        "description": details.description, "excluded_payment_method_types": null, "last_payment_error": null, "latest_charge": null, "livemode": false,
        }),
        json!({
            "metadata": details.metadata, "next_action": null, "on_behalf_of": null, "payment_method": null,
            "payment_method_configuration_details": null,
            "payment_method_options": {"card": {"installments": null, "mandate_options": null, "network": null,
                "request_three_d_secure": "automatic"}},
            "payment_method_types": ["card"], "processing": null, "receipt_email": null, "review": null,
            "setup_future_usage": null, "shipping": null, "source": null, "statement_descriptor": null,
            "statement_descriptor_suffix": null, "status": "requires_payment_method", "transfer_data": null,
            "transfer_group": null,
        }),
    ));
    id
}

/// Attempts to pay an intent with a payment method.
pub(crate) fn attempt(store: &mut Store, id: &str, method: Option<&str>, off_session: bool) -> Attempt {
    let Some(method) = method else { return Attempt::NoPaymentMethod };
    match behavior(store.get(method)) {
        Card::Good => {
            store.edit(id, |intent| intent["payment_method"] = json!(method));
            succeed(store, id);
            Attempt::Paid
        }
        Card::Declined => decline(store, id, method, "card_declined", "generic_decline", "Your card was declined."),
        Card::WithoutFunds => {
            let message = "Your card has insufficient funds.";
            decline(store, id, method, "card_declined", "insufficient_funds", message)
        }
        Card::NeedsAuthentication if off_session => {
            let message = "Your card was declined. This transaction requires authentication.";
            decline(store, id, method, "authentication_required", "authentication_required", message)
        }
        Card::NeedsAuthentication => {
            let url = format!("{}/confirm/{id}", store.base_url);
            store.edit(id, |intent| {
                intent["payment_method"] = json!(method);
                intent["status"] = json!("requires_action");
                intent["next_action"] =
                    json!({"redirect_to_url": {"return_url": null, "url": url}, "type": "redirect_to_url"});
            });
            store.emit("payment_intent.requires_action", id);
            Attempt::RequiresAction
        }
    }
}

/// Returns an intent that waits for 3-D Secure.
pub(crate) fn find_requiring_action(store: &Store, id: &str) -> StripeResult<Value> {
    let intent = store.find("payment_intent", id, "")?;
    if intent["status"] == "requires_action" { Ok(intent) } else { Err(unexpected_state(&intent, "authenticate")) }
}

/// Marks an intent as paid, with a charge.
pub(crate) fn succeed(store: &mut Store, id: &str) {
    let intent = store.get(id).clone();
    let charge = insert_charge(store, &intent, text(&intent, "payment_method"), None);
    store.emit("charge.succeeded", &charge);
    store.edit(id, |intent| {
        intent["status"] = json!("succeeded");
        intent["amount_received"] = intent["amount"].clone();
        intent["latest_charge"] = json!(charge);
        intent["last_payment_error"] = Value::Null;
        intent["next_action"] = Value::Null;
    });
    store.emit("payment_intent.succeeded", id);
}

fn decline(store: &mut Store, id: &str, method: &str, code: &str, decline_code: &str, message: &str) -> Attempt {
    let intent = store.get(id).clone();
    let mut error = json!({
        "code": code, "decline_code": decline_code, "message": message, "type": "card_error",
        "doc_url": format!("https://stripe.com/docs/error-codes/{}", code.replace('_', "-")),
        "payment_method": store.get(method),
    });
    let charge = insert_charge(store, &intent, method, Some(&error));
    error["charge"] = json!(charge);
    store.emit("charge.failed", &charge);
    store.edit(id, |intent| intent["latest_charge"] = json!(charge));
    record_error(store, id, &error);
    Attempt::Declined(error)
}

/// Records an error on an intent, which then needs another payment method.
pub(crate) fn record_error(store: &mut Store, id: &str, error: &Value) {
    store.edit(id, |intent| {
        intent["status"] = json!("requires_payment_method");
        intent["payment_method"] = Value::Null;
        intent["last_payment_error"] = error.clone();
        intent["next_action"] = Value::Null;
    });
    store.emit("payment_intent.payment_failed", id);
}

/// Inserts a charge of an intent without an event: a failed one if there is an error.
fn insert_charge(store: &mut Store, intent: &Value, method: &str, error: Option<&Value>) -> String {
    let id = store.new_id("ch_");
    let transaction = error.is_none().then(|| store.new_id("txn_"));
    let amount = number(intent, "amount");
    let of_error = |name: &str| error.map_or(Value::Null, |error| error[name].clone());
    let outcome = match error {
        None => json!({"network_status": "approved_by_network", "reason": null, "risk_level": "normal",
            "seller_message": "Payment complete.", "type": "authorized"}),
        Some(error) => json!({"network_status": "declined_by_network", "reason": error["decline_code"],
            "risk_level": "normal", "seller_message": "The bank declined the payment.", "type": "issuer_declined"}),
    };
    let card = store.get(method)["card"].clone();
    store.insert(merge(
        json!({
        "id": id, "object": "charge", "amount": amount, "amount_captured": if error.is_none() { amount } else { 0 },
        "amount_refunded": 0, "application": null, "application_fee": null, "application_fee_amount": null,
        "balance_transaction": transaction, "billing_details": {"address": null, "email": null, "name": null},
        "captured": error.is_none(), "created": store.now, "currency": intent["currency"],
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
