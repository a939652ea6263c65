//! Checkout sessions.

use serde_json::{Value, json};

use crate::error::{StripeResult, invalid_request, missing_parameter};
use crate::objects::basket;
use crate::objects::discounts;
use crate::objects::intents;
use crate::objects::invoices;
use crate::objects::subscriptions;
use crate::params::Params;
use crate::store::{Store, list, number, text};

/// The lifetime of a session, in seconds.
const MAX_LIFETIME_SECONDS: i64 = 86_400;

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

/// Handles `POST /v1/checkout/sessions`.
pub(crate) fn create(store: &mut Store, params: &Params) -> StripeResult<Value> {
    params.allow_only(CREATE)?;
    let mode = params.one_of("mode", &["payment", "subscription"])?.ok_or_else(|| missing_parameter("mode"))?;
    let success_url = params.require("success_url")?.to_owned();
    let customer = params.or_null("customer");
    if let Some(id) = customer.as_str() {
        store.find("customer", id, "customer")?;
    }
    let other = if mode == "payment" { "subscription_data" } else { "payment_intent_data" };
    if params.has(other) {
        return Err(invalid_request("", other, &format!("You can not pass `{other}` in `{mode}` mode.")));
    }
    let allows_codes = params.flag("allow_promotion_codes")?;
    if allows_codes.is_some() && params.has("discounts") {
        let message = "You may only specify one of these parameters: allow_promotion_codes, discounts.";
        return Err(invalid_request("parameter_invalid", "allow_promotion_codes", message));
    }
    let expires_at = params.number("expires_at")?.unwrap_or(store.now + MAX_LIFETIME_SECONDS);
    if !(store.now + 1800..=store.now + MAX_LIFETIME_SECONDS).contains(&expires_at) {
        let message = "The `expires_at` timestamp must be between 30 minutes and 24 hours from session creation.";
        return Err(invalid_request("", "expires_at", message));
    }
    let items = basket::parse(store, params, mode)?;
    let id = store.new_id("cs_test_");
    let collection = params.one_of("payment_method_collection", &["always", "if_required"])?.unwrap_or("always");
    let data = Params(params.get("subscription_data").clone());
    let trial = if mode == "subscription" { subscriptions::trial_end(store, &data)? } else { None };
    let mut session = blank();
    session["id"] = json!(id);
    session["allow_promotion_codes"] = json!(allows_codes);
    for field in ["cancel_url", "client_reference_id", "customer_email", "locale"] {
        session[field] = params.or_null(field);
    }
    session["created"] = json!(store.now);
    session["currency"] = items[0].price["currency"].clone();
    session["customer"] = customer.clone();
    session["customer_creation"] = json!(if mode == "subscription" { "always" } else { "if_required" });
    session["expires_at"] = json!(expires_at);
    session["metadata"] = params.metadata("metadata");
    session["mode"] = json!(mode);
    session["payment_method_collection"] = json!(collection);
    session["success_url"] = json!(success_url);
    session["url"] = json!(format!("{}/pay/{id}", store.base_url));
    store.insert(session);
    let amount = items.iter().map(basket::BasketItem::amount).sum();
    let coupons = discounts::resolve(store, params, &customer, amount)?;
    let data = if mode == "payment" { "payment_intent_data" } else { "subscription_data" };
    let metadata = params.metadata(&format!("{data}.metadata"));
    let description = params.or_null(&format!("{data}.description"));
    let days = trial.map(|end| end - store.now);
    basket::save(
        store,
        &id,
        &items,
        &coupons,
        json!({"metadata": metadata, "description": description, "trial": days}),
    );
    Ok(store.get(&id).clone())
}

/// Returns the common fields of new sessions.
fn blank() -> Value {
    json!({
        "object": "checkout.session", "adaptive_pricing": {"enabled": false}, "after_expiration": null,
        "amount_subtotal": 0, "amount_total": 0,
        "automatic_tax": {"enabled": false, "liability": null, "provider": null, "status": null},
        "billing_address_collection": null, "client_secret": null, "collected_information": null, "consent": null,
        "consent_collection": null, "currency_conversion": null, "custom_fields": [],
        "custom_text":
            {"after_submit": null, "shipping_address": null, "submit": null, "terms_of_service_acceptance": null},
        "customer_details": null, "discounts": [], "invoice": null, "invoice_creation": null, "livemode": false,
        "origin_context": null, "payment_intent": null, "payment_link": null,
        "payment_method_configuration_details": null, "payment_method_options": null,
        "payment_method_types": ["card"], "payment_status": "unpaid", "permissions": null, "recovered_from": null,
        "saved_payment_method_options": null, "setup_intent": null, "shipping_address_collection": null,
        "shipping_cost": null, "shipping_options": [], "status": "open", "wallet_options": null,
        "submit_type": null, "subscription": null,
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0}, "ui_mode": "hosted",
    })
}

/// Handles `POST /v1/checkout/sessions/{id}/expire`.
pub(crate) fn expire_request(store: &mut Store, id: &str, params: &Params) -> StripeResult<Value> {
    params.allow_only(&[])?;
    find_open(store, id)?;
    expire(store, id);
    Ok(store.get(id).clone())
}

/// Expires a session that was not paid.
pub(crate) fn expire(store: &mut Store, id: &str) {
    store.edit(id, |session| {
        session["status"] = json!("expired");
        session["url"] = Value::Null;
    });
    let intent = text(store.get(id), "payment_intent").to_owned();
    intents::cancel(store, &intent, &json!("abandoned"));
    store.emit("checkout.session.expired", id);
}

/// Returns a session that can still be paid.
pub(crate) fn find_open(store: &Store, id: &str) -> StripeResult<Value> {
    let session = store.find("checkout.session", id, "")?;
    if session["status"] == "open" && number(&session, "expires_at") > store.now {
        return Ok(session);
    }
    let message = format!("This Checkout Session is {}.", text(&session, "status"));
    Err(invalid_request("", "session", &message))
}

/// Returns the open session of an intent.
pub(crate) fn open_session_of(store: &Store, intent: &str) -> Option<String> {
    let mut open = store.all("checkout.session").filter(|session| session["status"] == "open");
    let session = open.find(|session| {
        let notes = basket::load(store, text(session, "id"));
        let billed = text(store.get(text(&notes, "subscription")), "latest_invoice");
        session["payment_intent"] == intent || (!billed.is_empty() && invoices::intent_of(store, billed) == intent)
    });
    session.map(|session| text(session, "id").to_owned())
}

/// Completes a session, and emits the event.
pub(crate) fn complete(store: &mut Store, id: &str, payment_status: &str) {
    let notes = basket::load(store, id);
    let subscription = store.get(text(&notes, "subscription")).clone();
    let customer = notes["customer"].as_str().map_or(store.get(id)["customer"].clone(), |made| json!(made));
    let person = store.get(customer.as_str().unwrap_or_default()).clone();
    let email = person["email"].as_str().or(store.get(id)["customer_email"].as_str()).unwrap_or("buyer@example.com");
    let details = json!({"address": null, "email": email, "name": person["name"], "phone": null,
        "tax_exempt": "none", "tax_ids": []});
    if store.get(id)["mode"] == "payment" {
        // Redemptions of a subscription were counted at its creation.
        for coupon in basket::coupons(&notes) {
            discounts::count_redemption(store, &coupon);
        }
    }
    store.edit(id, |session| {
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
    store.emit("checkout.session.completed", id);
}

/// Handles `GET /v1/checkout/sessions/{id}/line_items`.
pub(crate) fn line_items(store: &Store, id: &str) -> StripeResult<Vec<Value>> {
    store.find("checkout.session", id, "")?;
    Ok(list(&basket::load(store, id)["lines"]).to_vec())
}
