//! Test cards, as Stripe's: what happens to a payment is decided by the last four digits.

use serde_json::{Value, json};

use super::form::Params;
use super::refusal::{Outcome, no_such};
use super::state::{State, list, text};

/// A card for testing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Card {
    /// Pays.
    Good,
    /// Is always declined.
    Declined,
    /// Is declined for want of money.
    WithoutFunds,
    /// Pays after its holder has confirmed that it is them.
    NeedsAuthentication,
}

/// The cards, with Stripe's names for them and their last digits.
const CARDS: [(Card, &str, &str); 4] = [
    (Card::Good, "pm_card_visa", "4242"),
    (Card::Declined, "pm_card_chargeDeclined", "0002"),
    (Card::WithoutFunds, "pm_card_chargeDeclinedInsufficientFunds", "9995"),
    (Card::NeedsAuthentication, "pm_card_authenticationRequired", "3184"),
];

impl Card {
    /// The name under which Stripe's API takes it for a payment method.
    pub fn name(self) -> &'static str {
        CARDS.iter().find(|(card, ..)| *card == self).map_or("pm_card_visa", |(_, name, _)| name)
    }
}

/// How the card behind a payment method behaves.
pub(super) fn behaviour(method: &Value) -> Card {
    let digits = text(&method["card"], "last4");
    CARDS.iter().find(|(.., last4)| *last4 == digits).map_or(Card::Good, |(card, ..)| *card)
}

/// A new payment method for a card, of nobody or of a customer.
pub(super) fn make(state: &mut State, card: Card, customer: Option<&str>) -> String {
    let id = state.new_id("pm_");
    let last4 = CARDS.iter().find(|(known, ..)| *known == card).map_or("4242", |(.., last4)| last4);
    state.put(json!({
        "id": id, "object": "payment_method", "allow_redisplay": "unspecified",
        "billing_details": {"address": null, "email": null, "name": null, "phone": null},
        "card": {
            "brand": "visa", "country": "US", "display_brand": "visa", "exp_month": 12, "exp_year": 2050,
            "fingerprint": format!("print{last4}"), "funding": "credit", "last4": last4,
            "three_d_secure_usage": {"supported": true}, "wallet": null,
        },
        "created": state.now, "customer": customer, "livemode": false, "metadata": {}, "type": "card",
    }));
    if customer.is_some() {
        state.tell("payment_method.attached", &id);
    }
    id
}

/// The payment method that a parameter names: one of ours, or a new one of a test card.
pub(super) fn named(state: &mut State, name: &str, customer: Option<&str>, param: &str) -> Outcome<String> {
    if let Some((card, ..)) = CARDS.iter().find(|(_, known, _)| *known == name) {
        return Ok(make(state, *card, customer));
    }
    let method = state.find("payment_method", name, param)?;
    let others = method["customer"].as_str().is_some_and(|owner| Some(owner) != customer);
    if others { Err(no_such("payment_method", name, param)) } else { Ok(name.to_owned()) }
}

/// `POST /v1/payment_methods/{id}/attach`
pub(super) fn attach(state: &mut State, id: &str, params: &Params) -> Outcome<Value> {
    params.allow(&["customer"])?;
    let customer = params.need("customer")?.to_owned();
    state.find("customer", &customer, "customer")?;
    let attached = named(state, id, Some(&customer), "")?;
    if state.get(&attached)["customer"].is_null() {
        state.update(&attached, "payment_method.updated", |method| method["customer"] = json!(customer));
        state.tell("payment_method.attached", &attached);
    }
    Ok(state.get(&attached).clone())
}

/// Makes a new card the one that a customer, and each of their subscriptions that has one of its own, pays with.
pub(super) fn set_default(state: &mut State, customer: &str, card: Card) -> String {
    let method = make(state, card, Some(customer));
    state.update(customer, "customer.updated", |customer| {
        customer["invoice_settings"]["default_payment_method"] = json!(method);
    });
    for subscription in state.with("subscription", "customer", customer) {
        if !subscription["default_payment_method"].is_null() && subscription["ended_at"].is_null() {
            state.update(text(&subscription, "id"), "customer.subscription.updated", |subscription| {
                subscription["default_payment_method"] = json!(method);
            });
        }
    }
    method
}

/// What a customer, or one of their subscriptions, pays with.
pub(super) fn default_of(state: &State, customer: &str, subscription: &Value) -> Option<String> {
    let own = subscription["default_payment_method"].as_str();
    let customers = state.get(customer)["invoice_settings"]["default_payment_method"].as_str();
    own.or(customers).map(str::to_owned)
}

/// `GET /v1/customers/{id}/payment_methods`
pub(super) fn of_customer(state: &State, customer: &str) -> Outcome<Vec<Value>> {
    state.find("customer", customer, "")?;
    let methods = state.with("payment_method", "customer", customer);
    Ok(list(&Value::Array(methods)).iter().rev().cloned().collect())
}
