//! Checkout sessions, and what customers do on their page.

use serde_json::{Value, json};

use super::basket;
use super::cards::{self, Card};
use super::customers;
use super::discounts;
use super::form::Params;
use super::invoices;
use super::payments::{self, Attempt, Purpose};
use super::refusal::{Outcome, missing, of_card, refused};
use super::state::{State, list, number, text};
use super::subscriptions::{self, Start};
use super::terms::days_after;

/// How long a session can be paid, in seconds.
const DAY: i64 = 86_400;

const CREATE: &[&str] = &[
    "mode",
    "customer",
    "customer_email",
    "customer_creation",
    "client_reference_id",
    "line_items.*.price",
    "line_items.*.quantity",
    "line_items.*.price_data.currency",
    "line_items.*.price_data.unit_amount",
    "line_items.*.price_data.product",
    "line_items.*.price_data.product_data.name",
    "line_items.*.price_data.recurring.interval",
    "line_items.*.price_data.recurring.interval_count",
    "discounts.*.promotion_code",
    "discounts.*.coupon",
    "allow_promotion_codes",
    "success_url",
    "cancel_url",
    "metadata.*",
    "subscription_data.metadata.*",
    "subscription_data.trial_period_days",
    "subscription_data.trial_end",
    "subscription_data.description",
    "subscription_data.trial_settings.end_behavior.missing_payment_method",
    "payment_intent_data.metadata.*",
    "payment_intent_data.description",
    "payment_intent_data.setup_future_usage",
    "payment_method_collection",
    "expires_at",
    "locale",
];

/// `POST /v1/checkout/sessions`
pub(super) fn create(state: &mut State, params: &Params) -> Outcome<Value> {
    params.allow(CREATE)?;
    let mode = params.word("mode", &["payment", "subscription"])?.ok_or_else(|| missing("mode"))?;
    let success_url = params.need("success_url")?.to_owned();
    let customer = params.or_null("customer");
    if let Some(id) = customer.as_str() {
        state.find("customer", id, "customer")?;
    }
    let other = if mode == "payment" { "subscription_data" } else { "payment_intent_data" };
    if params.has(other) {
        return Err(refused("", other, &format!("You can not pass `{other}` in `{mode}` mode.")));
    }
    let allows_codes = params.flag("allow_promotion_codes")?;
    if allows_codes.is_some() && params.has("discounts") {
        let message = "You may only specify one of these parameters: allow_promotion_codes, discounts.";
        return Err(refused("parameter_invalid", "allow_promotion_codes", message));
    }
    let expires_at = params.number("expires_at")?.unwrap_or(state.now + DAY);
    if !(state.now + 1800..=state.now + DAY).contains(&expires_at) {
        let message = "The `expires_at` timestamp must be between 30 minutes and 24 hours from session creation.";
        return Err(refused("", "expires_at", message));
    }
    let goods = basket::read(state, params, mode)?;
    let id = state.new_id("cs_test_");
    let collection = params.word("payment_method_collection", &["always", "if_required"])?.unwrap_or("always");
    let data = Params(params.at("subscription_data").clone());
    let trial = if mode == "subscription" { subscriptions::trial_end(state, &data)? } else { None };
    let mut session = blank();
    session["id"] = json!(id);
    session["allow_promotion_codes"] = json!(allows_codes);
    for field in ["cancel_url", "client_reference_id", "customer_email", "locale"] {
        session[field] = params.or_null(field);
    }
    session["created"] = json!(state.now);
    session["currency"] = goods[0].price["currency"].clone();
    session["customer"] = customer.clone();
    session["customer_creation"] = json!(if mode == "subscription" { "always" } else { "if_required" });
    session["expires_at"] = json!(expires_at);
    session["metadata"] = params.metadata("metadata");
    session["mode"] = json!(mode);
    session["payment_method_collection"] = json!(collection);
    session["success_url"] = json!(success_url);
    session["url"] = json!(format!("{}/pay/{id}", state.base));
    state.put(session);
    let amount = goods.iter().map(basket::Good::amount).sum();
    let chosen = discounts::chosen(state, params, &customer, amount)?;
    let data = if mode == "payment" { "payment_intent_data" } else { "subscription_data" };
    let metadata = params.metadata(&format!("{data}.metadata"));
    let description = params.or_null(&format!("{data}.description"));
    let days = trial.map(|end| end - state.now);
    basket::keep(state, &id, &goods, &chosen, json!({"metadata": metadata, "description": description, "trial": days}));
    Ok(state.get(&id).clone())
}

/// What all sessions have in common when they begin.
fn blank() -> Value {
    json!({
        "object": "checkout.session", "adaptive_pricing": {"enabled": false}, "after_expiration": null,
        "amount_subtotal": 0, "amount_total": 0,
        "automatic_tax": {"enabled": false, "liability": null, "provider": null, "status": null},
        "billing_address_collection": null, "client_secret": null, "consent": null, "custom_fields": [],
        "customer_details": null, "discounts": [], "invoice": null, "invoice_creation": null, "livemode": false,
        "payment_intent": null, "payment_link": null, "payment_method_types": ["card"], "payment_status": "unpaid",
        "recovered_from": null, "setup_intent": null, "shipping_options": [], "status": "open",
        "submit_type": null, "subscription": null,
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0}, "ui_mode": "hosted",
    })
}

/// `POST /v1/checkout/sessions/{id}/expire`
pub(super) fn expire_request(state: &mut State, id: &str, params: &Params) -> Outcome<Value> {
    params.allow(&[])?;
    open(state, id)?;
    expire(state, id);
    Ok(state.get(id).clone())
}

/// Ends a session that was not paid.
pub(super) fn expire(state: &mut State, id: &str) {
    state.edit(id, |session| {
        session["status"] = json!("expired");
        session["url"] = Value::Null;
    });
    let intent = text(state.get(id), "payment_intent").to_owned();
    payments::canceled(state, &intent, &json!("abandoned"));
    state.tell("checkout.session.expired", id);
}

/// A session that can still be paid.
pub(super) fn open(state: &State, id: &str) -> Outcome<Value> {
    let session = state.find("checkout.session", id, "")?;
    if session["status"] == "open" && number(&session, "expires_at") > state.now {
        return Ok(session);
    }
    let message = format!("This Checkout Session is {}.", text(&session, "status"));
    Err(refused("", "session", &message))
}

/// What follows when the customer presses the button. Gives the intent that they have to confirm, if they have to.
pub(super) fn pay(state: &mut State, id: &str, card: Card) -> Outcome<Option<String>> {
    let session = open(state, id)?;
    let payment = session["mode"] == "payment";
    let customer = customer(state, &session);
    let method = cards::make(state, card, customer.as_deref());
    if payment { pay_once(state, &session, &method) } else { subscribe(state, &session, &method) }
}

/// The customer of a session. One that subscribes becomes one.
fn customer(state: &mut State, session: &Value) -> Option<String> {
    let id = text(session, "id");
    let notes = basket::of(state, id);
    let known = session["customer"].as_str().or(notes["customer"].as_str()).map(str::to_owned);
    if known.is_some() || session["mode"] == "payment" {
        return known;
    }
    let email = session["customer_email"].as_str().unwrap_or("buyer@example.com").to_owned();
    let made = customers::make(state, json!({}), |customer| {
        customer["email"] = json!(email);
        customer["name"] = json!("Example Buyer");
    });
    state.tell("customer.created", &made);
    basket::note(state, id, "customer", &json!(made));
    Some(made)
}

fn pay_once(state: &mut State, session: &Value, method: &str) -> Outcome<Option<String>> {
    let id = text(session, "id");
    if session["amount_total"] == 0 {
        complete(state, id, "no_payment_required");
        return Ok(None);
    }
    let notes = basket::of(state, id);
    let intent = match session["payment_intent"].as_str() {
        Some(intent) => intent.to_owned(),
        None => {
            let purpose = Purpose {
                amount: number(session, "amount_total"),
                currency: text(session, "currency"),
                customer: session["customer"].clone(),
                description: notes["description"].clone(),
                metadata: notes["metadata"].clone(),
            };
            let intent = payments::make(state, &purpose);
            state.tell("payment_intent.created", &intent);
            state.edit(id, |session| session["payment_intent"] = json!(intent));
            intent
        }
    };
    outcome(state, &intent, method)
}

fn outcome(state: &mut State, intent: &str, method: &str) -> Outcome<Option<String>> {
    match payments::attempt(state, intent, Some(method), false) {
        Attempt::Paid => Ok(None),
        Attempt::Action => Ok(Some(intent.to_owned())),
        Attempt::Declined(error) => Err(of_card(&error, state.get(intent))),
        Attempt::NoCard => Err(invoices::no_card()),
    }
}

fn subscribe(state: &mut State, session: &Value, method: &str) -> Outcome<Option<String>> {
    let id = text(session, "id");
    let notes = basket::of(state, id);
    // A card that is kept for later is tried as well.
    let refuses = matches!(cards::behaviour(state.get(method)), Card::Declined | Card::WithoutFunds);
    if refuses && session["amount_total"] == 0 {
        let error = json!({"type": "card_error", "code": "card_declined", "decline_code": "generic_decline",
            "message": "Your card was declined."});
        return Err(subscriptions::undone(&error, &Value::Null));
    }
    let customer = notes["customer"].as_str().or(session["customer"].as_str()).unwrap_or_default().to_owned();
    let known = notes["subscription"].as_str().filter(|known| state.get(known)["status"] == "incomplete");
    let subscription = match known {
        Some(known) => known.to_owned(),
        None => {
            let trial_end = notes["trial"].as_i64().map(|seconds| days_after(state.now, seconds / DAY));
            let start = Start {
                customer: customer.clone(),
                items: basket::goods(&notes).into_iter().map(|good| (good.price, good.quantity)).collect(),
                trial_end,
                method: json!(method),
                discounts: basket::chosen(&notes),
                metadata: notes["metadata"].clone(),
                description: notes["description"].clone(),
            };
            let begun = subscriptions::begin(state, &start, |_, _| Ok(()))?;
            basket::note(state, id, "subscription", &json!(begun));
            begun
        }
    };
    state.update(&subscription, "customer.subscription.updated", |subscription| {
        subscription["default_payment_method"] = json!(method);
    });
    if state.get(&subscription)["status"] == "incomplete" {
        let invoice = text(state.get(&subscription), "latest_invoice").to_owned();
        let intent = invoices::intent_of(state, &invoice);
        return outcome(state, &intent, method);
    }
    complete(state, id, "no_payment_required");
    Ok(None)
}

/// The open session that an intent is to pay.
pub(super) fn session_of(state: &State, intent: &str) -> Option<String> {
    let mut open = state.of_kind("checkout.session").filter(|session| session["status"] == "open");
    let session = open.find(|session| {
        let notes = basket::of(state, text(session, "id"));
        let billed = text(state.get(text(&notes, "subscription")), "latest_invoice");
        session["payment_intent"] == intent || (!billed.is_empty() && invoices::intent_of(state, billed) == intent)
    });
    session.map(|session| text(session, "id").to_owned())
}

/// What follows for a session when an intent was paid.
pub(super) fn paid_by(state: &mut State, intent: &str) {
    if let Some(id) = session_of(state, intent) {
        complete(state, &id, "paid");
    }
}

fn complete(state: &mut State, id: &str, payment_status: &str) {
    let notes = basket::of(state, id);
    let subscription = state.get(text(&notes, "subscription")).clone();
    let customer = notes["customer"].as_str().map_or(state.get(id)["customer"].clone(), |made| json!(made));
    let person = state.get(customer.as_str().unwrap_or_default()).clone();
    let email = person["email"].as_str().or(state.get(id)["customer_email"].as_str()).unwrap_or("buyer@example.com");
    let details = json!({"address": null, "email": email, "name": person["name"], "phone": null,
        "tax_exempt": "none", "tax_ids": []});
    if state.get(id)["mode"] == "payment" {
        // Those of a subscription were counted when it began.
        for chosen in basket::chosen(&notes) {
            discounts::count(state, &chosen);
        }
    }
    state.edit(id, |session| {
        session["status"] = json!("complete");
        session["payment_status"] = json!(payment_status);
        session["customer"] = customer;
        session["customer_details"] = details;
        session["url"] = Value::Null;
        if !subscription.is_null() {
            session["subscription"] = subscription["id"].clone();
            session["invoice"] = subscription["latest_invoice"].clone();
        }
    });
    state.tell("checkout.session.completed", id);
}

/// Puts on the promotion code that a customer typed.
pub(super) fn use_code(state: &mut State, id: &str, typed: &str) -> Outcome<()> {
    let session = open(state, id)?;
    if session["allow_promotion_codes"] != true {
        return Err(refused("", "code", "This session takes no promotion codes."));
    }
    let mut codes = state.of_kind("promotion_code").rev();
    let found =
        codes.find(|code| code["active"] == true && text(code, "code").eq_ignore_ascii_case(typed.trim())).cloned();
    drop(codes);
    let Some(code) = found else { return Err(refused("resource_missing", "code", "This code is invalid.")) };
    let amount = number(&session, "amount_subtotal");
    let chosen = discounts::by_code(state, &code, &session["customer"], amount, "code")?;
    let notes = basket::of(state, id);
    let goods = basket::goods(&notes);
    basket::keep(state, id, &goods, &[chosen], notes);
    // An attempt that failed has left an intent over what it was before.
    if let Some(intent) = session["payment_intent"].as_str() {
        let amount = state.get(id)["amount_total"].clone();
        state.edit(intent, |intent| intent["amount"] = amount);
    }
    Ok(())
}

/// `GET /v1/checkout/sessions/{id}/line_items`
pub(super) fn line_items(state: &State, id: &str) -> Outcome<Vec<Value>> {
    state.find("checkout.session", id, "")?;
    Ok(list(&basket::of(state, id)["lines"]).to_vec())
}
