//! Products and prices.

use serde_json::{Value, json};

use super::form::Params;
use super::refusal::{Outcome, malformed, refused};
use super::state::{State, text};

/// `POST /v1/products`
pub(super) fn create_product(state: &mut State, params: &Params) -> Outcome<Value> {
    params.allow(&["id", "name", "description", "metadata.*", "active"])?;
    let name = params.need("name")?;
    let id = match params.text("id") {
        Some(id) if state.get(id).is_null() => id.to_owned(),
        Some(_) => return Err(refused("resource_already_exists", "", "Product already exists.")),
        None => state.new_id("prod_"),
    };
    let product = json!({
        "id": id, "object": "product", "active": params.flag("active")?.unwrap_or(true), "created": state.now,
        "default_price": null, "description": params.or_null("description"), "images": [], "livemode": false,
        "marketing_features": [], "metadata": params.metadata("metadata"), "name": name,
        "package_dimensions": null, "shippable": null, "statement_descriptor": null, "tax_code": null,
        "type": "service", "unit_label": null, "updated": state.now, "url": null,
    });
    Ok(state.create("product.created", product))
}

/// `POST /v1/products/{id}`
pub(super) fn update_product(state: &mut State, id: &str, params: &Params) -> Outcome<Value> {
    params.allow(&["name", "description", "metadata.*", "active"])?;
    state.find("product", id, "")?;
    let (active, now) = (params.flag("active")?, state.now);
    Ok(state.update(id, "product.updated", |product| {
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

/// `DELETE /v1/products/{id}`
pub(super) fn delete_product(state: &mut State, id: &str) -> Outcome<Value> {
    state.find("product", id, "")?;
    if !state.with("price", "product", id).is_empty() {
        let message = "This product cannot be deleted because it has one or more user-created prices.";
        return Err(refused("", "", message));
    }
    state.tell("product.deleted", id);
    state.edit(id, |product| product["deleted"] = json!(true));
    Ok(json!({"id": id, "object": "product", "deleted": true}))
}

/// `POST /v1/prices`
pub(super) fn create_price(state: &mut State, params: &Params) -> Outcome<Value> {
    params.allow(&[
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
    let product = state.find("product", params.need("product")?, "product")?;
    let currency = params.need("currency")?.to_lowercase();
    params.need("unit_amount")?;
    let amount = params.number("unit_amount")?.unwrap_or(0);
    if amount < 0 {
        return Err(malformed("parameter_invalid_integer", "unit_amount", "Invalid non-negative integer"));
    }
    let interval = params.word("recurring.interval", &["day", "week", "month", "year"])?;
    let count = params.number("recurring.interval_count")?.unwrap_or(1);
    let recurring = interval.map(|interval| {
        json!({"interval": interval, "interval_count": count, "meter": null, "trial_period_days": null,
            "usage_type": "licensed"})
    });
    if let Some(key) = params.text("lookup_key") {
        take_key(state, key, None, params.flag("transfer_lookup_key")? == Some(true))?;
    }
    let price = json!({
        "id": state.new_id("price_"), "object": "price", "active": params.flag("active")?.unwrap_or(true),
        "billing_scheme": "per_unit", "created": state.now, "currency": currency, "custom_unit_amount": null,
        "livemode": false, "lookup_key": params.or_null("lookup_key"), "metadata": params.metadata("metadata"),
        "nickname": params.or_null("nickname"), "product": product["id"],
        "tax_behavior": params.text("tax_behavior").unwrap_or("unspecified"), "tiers_mode": null,
        "transform_quantity": null, "type": if recurring.is_some() { "recurring" } else { "one_time" },
        "recurring": recurring, "unit_amount": amount, "unit_amount_decimal": amount.to_string(),
    });
    Ok(state.create("price.created", price))
}

/// `POST /v1/prices/{id}`
pub(super) fn update_price(state: &mut State, id: &str, params: &Params) -> Outcome<Value> {
    params.allow(&["active", "metadata.*", "nickname", "lookup_key", "transfer_lookup_key", "tax_behavior"])?;
    state.find("price", id, "")?;
    if let Some(key) = params.text("lookup_key") {
        take_key(state, key, Some(id), params.flag("transfer_lookup_key")? == Some(true))?;
    }
    let active = params.flag("active")?;
    Ok(state.update(id, "price.updated", |price| {
        params.write_metadata("metadata", &mut price["metadata"]);
        for field in ["nickname", "lookup_key"].into_iter().filter(|field| params.has(field)) {
            price[field] = params.or_null(field);
        }
        if let Some(active) = active {
            price["active"] = json!(active);
        }
    }))
}

/// Takes a lookup key from the price that has it, where that is asked for.
fn take_key(state: &mut State, key: &str, own: Option<&str>, transfer: bool) -> Outcome<()> {
    for holder in state.with("price", "lookup_key", key) {
        let id = text(&holder, "id");
        if Some(id) == own {
            continue;
        }
        if !transfer {
            let message = format!("A price (`{id}`) already uses that lookup key.");
            return Err(refused("resource_already_exists", "lookup_key", &message));
        }
        state.update(id, "price.updated", |price| price["lookup_key"] = Value::Null);
    }
    Ok(())
}
