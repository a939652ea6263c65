//! Coupons and promotion codes.

use serde_json::{Value, json};

use crate::error::{StripeResult, invalid_request, malformed_parameter, missing_parameter};
use crate::params::Params;
use crate::store::{Store, text};

/// Handles `POST /v1/coupons`.
pub(crate) fn create_coupon(store: &mut Store, params: &Params) -> StripeResult<Value> {
    params.allow_only(&[
        "id",
        "name",
        "percent_off",
        "amount_off",
        "currency",
        "duration",
        "duration_in_months",
        "max_redemptions",
        "redeem_by",
        "metadata.*",
        "applies_to.products.*",
    ])?;
    let duration = params.one_of("duration", &["forever", "once", "repeating"])?.unwrap_or("once");
    if params.has("percent_off") == params.has("amount_off") {
        return Err(missing_parameter("percent_off"));
    }
    let percent = match params.text("percent_off") {
        None => Value::Null,
        Some(text) => serde_json::from_str::<serde_json::Number>(text)
            .map(Value::Number)
            .map_err(|_| malformed_parameter("parameter_invalid_decimal", "percent_off", "Invalid decimal"))?,
    };
    if params.has("amount_off") {
        params.require("currency")?;
    }
    if duration == "repeating" {
        params.require("duration_in_months")?;
    }
    let id = match params.text("id") {
        Some(id) if store.get(id).is_null() => id.to_owned(),
        Some(_) => return Err(invalid_request("resource_already_exists", "", "Coupon already exists.")),
        None => store.new_id(""),
    };
    for product in params.list("applies_to.products") {
        let id = product.0.as_str().unwrap_or_default();
        store.find("product", id, "applies_to[products]")?;
    }
    let mut coupon = json!({
        "id": id, "object": "coupon", "amount_off": params.number_or_null("amount_off")?, "created": store.now,
        "currency": params.or_null("currency"), "duration": duration,
        "duration_in_months": params.number_or_null("duration_in_months")?, "livemode": false,
        "max_redemptions": params.number_or_null("max_redemptions")?, "metadata": params.metadata("metadata"),
        "name": params.or_null("name"), "percent_off": percent, "redeem_by": params.number_or_null("redeem_by")?,
        "times_redeemed": 0, "valid": true,
    });
    if params.has("applies_to") {
        coupon["applies_to"] = json!({"products": params.get("applies_to.products")});
    }
    Ok(store.create("coupon.created", coupon))
}

/// Handles `POST /v1/coupons/{id}`.
pub(crate) fn update_coupon(store: &mut Store, id: &str, params: &Params) -> StripeResult<Value> {
    params.allow_only(&["name", "metadata.*"])?;
    store.find("coupon", id, "")?;
    Ok(store.update(id, "coupon.updated", |coupon| {
        params.write_metadata("metadata", &mut coupon["metadata"]);
        if params.has("name") {
            coupon["name"] = params.or_null("name");
        }
    }))
}

/// Handles `DELETE /v1/coupons/{id}`. Discounts that it gave stay.
pub(crate) fn delete_coupon(store: &mut Store, id: &str) -> StripeResult<Value> {
    store.find("coupon", id, "")?;
    for code in store.find_all("promotion_code", "coupon", id) {
        store.update(text(&code, "id"), "promotion_code.updated", |code| code["active"] = json!(false));
    }
    store.emit("coupon.deleted", id);
    store.edit(id, |coupon| {
        coupon["valid"] = json!(false);
        coupon["deleted"] = json!(true);
    });
    Ok(json!({"id": id, "object": "coupon", "deleted": true}))
}

/// Handles `POST /v1/promotion_codes`.
pub(crate) fn create_code(store: &mut Store, params: &Params) -> StripeResult<Value> {
    params.allow_only(&[
        "coupon",
        "code",
        "customer",
        "max_redemptions",
        "expires_at",
        "restrictions.first_time_transaction",
        "restrictions.minimum_amount",
        "restrictions.minimum_amount_currency",
        "active",
        "metadata.*",
    ])?;
    let coupon = store.find("coupon", params.require("coupon")?, "coupon")?;
    let id = store.new_id("promo_");
    let code = match params.text("code") {
        Some(code) => code.to_owned(),
        None => id.chars().skip(6).take(8).collect::<String>().to_uppercase(),
    };
    let active = params.flag("active")? != Some(false);
    let mut codes = store.all("promotion_code");
    if active && codes.any(|known| known["active"] == true && text(known, "code").eq_ignore_ascii_case(&code)) {
        let message = format!("An active promotion code with `code: {code}` already exists.");
        return Err(invalid_request("", "code", &message));
    }
    drop(codes);
    if let Some(customer) = params.text("customer") {
        store.find("customer", customer, "customer")?;
    }
    let restrictions = json!({
        "first_time_transaction": params.flag("restrictions.first_time_transaction")?.unwrap_or(false),
        "minimum_amount": params.number_or_null("restrictions.minimum_amount")?,
        "minimum_amount_currency": params.or_null("restrictions.minimum_amount_currency"),
    });
    let code = json!({
        "id": id, "object": "promotion_code", "active": active, "code": code, "coupon": coupon["id"],
        "created": store.now, "customer": params.or_null("customer"),
        "expires_at": params.number_or_null("expires_at")?, "livemode": false,
        "max_redemptions": params.number_or_null("max_redemptions")?, "metadata": params.metadata("metadata"),
        "restrictions": restrictions, "times_redeemed": 0,
    });
    Ok(store.create("promotion_code.created", code))
}

/// Handles `POST /v1/promotion_codes/{id}`.
pub(crate) fn update_code(store: &mut Store, id: &str, params: &Params) -> StripeResult<Value> {
    params.allow_only(&["active", "metadata.*"])?;
    store.find("promotion_code", id, "")?;
    let active = params.flag("active")?;
    Ok(store.update(id, "promotion_code.updated", |code| {
        params.write_metadata("metadata", &mut code["metadata"]);
        if let Some(active) = active {
            code["active"] = json!(active);
        }
    }))
}
