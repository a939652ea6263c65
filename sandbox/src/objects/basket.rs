//! The baskets of checkout sessions, stored beside them since sessions do not show them.

use serde_json::{Value, json};

use crate::error::{StripeResult, invalid_request, missing_parameter};
use crate::objects::discounts::AppliedCoupon;
use crate::objects::lines::apply_discounts;
use crate::params::Params;
use crate::store::{Store, list, number, text};

/// A price with a quantity.
#[derive(Debug, Clone)]
pub(crate) struct BasketItem {
    pub(crate) price: Value,
    pub(crate) quantity: i64,
}

impl BasketItem {
    /// Returns the amount before discounts.
    pub(crate) fn amount(&self) -> i64 {
        number(&self.price, "unit_amount").saturating_mul(self.quantity)
    }
}

/// Parses `line_items`.
pub(crate) fn parse(store: &mut Store, params: &Params, mode: &str) -> StripeResult<Vec<BasketItem>> {
    let mut items: Vec<BasketItem> = Vec::new();
    for (at, entry) in params.list("line_items").iter().enumerate() {
        let param = format!("line_items[{at}][price]");
        let quantity =
            entry.number("quantity")?.ok_or_else(|| missing_parameter(&format!("line_items[{at}][quantity]")))?;
        if quantity < 1 {
            return Err(invalid_request(
                "",
                &format!("line_items[{at}][quantity]"),
                "Quantity should be greater than or equal to 1.",
            ));
        }
        let price = match entry.text("price") {
            Some(id) => store.find("price", id, &param)?,
            None if entry.has("price_data") => create_price(store, &Params(entry.get("price_data").clone()), at)?,
            None => return Err(missing_parameter(&param)),
        };
        if price["active"] != true && entry.has("price") {
            let message =
                format!("The price specified is inactive. This field only accepts active prices: {}", price["id"]);
            return Err(invalid_request("price_inactive", &param, &message));
        }
        if mode == "payment" && !price["recurring"].is_null() {
            let message = "You specified `payment` mode but passed a recurring price. Either switch to `subscription` \
                mode or use only one-time prices.";
            return Err(invalid_request("", &param, message));
        }
        items.push(BasketItem { price, quantity });
    }
    if items.is_empty() {
        return Err(missing_parameter("line_items"));
    }
    if mode == "subscription" && items.iter().any(|item| item.price["recurring"].is_null()) {
        return Err(invalid_request(
            "",
            "line_items",
            "This stand-in sells recurring prices alone in `subscription` mode.",
        ));
    }
    if items.iter().any(|item| item.price["currency"] != items[0].price["currency"]) {
        return Err(invalid_request("", "line_items", "All prices must have the same currency."));
    }
    Ok(items)
}

/// Creates an inactive price from `price_data`.
fn create_price(store: &mut Store, data: &Params, at: usize) -> StripeResult<Value> {
    let need =
        |name: &str| data.text(name).ok_or_else(|| missing_parameter(&format!("line_items[{at}][price_data][{name}]")));
    let currency = need("currency")?.to_lowercase();
    need("unit_amount")?;
    let amount = data.number("unit_amount")?.unwrap_or(0);
    let product = match data.text("product_data.name") {
        Some(name) => {
            let id = store.new_id("prod_");
            let product = json!({"id": id, "object": "product", "active": false, "created": store.now,
                "default_price": null, "description": null, "images": [], "livemode": false, "metadata": {},
                "name": name, "type": "service", "updated": store.now, "url": null});
            text(&store.create("product.created", product), "id").to_owned()
        }
        None => {
            let param = format!("line_items[{at}][price_data][product]");
            text(&store.find("product", need("product")?, &param)?, "id").to_owned()
        }
    };
    let interval = data.one_of("recurring.interval", &["day", "week", "month", "year"])?;
    let count = data.number("recurring.interval_count")?.unwrap_or(1);
    let recurring = interval.map(|interval| {
        json!({"interval": interval, "interval_count": count, "meter": null, "trial_period_days": null,
            "usage_type": "licensed"})
    });
    let price = json!({
        "id": store.new_id("price_"), "object": "price", "active": false, "billing_scheme": "per_unit",
        "created": store.now, "currency": currency, "custom_unit_amount": null, "livemode": false,
        "lookup_key": null, "metadata": {}, "nickname": null, "product": product, "tax_behavior": "unspecified",
        "tiers_mode": null, "transform_quantity": null,
        "type": if recurring.is_some() { "recurring" } else { "one_time" }, "recurring": recurring,
        "unit_amount": amount, "unit_amount_decimal": amount.to_string(),
    });
    Ok(store.create("price.created", price))
}

/// Stores the basket of a session, and writes the amounts into the session.
pub(crate) fn save(
    store: &mut Store,
    session: &str,
    items: &[BasketItem],
    coupons: &[AppliedCoupon],
    mut notes: Value,
) {
    let mut lines: Vec<Value> = items.iter().map(|item| line(store, item)).collect();
    let discounts: Vec<(String, Value)> =
        coupons.iter().map(|it| (it.coupon.clone(), store.get(&it.coupon).clone())).collect();
    let mut off: i64 = apply_discounts(&mut lines, &discounts).iter().map(|(_, amount)| amount).sum();
    let mut subtotal: i64 = items.iter().map(BasketItem::amount).sum();
    // Nothing is due at the start of a trial.
    if !notes["trial"].is_null() {
        (off, subtotal) = (0, 0);
    }
    notes["id"] = json!(format!("basket:{session}"));
    notes["object"] = json!("sandbox.basket");
    notes["items"] = items.iter().map(|item| json!({"price": item.price, "quantity": item.quantity})).collect();
    notes["coupons"] =
        coupons.iter().map(|it| json!({"coupon": it.coupon, "promotion_code": it.promotion_code})).collect();
    notes["lines"] = lines.iter().map(render).collect();
    store.insert(notes);
    let discounts: Vec<Value> = coupons
        .iter()
        .map(|it| {
            let coupon = it.promotion_code.is_none().then_some(&it.coupon);
            json!({"coupon": coupon, "promotion_code": it.promotion_code})
        })
        .collect();
    store.edit(session, |session| {
        session["amount_subtotal"] = json!(subtotal);
        session["amount_total"] = json!(subtotal - off);
        session["total_details"]["amount_discount"] = json!(off);
        session["discounts"] = json!(discounts);
    });
}

/// Returns a line in the form that discounts are applied to.
fn line(store: &mut Store, item: &BasketItem) -> Value {
    let product = &item.price["product"];
    let name = text(store.get(product.as_str().unwrap_or_default()), "name").to_owned();
    json!({
        "id": store.new_id("li_"), "amount": item.amount(), "discountable": true, "discount_amounts": [],
        "description": name, "price": item.price, "quantity": item.quantity,
        "pricing": {"price_details": {"product": product}},
    })
}

/// Returns a line in Stripe's form.
fn render(line: &Value) -> Value {
    let off: i64 = list(&line["discount_amounts"]).iter().map(|off| number(off, "amount")).sum();
    json!({
        "id": line["id"], "object": "item", "amount_discount": off, "amount_subtotal": line["amount"],
        "amount_tax": 0, "amount_total": number(line, "amount") - off, "currency": line["price"]["currency"],
        "description": line["description"], "price": line["price"], "quantity": line["quantity"],
    })
}

/// Returns the stored basket of a session.
pub(crate) fn load(store: &Store, session: &str) -> Value {
    store.get(&format!("basket:{session}")).clone()
}

/// Sets a field of the stored basket.
pub(crate) fn set(store: &mut Store, session: &str, name: &str, value: &Value) {
    store.edit(&format!("basket:{session}"), |notes| notes[name] = value.clone());
}

/// Returns the items of a basket.
pub(crate) fn items(notes: &Value) -> Vec<BasketItem> {
    let items = list(&notes["items"]).iter();
    items.map(|item| BasketItem { price: item["price"].clone(), quantity: number(item, "quantity") }).collect()
}

/// Returns the coupons of a basket.
pub(crate) fn coupons(notes: &Value) -> Vec<AppliedCoupon> {
    let coupons = list(&notes["coupons"]).iter();
    coupons
        .map(|it| AppliedCoupon {
            coupon: text(it, "coupon").to_owned(),
            promotion_code: it["promotion_code"].as_str().map(str::to_owned),
        })
        .collect()
}
