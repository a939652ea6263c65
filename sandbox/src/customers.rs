//! Customers.

use serde_json::{Value, json};

use super::cancel;
use super::cards;
use super::form::Params;
use super::refusal::Outcome;
use super::state::{State, text};

const FIELDS: &[&str] = &["email", "name", "description", "phone"];

/// `POST /v1/customers`
pub(super) fn create(state: &mut State, params: &Params) -> Outcome<Value> {
    params.allow(&[
        "email",
        "name",
        "description",
        "phone",
        "metadata.*",
        "payment_method",
        "invoice_settings.default_payment_method",
    ])?;
    let id = make(state, params.metadata("metadata"), |customer| set_fields(customer, params));
    if let Some(name) = params.text("payment_method") {
        cards::named(state, name, Some(&id), "payment_method")?;
    }
    set_method(state, &id, params)?;
    state.tell("customer.created", &id);
    Ok(state.get(&id).clone())
}

/// A new customer, of whom nothing is told yet.
pub(super) fn make(state: &mut State, metadata: Value, adjust: impl FnOnce(&mut Value)) -> String {
    let id = state.new_id("cus_");
    let prefix: String = id.chars().skip(4).take(8).collect();
    let mut customer = json!({
        "id": id, "object": "customer", "address": null, "balance": 0, "created": state.now, "currency": null,
        "default_source": null, "delinquent": false, "description": null, "discount": null, "email": null,
        "invoice_prefix": prefix.to_uppercase(),
        "invoice_settings":
            {"custom_fields": null, "default_payment_method": null, "footer": null, "rendering_options": null},
        "livemode": false, "metadata": metadata, "name": null, "next_invoice_sequence": 1, "phone": null,
        "preferred_locales": [], "shipping": null, "tax_exempt": "none", "test_clock": null,
    });
    adjust(&mut customer);
    state.put(customer);
    id
}

fn set_fields(customer: &mut Value, params: &Params) {
    for field in FIELDS.iter().filter(|field| params.has(field)) {
        customer[*field] = params.or_null(field);
    }
}

fn set_method(state: &mut State, id: &str, params: &Params) -> Outcome<()> {
    let path = "invoice_settings.default_payment_method";
    if !params.has(path) {
        return Ok(());
    }
    let method = match params.text(path) {
        Some(name) => Some(cards::named(state, name, Some(id), "invoice_settings[default_payment_method]")?),
        None => None,
    };
    state.edit(id, |customer| customer["invoice_settings"]["default_payment_method"] = json!(method));
    Ok(())
}

/// `POST /v1/customers/{id}`
pub(super) fn update(state: &mut State, id: &str, params: &Params) -> Outcome<Value> {
    params.allow(&[
        "email",
        "name",
        "description",
        "phone",
        "metadata.*",
        "invoice_settings.default_payment_method",
    ])?;
    let before = state.find("customer", id, "")?;
    set_method(state, id, params)?;
    state.edit(id, |customer| {
        set_fields(customer, params);
        params.write_metadata("metadata", &mut customer["metadata"]);
    });
    state.tell_change("customer.updated", id, &before);
    Ok(state.get(id).clone())
}

/// `DELETE /v1/customers/{id}`: their subscriptions end with that.
pub(super) fn delete(state: &mut State, id: &str) -> Outcome<Value> {
    state.find("customer", id, "")?;
    for subscription in state.with("subscription", "customer", id) {
        cancel::end(state, text(&subscription, "id"), "cancellation_requested");
    }
    state.tell("customer.deleted", id);
    state.edit(id, |customer| customer["deleted"] = json!(true));
    Ok(json!({"id": id, "object": "customer", "deleted": true}))
}
