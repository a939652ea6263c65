//! Test cards and payment methods. The last four digits decide the outcome of a payment, as with Stripe's test cards.

use serde_json::{Value, json};

use crate::error::{StripeResult, not_found};
use crate::params::Params;
use crate::store::{Store, list, text};

/// A test card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Card {
    /// A card whose payments succeed.
    Good,
    /// A card that is always declined.
    Declined,
    /// A card that is declined for insufficient funds.
    WithoutFunds,
    /// A card whose payments succeed after 3-D Secure.
    NeedsAuthentication,
}

/// The cards with their names at Stripe and their last digits.
const CARDS: [(Card, &str, &str); 4] = [
    (Card::Good, "pm_card_visa", "4242"),
    (Card::Declined, "pm_card_chargeDeclined", "0002"),
    (Card::WithoutFunds, "pm_card_chargeDeclinedInsufficientFunds", "9995"),
    (Card::NeedsAuthentication, "pm_card_authenticationRequired", "3184"),
];

impl Card {
    /// Returns the name that Stripe's API accepts as a payment method.
    pub fn name(self) -> &'static str {
        CARDS.iter().find(|(card, ..)| *card == self).map_or("pm_card_visa", |(_, name, _)| name)
    }
}

/// Returns the test card behind a payment method.
pub(crate) fn behavior(method: &Value) -> Card {
    let digits = text(&method["card"], "last4");
    CARDS.iter().find(|(.., last4)| *last4 == digits).map_or(Card::Good, |(card, ..)| *card)
}

/// Creates a payment method for a card, optionally attached to a customer.
pub(crate) fn create(store: &mut Store, card: Card, customer: Option<&str>) -> String {
    let id = store.new_id("pm_");
    let last4 = CARDS.iter().find(|(known, ..)| *known == card).map_or("4242", |(.., last4)| last4);
    store.insert(json!({
        "id": id, "object": "payment_method", "allow_redisplay": "unspecified",
        "billing_details": {"address": null, "email": null, "name": null, "phone": null},
        "card": {
            "brand": "visa", "country": "US", "display_brand": "visa", "exp_month": 12, "exp_year": 2050,
            "fingerprint": format!("print{last4}"), "funding": "credit", "last4": last4,
            "three_d_secure_usage": {"supported": true}, "wallet": null,
        },
        "created": store.now, "customer": customer, "livemode": false, "metadata": {}, "type": "card",
    }));
    if customer.is_some() {
        store.emit("payment_method.attached", &id);
    }
    id
}

/// Returns the payment method that a parameter names: an existing one, or a new one for a test card.
pub(crate) fn resolve(store: &mut Store, name: &str, customer: Option<&str>, param: &str) -> StripeResult<String> {
    if let Some((card, ..)) = CARDS.iter().find(|(_, known, _)| *known == name) {
        return Ok(create(store, *card, customer));
    }
    let method = store.find("payment_method", name, param)?;
    let others = method["customer"].as_str().is_some_and(|owner| Some(owner) != customer);
    if others { Err(not_found("payment_method", name, param)) } else { Ok(name.to_owned()) }
}

/// Handles `POST /v1/payment_methods/{id}/attach`.
pub(crate) fn attach(store: &mut Store, id: &str, params: &Params) -> StripeResult<Value> {
    params.allow_only(&["customer"])?;
    let customer = params.require("customer")?.to_owned();
    store.find("customer", &customer, "customer")?;
    let attached = resolve(store, id, Some(&customer), "")?;
    if store.get(&attached)["customer"].is_null() {
        store.update(&attached, "payment_method.updated", |method| method["customer"] = json!(customer));
        store.emit("payment_method.attached", &attached);
    }
    Ok(store.get(&attached).clone())
}

/// Makes a new card the default of a customer and of each subscription that has a payment method of its own.
pub(crate) fn set_default(store: &mut Store, customer: &str, card: Card) -> String {
    let method = create(store, card, Some(customer));
    store.update(customer, "customer.updated", |customer| {
        customer["invoice_settings"]["default_payment_method"] = json!(method);
    });
    for subscription in store.find_all("subscription", "customer", customer) {
        if !subscription["default_payment_method"].is_null() && subscription["ended_at"].is_null() {
            store.update(text(&subscription, "id"), "customer.subscription.updated", |subscription| {
                subscription["default_payment_method"] = json!(method);
            });
        }
    }
    method
}

/// Returns the payment method of a subscription, or else the default of its customer.
pub(crate) fn default_for(store: &Store, customer: &str, subscription: &Value) -> Option<String> {
    let own = subscription["default_payment_method"].as_str();
    let customers = store.get(customer)["invoice_settings"]["default_payment_method"].as_str();
    own.or(customers).map(str::to_owned)
}

/// Handles `GET /v1/customers/{id}/payment_methods`.
pub(crate) fn list_for(store: &Store, customer: &str) -> StripeResult<Vec<Value>> {
    store.find("customer", customer, "")?;
    let methods = store.find_all("payment_method", "customer", customer);
    Ok(list(&Value::Array(methods)).iter().rev().cloned().collect())
}
