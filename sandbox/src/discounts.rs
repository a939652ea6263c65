//! Coupons, promotion codes, and the discounts that they give.

use serde_json::{Value, json};

use super::form::Params;
use super::refusal::{Outcome, malformed, missing, no_such, refused};
use super::state::{State, number, text};
use super::terms::months_after;

/// A coupon that was asked for, and the code that led to it.
#[derive(Debug, Clone)]
pub(super) struct Chosen {
    pub(super) coupon: String,
    pub(super) promotion_code: Option<String>,
}

/// `POST /v1/coupons`
pub(super) fn create_coupon(state: &mut State, params: &Params) -> Outcome<Value> {
    params.allow(&[
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
    let duration = params.word("duration", &["forever", "once", "repeating"])?.unwrap_or("once");
    if params.has("percent_off") == params.has("amount_off") {
        return Err(missing("percent_off"));
    }
    let percent = match params.text("percent_off") {
        None => Value::Null,
        Some(text) => serde_json::from_str::<serde_json::Number>(text)
            .map(Value::Number)
            .map_err(|_| malformed("parameter_invalid_decimal", "percent_off", "Invalid decimal"))?,
    };
    if params.has("amount_off") {
        params.need("currency")?;
    }
    if duration == "repeating" {
        params.need("duration_in_months")?;
    }
    let id = match params.text("id") {
        Some(id) if state.get(id).is_null() => id.to_owned(),
        Some(_) => return Err(refused("resource_already_exists", "", "Coupon already exists.")),
        None => state.new_id(""),
    };
    for product in params.list("applies_to.products") {
        let id = product.0.as_str().unwrap_or_default();
        state.find("product", id, "applies_to[products]")?;
    }
    let mut coupon = json!({
        "id": id, "object": "coupon", "amount_off": params.number_or_null("amount_off")?, "created": state.now,
        "currency": params.or_null("currency"), "duration": duration,
        "duration_in_months": params.number_or_null("duration_in_months")?, "livemode": false,
        "max_redemptions": params.number_or_null("max_redemptions")?, "metadata": params.metadata("metadata"),
        "name": params.or_null("name"), "percent_off": percent, "redeem_by": params.number_or_null("redeem_by")?,
        "times_redeemed": 0, "valid": true,
    });
    if params.has("applies_to") {
        coupon["applies_to"] = json!({"products": params.at("applies_to.products")});
    }
    Ok(state.create("coupon.created", coupon))
}

/// `POST /v1/coupons/{id}`
pub(super) fn update_coupon(state: &mut State, id: &str, params: &Params) -> Outcome<Value> {
    params.allow(&["name", "metadata.*"])?;
    state.find("coupon", id, "")?;
    Ok(state.update(id, "coupon.updated", |coupon| {
        params.write_metadata("metadata", &mut coupon["metadata"]);
        if params.has("name") {
            coupon["name"] = params.or_null("name");
        }
    }))
}

/// `DELETE /v1/coupons/{id}`: what it has given stays.
pub(super) fn delete_coupon(state: &mut State, id: &str) -> Outcome<Value> {
    state.find("coupon", id, "")?;
    for code in state.with("promotion_code", "coupon", id) {
        state.update(text(&code, "id"), "promotion_code.updated", |code| code["active"] = json!(false));
    }
    state.tell("coupon.deleted", id);
    state.edit(id, |coupon| {
        coupon["valid"] = json!(false);
        coupon["deleted"] = json!(true);
    });
    Ok(json!({"id": id, "object": "coupon", "deleted": true}))
}

/// `POST /v1/promotion_codes`
pub(super) fn create_code(state: &mut State, params: &Params) -> Outcome<Value> {
    params.allow(&[
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
    let coupon = state.find("coupon", params.need("coupon")?, "coupon")?;
    let id = state.new_id("promo_");
    let code = match params.text("code") {
        Some(code) => code.to_owned(),
        None => id.chars().skip(6).take(8).collect::<String>().to_uppercase(),
    };
    let active = params.flag("active")? != Some(false);
    let mut codes = state.of_kind("promotion_code");
    if active && codes.any(|known| known["active"] == true && text(known, "code").eq_ignore_ascii_case(&code)) {
        let message = format!("An active promotion code with `code: {code}` already exists.");
        return Err(refused("", "code", &message));
    }
    drop(codes);
    if let Some(customer) = params.text("customer") {
        state.find("customer", customer, "customer")?;
    }
    let restrictions = json!({
        "first_time_transaction": params.flag("restrictions.first_time_transaction")?.unwrap_or(false),
        "minimum_amount": params.number_or_null("restrictions.minimum_amount")?,
        "minimum_amount_currency": params.or_null("restrictions.minimum_amount_currency"),
    });
    let code = json!({
        "id": id, "object": "promotion_code", "active": active, "code": code, "coupon": coupon["id"],
        "created": state.now, "customer": params.or_null("customer"),
        "expires_at": params.number_or_null("expires_at")?, "livemode": false,
        "max_redemptions": params.number_or_null("max_redemptions")?, "metadata": params.metadata("metadata"),
        "restrictions": restrictions, "times_redeemed": 0,
    });
    Ok(state.create("promotion_code.created", code))
}

/// `POST /v1/promotion_codes/{id}`
pub(super) fn update_code(state: &mut State, id: &str, params: &Params) -> Outcome<Value> {
    params.allow(&["active", "metadata.*"])?;
    state.find("promotion_code", id, "")?;
    let active = params.flag("active")?;
    Ok(state.update(id, "promotion_code.updated", |code| {
        params.write_metadata("metadata", &mut code["metadata"]);
        if let Some(active) = active {
            code["active"] = json!(active);
        }
    }))
}

/// What `discounts[n]` names, where all of it may be used by this customer for a purchase of this amount.
pub(super) fn chosen(state: &State, params: &Params, customer: &Value, amount: i64) -> Outcome<Vec<Chosen>> {
    let mut chosen = Vec::new();
    for (at, entry) in params.list("discounts").iter().enumerate() {
        if let Some(code) = entry.text("promotion_code") {
            let param = format!("discounts[{at}][promotion_code]");
            let code = state.find("promotion_code", code, &param)?;
            chosen.push(by_code(state, &code, customer, amount, &param)?);
        } else if let Some(coupon) = entry.text("coupon") {
            let param = format!("discounts[{at}][coupon]");
            usable(state, coupon, &param)?;
            chosen.push(Chosen { coupon: coupon.to_owned(), promotion_code: None });
        }
    }
    Ok(chosen)
}

/// A promotion code, if it may be used.
pub(super) fn by_code(state: &State, code: &Value, customer: &Value, amount: i64, param: &str) -> Outcome<Chosen> {
    let id = text(code, "id");
    let name = text(code, "code");
    if code["expires_at"].as_i64().is_some_and(|end| end <= state.now) || is_spent(code) {
        return Err(refused("coupon_expired", param, &format!("Promotion code {name} has expired.")));
    }
    if code["active"] != true {
        return Err(refused("resource_missing", param, &format!("No such active promotion code: '{id}'")));
    }
    let restrictions = &code["restrictions"];
    if code["customer"].as_str().is_some_and(|only| customer != only) {
        return Err(refused("", param, "This promotion code is not valid for this customer."));
    }
    let bought = |kind: &str| {
        let mut objects = state.of_kind(kind);
        objects.any(|object| object["customer"] == *customer && object["status"] == "succeeded")
    };
    if restrictions["first_time_transaction"] == true && !customer.is_null() && bought("payment_intent") {
        let message = "This promotion code cannot be redeemed because the associated customer has prior transactions.";
        return Err(refused("", param, message));
    }
    if restrictions["minimum_amount"].as_i64().is_some_and(|least| amount < least) {
        let message = "This promotion code cannot be redeemed because the minimum amount is not reached.";
        return Err(refused("", param, message));
    }
    let coupon = text(code, "coupon");
    usable(state, coupon, param)?;
    Ok(Chosen { coupon: coupon.to_owned(), promotion_code: Some(id.to_owned()) })
}

fn usable(state: &State, coupon: &str, param: &str) -> Outcome<()> {
    let coupon = state.find("coupon", coupon, param)?;
    let late = coupon["redeem_by"].as_i64().is_some_and(|end| end <= state.now);
    if late || is_spent(&coupon) || coupon["valid"] != true {
        return Err(refused("coupon_expired", param, &format!("Coupon expired: {}", text(&coupon, "id"))));
    }
    Ok(())
}

fn is_spent(holder: &Value) -> bool {
    holder["max_redemptions"].as_i64().is_some_and(|most| number(holder, "times_redeemed") >= most)
}

/// A new discount of a subscription, of which nothing is told yet.
pub(super) fn put_on(state: &mut State, chosen: &Chosen, customer: &Value, subscription: &str) -> String {
    let id = state.new_id("di_");
    let coupon = state.get(&chosen.coupon).clone();
    let months = coupon["duration_in_months"].as_i64().filter(|_| coupon["duration"] == "repeating");
    state.put(json!({
        "id": id, "object": "discount", "checkout_session": null, "coupon": chosen.coupon, "customer": customer,
        "end": months.map(|months| months_after(state.now, months)), "invoice": null, "invoice_item": null,
        "promotion_code": chosen.promotion_code, "start": state.now, "subscription": subscription,
        "subscription_item": null,
    }));
    id
}

/// Tells of new discounts, and counts them.
pub(super) fn announce(state: &mut State, discounts: &[String]) {
    for id in discounts {
        let discount = state.get(id).clone();
        let chosen = Chosen {
            coupon: text(&discount, "coupon").to_owned(),
            promotion_code: discount["promotion_code"].as_str().map(str::to_owned),
        };
        count(state, &chosen);
        state.tell("customer.discount.created", id);
    }
}

/// Counts one use of a coupon, and of the code that led to it.
pub(super) fn count(state: &mut State, chosen: &Chosen) {
    let once_more = |holder: &mut Value, open: &str| {
        holder["times_redeemed"] = json!(number(holder, "times_redeemed") + 1);
        if is_spent(holder) {
            holder[open] = json!(false);
        }
    };
    state.update(&chosen.coupon, "coupon.updated", |coupon| once_more(coupon, "valid"));
    if let Some(code) = &chosen.promotion_code {
        state.update(code, "promotion_code.updated", |code| once_more(code, "active"));
    }
}

/// Takes a discount away from its subscription.
pub(super) fn take_off(state: &mut State, id: &str) -> Outcome<()> {
    let discount = state.get(id).clone();
    if discount.is_null() {
        return Err(no_such("discount", id, "discounts"));
    }
    state.tell("customer.discount.deleted", id);
    state.edit(text(&discount, "subscription"), |subscription| {
        if let Value::Array(ids) = &mut subscription["discounts"] {
            ids.retain(|kept| *kept != *id);
        }
    });
    Ok(())
}
