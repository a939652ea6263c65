//! What is in a checkout session. Sessions do not show it, so it is kept beside them.

use serde_json::{Value, json};

use super::discounts::Chosen;
use super::form::Params;
use super::lines::discount;
use super::refusal::{Outcome, missing, refused};
use super::state::{State, list, number, text};

/// A price and how many of it.
#[derive(Debug, Clone)]
pub(super) struct Good {
    pub(super) price: Value,
    pub(super) quantity: i64,
}

impl Good {
    /// What it costs without discounts.
    pub(super) fn amount(&self) -> i64 {
        number(&self.price, "unit_amount").saturating_mul(self.quantity)
    }
}

/// Reads `line_items`.
pub(super) fn read(state: &mut State, params: &Params, mode: &str) -> Outcome<Vec<Good>> {
    let mut goods: Vec<Good> = Vec::new();
    for (at, entry) in params.list("line_items").iter().enumerate() {
        let param = format!("line_items[{at}][price]");
        let quantity = entry.number("quantity")?.ok_or_else(|| missing(&format!("line_items[{at}][quantity]")))?;
        if quantity < 1 {
            return Err(refused(
                "",
                &format!("line_items[{at}][quantity]"),
                "Quantity should be greater than or equal to 1.",
            ));
        }
        let price = match entry.text("price") {
            Some(id) => state.find("price", id, &param)?,
            None if entry.has("price_data") => made(state, &Params(entry.at("price_data").clone()), at)?,
            None => return Err(missing(&param)),
        };
        if price["active"] != true && entry.has("price") {
            let message =
                format!("The price specified is inactive. This field only accepts active prices: {}", price["id"]);
            return Err(refused("price_inactive", &param, &message));
        }
        if mode == "payment" && !price["recurring"].is_null() {
            let message = "You specified `payment` mode but passed a recurring price. Either switch to `subscription` \
                mode or use only one-time prices.";
            return Err(refused("", &param, message));
        }
        goods.push(Good { price, quantity });
    }
    if goods.is_empty() {
        return Err(missing("line_items"));
    }
    if mode == "subscription" && goods.iter().any(|good| good.price["recurring"].is_null()) {
        return Err(refused("", "line_items", "This stand-in sells recurring prices alone in `subscription` mode."));
    }
    if goods.iter().any(|good| good.price["currency"] != goods[0].price["currency"]) {
        return Err(refused("", "line_items", "All prices must have the same currency."));
    }
    Ok(goods)
}

/// A price of `price_data`, which can be bought once.
fn made(state: &mut State, data: &Params, at: usize) -> Outcome<Value> {
    let need = |name: &str| data.text(name).ok_or_else(|| missing(&format!("line_items[{at}][price_data][{name}]")));
    let currency = need("currency")?.to_lowercase();
    need("unit_amount")?;
    let amount = data.number("unit_amount")?.unwrap_or(0);
    let product = match data.text("product_data.name") {
        Some(name) => {
            let id = state.new_id("prod_");
            let product = json!({"id": id, "object": "product", "active": false, "created": state.now,
                "default_price": null, "description": null, "images": [], "livemode": false, "metadata": {},
                "name": name, "type": "service", "updated": state.now, "url": null});
            text(&state.create("product.created", product), "id").to_owned()
        }
        None => {
            let param = format!("line_items[{at}][price_data][product]");
            text(&state.find("product", need("product")?, &param)?, "id").to_owned()
        }
    };
    let interval = data.word("recurring.interval", &["day", "week", "month", "year"])?;
    let count = data.number("recurring.interval_count")?.unwrap_or(1);
    let recurring = interval.map(|interval| {
        json!({"interval": interval, "interval_count": count, "meter": null, "trial_period_days": null,
            "usage_type": "licensed"})
    });
    let price = json!({
        "id": state.new_id("price_"), "object": "price", "active": false, "billing_scheme": "per_unit",
        "created": state.now, "currency": currency, "custom_unit_amount": null, "livemode": false,
        "lookup_key": null, "metadata": {}, "nickname": null, "product": product, "tax_behavior": "unspecified",
        "tiers_mode": null, "transform_quantity": null,
        "type": if recurring.is_some() { "recurring" } else { "one_time" }, "recurring": recurring,
        "unit_amount": amount, "unit_amount_decimal": amount.to_string(),
    });
    Ok(state.create("price.created", price))
}

/// Keeps what a session is for, and writes its amounts into it.
pub(super) fn keep(state: &mut State, session: &str, goods: &[Good], chosen: &[Chosen], mut notes: Value) {
    let mut lines: Vec<Value> = goods.iter().map(|good| line(state, good)).collect();
    let coupons: Vec<(String, Value)> =
        chosen.iter().map(|chosen| (chosen.coupon.clone(), state.get(&chosen.coupon).clone())).collect();
    let mut off: i64 = discount(&mut lines, &coupons).iter().map(|(_, amount)| amount).sum();
    let mut subtotal: i64 = goods.iter().map(Good::amount).sum();
    // What a trial begins with costs nothing yet.
    if !notes["trial"].is_null() {
        (off, subtotal) = (0, 0);
    }
    notes["id"] = json!(format!("basket:{session}"));
    notes["object"] = json!("sandbox.basket");
    notes["goods"] = goods.iter().map(|good| json!({"price": good.price, "quantity": good.quantity})).collect();
    notes["chosen"] =
        chosen.iter().map(|it| json!({"coupon": it.coupon, "promotion_code": it.promotion_code})).collect();
    notes["lines"] = lines.iter().map(shown).collect();
    state.put(notes);
    let discounts: Vec<Value> = chosen
        .iter()
        .map(|it| {
            let coupon = it.promotion_code.is_none().then_some(&it.coupon);
            json!({"coupon": coupon, "promotion_code": it.promotion_code})
        })
        .collect();
    state.edit(session, |session| {
        session["amount_subtotal"] = json!(subtotal);
        session["amount_total"] = json!(subtotal - off);
        session["total_details"]["amount_discount"] = json!(off);
        session["discounts"] = json!(discounts);
    });
}

/// A line of the session, in the form in which discounts are counted.
fn line(state: &mut State, good: &Good) -> Value {
    let product = &good.price["product"];
    let name = text(state.get(product.as_str().unwrap_or_default()), "name").to_owned();
    json!({
        "id": state.new_id("li_"), "amount": good.amount(), "discountable": true, "discount_amounts": [],
        "description": name, "price": good.price, "quantity": good.quantity,
        "pricing": {"price_details": {"product": product}},
    })
}

/// A line as Stripe shows it.
fn shown(line: &Value) -> Value {
    let off: i64 = list(&line["discount_amounts"]).iter().map(|off| number(off, "amount")).sum();
    json!({
        "id": line["id"], "object": "item", "amount_discount": off, "amount_subtotal": line["amount"],
        "amount_tax": 0, "amount_total": number(line, "amount") - off, "currency": line["price"]["currency"],
        "description": line["description"], "price": line["price"], "quantity": line["quantity"],
    })
}

/// What was kept of a session.
pub(super) fn of(state: &State, session: &str) -> Value {
    state.get(&format!("basket:{session}")).clone()
}

/// Adds to what was kept.
pub(super) fn note(state: &mut State, session: &str, name: &str, value: &Value) {
    state.edit(&format!("basket:{session}"), |notes| notes[name] = value.clone());
}

/// What is in the basket.
pub(super) fn goods(notes: &Value) -> Vec<Good> {
    let goods = list(&notes["goods"]).iter();
    goods.map(|good| Good { price: good["price"].clone(), quantity: number(good, "quantity") }).collect()
}

/// The discounts that were asked for.
pub(super) fn chosen(notes: &Value) -> Vec<Chosen> {
    let chosen = list(&notes["chosen"]).iter();
    chosen
        .map(|chosen| Chosen {
            coupon: text(chosen, "coupon").to_owned(),
            promotion_code: chosen["promotion_code"].as_str().map(str::to_owned),
        })
        .collect()
}
