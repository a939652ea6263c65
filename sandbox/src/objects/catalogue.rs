//! Products and prices.

use serde_json::{Value, json};

use crate::error::{StripeResult, invalid_request, malformed_parameter};
use crate::params::Params;
use crate::store::{Store, text};

/// Handles `POST /v1/products`.
pub(crate) fn create_product(store: &mut Store, params: &Params) -> StripeResult<Value> {
    params.allow_only(&["id", "name", "description", "metadata.*", "active"])?;
    let name = params.require("name")?;
    let id = match params.text("id") {
        Some(id) if store.get(id).is_null() => id.to_owned(),
        Some(_) => return Err(invalid_request("resource_already_exists", "", "Product already exists.")),
        None => store.new_id("prod_"),
    };
    let product = json!({
        "id": id, "object": "product", "active": params.flag("active")?.unwrap_or(true), "created": store.now,
        "default_price": null, "description": params.or_null("description"), "images": [], "livemode": false,
        "marketing_features": [], "metadata": params.metadata("metadata"), "name": name,
        "package_dimensions": null, "shippable": null, "statement_descriptor": null, "tax_code": null,
        "type": "service", "unit_label": null, "updated": store.now, "url": null,
    });
    Ok(store.create("product.created", product))
}

/// Handles `POST /v1/products/{id}`.
pub(crate) fn update_product(store: &mut Store, id: &str, params: &Params) -> StripeResult<Value> {
    params.allow_only(&["name", "description", "metadata.*", "active"])?;
    store.find("product", id, "")?;
    let (active, now) = (params.flag("active")?, store.now);
    Ok(store.update(id, "product.updated", |product| {
        params.write_metadata("metadata", &mut product["metadata"]);
        if let Some(name) = params.text("name") {
            product["name"] = json!(name);
        }
        if params.has("description") {
            product["description"] = params.or_null("description");
        }
        if let Some(active) = active {
            product["active"] = json!(active);
        }
        product["updated"] = json!(now);
    }))
}

/// Handles `DELETE /v1/products/{id}`.
pub(crate) fn delete_product(store: &mut Store, id: &str) -> StripeResult<Value> {
    store.find("product", id, "")?;
    if !store.find_all("price", "product", id).is_empty() {
        let message = "This product cannot be deleted because it has one or more user-created prices.";
        return Err(invalid_request("", "", message));
    }
    store.emit("product.deleted", id);
    store.edit(id, |product| product["deleted"] = json!(true));
    Ok(json!({"id": id, "object": "product", "deleted": true}))
}

/// Handles `POST /v1/prices`.
pub(crate) fn create_price(store: &mut Store, params: &Params) -> StripeResult<Value> {
    params.allow_only(&[
        "product",
        "currency",
        "unit_amount",
        "recurring.interval",
        "recurring.interval_count",
        "nickname",
        "metadata.*",
        "lookup_key",
        "transfer_lookup_key",
        "active",
        "tax_behavior",
    ])?;
    let product = store.find("product", params.require("product")?, "product")?;
    let currency = params.require("currency")?.to_lowercase();
    params.require("unit_amount")?;
    let amount = params.number("unit_amount")?.unwrap_or(0);
    if amount < 0 {
        return Err(malformed_parameter("parameter_invalid_integer", "unit_amount", "Invalid non-negative integer"));
    }
    let interval = params.one_of("recurring.interval", &["day", "week", "month", "year"])?;
    let count = params.number("recurring.interval_count")?.unwrap_or(1);
    let recurring = interval.map(|interval| {
        json!({"interval": interval, "interval_count": count, "meter": null, "trial_period_days": null,
            "usage_type": "licensed"})
    });
    if let Some(key) = params.text("lookup_key") {
        transfer_lookup_key(store, key, None, params.flag("transfer_lookup_key")? == Some(true))?;
    }
    let price = json!({
        "id": store.new_id("price_"), "object": "price", "active": params.flag("active")?.unwrap_or(true),
        "billing_scheme": "per_unit", "created": store.now, "currency": currency, "custom_unit_amount": null,
        "livemode": false, "lookup_key": params.or_null("lookup_key"), "metadata": params.metadata("metadata"),
        "nickname": params.or_null("nickname"), "product": product["id"],
        "tax_behavior": params.text("tax_behavior").unwrap_or("unspecified"), "tiers_mode": null,
        "transform_quantity": null, "type": if recurring.is_some() { "recurring" } else { "one_time" },
        "recurring": recurring, "unit_amount": amount, "unit_amount_decimal": amount.to_string(),
    });
    Ok(store.create("price.created", price))
}

/// Handles `POST /v1/prices/{id}`.
pub(crate) fn update_price(store: &mut Store, id: &str, params: &Params) -> StripeResult<Value> {
    params.allow_only(&["active", "metadata.*", "nickname", "lookup_key", "transfer_lookup_key", "tax_behavior"])?;
    store.find("price", id, "")?;
    if let Some(key) = params.text("lookup_key") {
        transfer_lookup_key(store, key, Some(id), params.flag("transfer_lookup_key")? == Some(true))?;
    }
    let active = params.flag("active")?;
    Ok(store.update(id, "price.updated", |price| {
        params.write_metadata("metadata", &mut price["metadata"]);
        for field in ["nickname", "lookup_key"].into_iter().filter(|field| params.has(field)) {
            price[field] = params.or_null(field);
        }
        if let Some(active) = active {
            price["active"] = json!(active);
        }
    }))
}

/// Transfers a lookup key from the price that has it. Returns an error unless the request allows the transfer.
fn transfer_lookup_key(store: &mut Store, key: &str, to: Option<&str>, transfer: bool) -> StripeResult<()> {
    for holder in store.find_all("price", "lookup_key", key) {
        let id = text(&holder, "id");
        if Some(id) == to {
            continue;
        }
        if !transfer {
            let message = format!("A price (`{id}`) already uses that lookup key.");
            return Err(invalid_request("resource_already_exists", "lookup_key", &message));
        }
        store.update(id, "price.updated", |price| price["lookup_key"] = Value::Null);
    }
    Ok(())
}
