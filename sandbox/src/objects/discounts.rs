//! Discounts: resolved from requests, attached to subscriptions, counted.

use serde_json::{Value, json};

use crate::error::{StripeResult, invalid_request, not_found};
use crate::params::Params;
use crate::store::{Store, number, text};
use crate::terms::months_after;

/// A coupon to apply, and the promotion code that gives it.
#[derive(Debug, Clone)]
pub(crate) struct AppliedCoupon {
    pub(crate) coupon: String,
    pub(crate) promotion_code: Option<String>,
}

/// Resolves `discounts` for a purchase of this amount. Returns an error if one cannot be used by this customer.
pub(crate) fn resolve(
    store: &Store,
    params: &Params,
    customer: &Value,
    amount: i64,
) -> StripeResult<Vec<AppliedCoupon>> {
    let mut coupons = Vec::new();
    for (at, entry) in params.list("discounts").iter().enumerate() {
        if let Some(code) = entry.text("promotion_code") {
            let param = format!("discounts[{at}][promotion_code]");
            let code = store.find("promotion_code", code, &param)?;
            coupons.push(resolve_code(store, &code, customer, amount, &param)?);
        } else if let Some(coupon) = entry.text("coupon") {
            let param = format!("discounts[{at}][coupon]");
            check_coupon(store, coupon, &param)?;
            coupons.push(AppliedCoupon { coupon: coupon.to_owned(), promotion_code: None });
        }
    }
    Ok(coupons)
}

/// Resolves a promotion code. Returns an error if it cannot be used by this customer for a purchase of this amount.
pub(crate) fn resolve_code(
    store: &Store,
    code: &Value,
    customer: &Value,
    amount: i64,
    param: &str,
) -> StripeResult<AppliedCoupon> {
    let id = text(code, "id");
    let name = text(code, "code");
    if code["expires_at"].as_i64().is_some_and(|end| end <= store.now) || is_exhausted(code) {
        return Err(invalid_request("coupon_expired", param, &format!("Promotion code {name} has expired.")));
    }
    if code["active"] != true {
        return Err(invalid_request("resource_missing", param, &format!("No such active promotion code: '{id}'")));
    }
    let restrictions = &code["restrictions"];
    if code["customer"].as_str().is_some_and(|only| customer != only) {
        return Err(invalid_request("", param, "This promotion code is not valid for this customer."));
    }
    let bought = |kind: &str| {
        let mut objects = store.all(kind);
        objects.any(|object| object["customer"] == *customer && object["status"] == "succeeded")
    };
    if restrictions["first_time_transaction"] == true && !customer.is_null() && bought("payment_intent") {
        let message = "This promotion code cannot be redeemed because the associated customer has prior transactions.";
        return Err(invalid_request("", param, message));
    }
    if restrictions["minimum_amount"].as_i64().is_some_and(|least| amount < least) {
        let message = "This promotion code cannot be redeemed because the minimum amount is not reached.";
        return Err(invalid_request("", param, message));
    }
    let coupon = text(code, "coupon");
    check_coupon(store, coupon, param)?;
    Ok(AppliedCoupon { coupon: coupon.to_owned(), promotion_code: Some(id.to_owned()) })
}

fn check_coupon(store: &Store, coupon: &str, param: &str) -> StripeResult<()> {
    let coupon = store.find("coupon", coupon, param)?;
    let late = coupon["redeem_by"].as_i64().is_some_and(|end| end <= store.now);
    if late || is_exhausted(&coupon) || coupon["valid"] != true {
        return Err(invalid_request("coupon_expired", param, &format!("Coupon expired: {}", text(&coupon, "id"))));
    }
    Ok(())
}

fn is_exhausted(holder: &Value) -> bool {
    holder["max_redemptions"].as_i64().is_some_and(|most| number(holder, "times_redeemed") >= most)
}

/// Inserts a discount of a subscription without an event.
pub(crate) fn attach(store: &mut Store, applied: &AppliedCoupon, customer: &Value, subscription: &str) -> String {
    let id = store.new_id("di_");
    let coupon = store.get(&applied.coupon).clone();
    let months = coupon["duration_in_months"].as_i64().filter(|_| coupon["duration"] == "repeating");
    store.insert(json!({
        "id": id, "object": "discount", "checkout_session": null, "coupon": applied.coupon, "customer": customer,
        "end": months.map(|months| months_after(store.now, months)), "invoice": null, "invoice_item": null,
        "promotion_code": applied.promotion_code, "start": store.now, "subscription": subscription,
        "subscription_item": null,
    }));
    id
}

/// Emits the events of new discounts, and counts the redemptions.
pub(crate) fn announce(store: &mut Store, discounts: &[String]) {
    for id in discounts {
        let discount = store.get(id).clone();
        let applied = AppliedCoupon {
            coupon: text(&discount, "coupon").to_owned(),
            promotion_code: discount["promotion_code"].as_str().map(str::to_owned),
        };
        count_redemption(store, &applied);
        store.emit("customer.discount.created", id);
    }
}

/// Counts a redemption of a coupon and of its promotion code.
pub(crate) fn count_redemption(store: &mut Store, applied: &AppliedCoupon) {
    let increment = |holder: &mut Value, open: &str| {
        holder["times_redeemed"] = json!(number(holder, "times_redeemed") + 1);
        if is_exhausted(holder) {
            holder[open] = json!(false);
        }
    };
    store.update(&applied.coupon, "coupon.updated", |coupon| increment(coupon, "valid"));
    if let Some(code) = &applied.promotion_code {
        store.update(code, "promotion_code.updated", |code| increment(code, "active"));
    }
}

/// Removes a discount from its subscription.
pub(crate) fn remove(store: &mut Store, id: &str) -> StripeResult<()> {
    let discount = store.get(id).clone();
    if discount.is_null() {
        return Err(not_found("discount", id, "discounts"));
    }
    store.emit("customer.discount.deleted", id);
    store.edit(text(&discount, "subscription"), |subscription| {
        if let Value::Array(ids) = &mut subscription["discounts"] {
            ids.retain(|kept| *kept != *id);
        }
    });
    Ok(())
}
