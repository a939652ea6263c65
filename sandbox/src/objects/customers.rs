//! Customers.

use serde_json::{Value, json};

use crate::error::{StripeResult, invalid_request};
use crate::objects::cards;
use crate::params::Params;
use crate::store::Store;

const FIELDS: &[&str] = &["email", "name", "description", "phone"];

/// Handles `POST /v1/customers`.
pub(crate) fn create(store: &mut Store, params: &Params) -> StripeResult<Value> {
    params.allow_only(&[
        "email",
        "name",
        "description",
        "phone",
        "metadata.*",
        "payment_method",
        "invoice_settings.default_payment_method",
    ])?;
    check_email(params)?;
    let id = insert(store, params.metadata("metadata"), |customer| set_fields(customer, params));
    if let Some(name) = params.text("payment_method") {
        cards::resolve(store, name, Some(&id), "payment_method")?;
    }
    set_method(store, &id, params)?;
    store.emit("customer.created", &id);
    Ok(store.get(&id).clone())
}

/// Inserts a customer without an event.
pub(crate) fn insert(store: &mut Store, metadata: Value, adjust: impl FnOnce(&mut Value)) -> String {
    let id = store.new_id("cus_");
    let prefix: String = id.chars().skip(4).take(8).collect();
    let mut customer = json!({
        "id": id, "object": "customer", "address": null, "balance": 0, "created": store.now, "currency": null,
        "default_source": null, "delinquent": false, "description": null, "discount": null, "email": null,
        "invoice_prefix": prefix.to_uppercase(),
        "invoice_settings":
            {"custom_fields": null, "default_payment_method": null, "footer": null, "rendering_options": null},
        "livemode": false, "metadata": metadata, "name": null, "next_invoice_sequence": 1, "phone": null,
        "preferred_locales": [], "shipping": null, "tax_exempt": "none", "test_clock": null,
    });
    adjust(&mut customer);
    store.insert(customer);
    id
}

/// Rejects an address that is none.
fn check_email(params: &Params) -> StripeResult<()> {
    let Some(email) = params.text("email") else { return Ok(()) };
    let is_address = email.len() <= 512
        && email.is_ascii()
        && !email.contains(char::is_whitespace)
        && email
            .split_once('@')
            .is_some_and(|(name, host)| !name.is_empty() && host.contains('.') && !host.contains('@'));
    let rejected = || invalid_request("email_invalid", "email", &format!("Invalid email address: {email}"));
    if is_address { Ok(()) } else { Err(rejected()) }
}

fn set_fields(customer: &mut Value, params: &Params) {
    for field in FIELDS.iter().filter(|field| params.has(field)) {
        customer[*field] = params.or_null(field);
    }
}

fn set_method(store: &mut Store, id: &str, params: &Params) -> StripeResult<()> {
    let path = "invoice_settings.default_payment_method";
    if !params.has(path) {
        return Ok(());
    }
    let method = match params.text(path) {
        Some(name) => Some(cards::resolve(store, name, Some(id), "invoice_settings[default_payment_method]")?),
        None => None,
    };
    store.edit(id, |customer| customer["invoice_settings"]["default_payment_method"] = json!(method));
    Ok(())
}

/// Handles `POST /v1/customers/{id}`.
pub(crate) fn update(store: &mut Store, id: &str, params: &Params) -> StripeResult<Value> {
    params.allow_only(&[
        "email",
        "name",
        "description",
        "phone",
        "metadata.*",
        "invoice_settings.default_payment_method",
    ])?;
    let before = store.find("customer", id, "")?;
    check_email(params)?;
    set_method(store, id, params)?;
    store.edit(id, |customer| {
        set_fields(customer, params);
        params.write_metadata("metadata", &mut customer["metadata"]);
    });
    store.emit_update("customer.updated", id, &before);
    Ok(store.get(id).clone())
}
