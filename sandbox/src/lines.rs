//! The lines of invoices: whole periods, parts of periods that a change settles, and what discounts take off.

use serde_json::{Value, json};

use super::state::{State, list, number, text};
use super::terms::{share, taken_off};

/// The discounts of a subscription, each with its coupon, without those that have ended.
pub(super) fn discounts(state: &State, subscription: &Value) -> Vec<(String, Value)> {
    let ids = list(&subscription["discounts"]).iter().filter_map(Value::as_str);
    let running =
        ids.map(|id| state.get(id)).filter(|discount| discount["end"].as_i64().is_none_or(|end| end > state.now));
    running.map(|discount| (text(discount, "id").to_owned(), state.get(text(discount, "coupon")).clone())).collect()
}

/// The price of an item for one period, before discounts.
pub(super) fn full_amount(item: &Value) -> i64 {
    number(&item["price"], "unit_amount").saturating_mul(item["quantity"].as_i64().unwrap_or(1))
}

fn applies(coupon: &Value, product: &Value) -> bool {
    let products = list(&coupon["applies_to"]["products"]);
    products.is_empty() || products.contains(product)
}

/// The price of an item for one period, less what percentages take off: what a part of the period is worth.
fn net_amount(state: &State, subscription: &Value, item: &Value) -> i64 {
    let lasting = discounts(state, subscription).into_iter().map(|(_, coupon)| coupon);
    let lasting = lasting.filter(|coupon| coupon["amount_off"].is_null() && coupon["duration"] != "once");
    let lasting = lasting.filter(|coupon| applies(coupon, &item["price"]["product"]));
    lasting.fold(full_amount(item), |amount, coupon| amount - taken_off(&coupon, amount))
}

fn product_name<'s>(state: &'s State, item: &Value) -> &'s str {
    text(state.get(text(&item["price"], "product")), "name")
}

/// The lines of whole periods from `start` to `end`, one for each item.
pub(super) fn of_period(state: &mut State, subscription: &Value, start: i64, end: i64, free: bool) -> Vec<Value> {
    let items = list(&subscription["items"]["data"]);
    let line = |item: &Value| {
        let (name, quantity) = (product_name(state, item).to_owned(), number(item, "quantity"));
        let description =
            if free { format!("Free trial for {quantity} × {name}") } else { format!("{quantity} × {name}") };
        let amount = if free { 0 } else { full_amount(item) };
        line(state, subscription, item, Sum { amount, description, start, end, proration: false })
    };
    items.iter().map(line).collect()
}

/// What a change of items at `at` settles: what is left of the period is given back for the old, and charged for the new.
pub(super) fn of_change(state: &mut State, subscription: &Value, old: &[Value], new: &[Value], at: i64) -> Vec<Value> {
    let same = |one: &Value, other: &Value| {
        one["id"] == other["id"] && one["price"]["id"] == other["price"]["id"] && one["quantity"] == other["quantity"]
    };
    let mut lines = Vec::new();
    for (items, others, sign, words) in [(old, new, -1, "Unused time on"), (new, old, 1, "Remaining time on")] {
        for item in items.iter().filter(|item| !others.iter().any(|other| same(item, other))) {
            let (start, end) = (number(item, "current_period_start"), number(item, "current_period_end"));
            let left = (end - at.max(start)).max(0);
            let amount = share(net_amount(state, subscription, item), left, end - start) * sign;
            let description = format!("{words} {} × {}", number(item, "quantity"), product_name(state, item));
            let sum = Sum { amount, description, start: at, end, proration: true };
            lines.push(line(state, subscription, item, sum));
        }
    }
    lines
}

struct Sum {
    amount: i64,
    description: String,
    start: i64,
    end: i64,
    proration: bool,
}

fn line(state: &mut State, subscription: &Value, item: &Value, sum: Sum) -> Value {
    let price = &item["price"];
    json!({
        "id": state.new_id("il_"), "object": "line_item", "amount": sum.amount, "currency": price["currency"],
        "description": sum.description, "discount_amounts": [], "discountable": !sum.proration, "discounts": [],
        "livemode": false, "metadata": subscription["metadata"],
        "parent": {
            "invoice_item_details": null,
            "subscription_item_details": {
                "invoice_item": null, "proration": sum.proration, "proration_details": {"credited_items": null},
                "subscription": subscription["id"], "subscription_item": item["id"],
            },
            "type": "subscription_item_details",
        },
        "period": {"end": sum.end, "start": sum.start}, "pretax_credit_amounts": [],
        "pricing": {
            "price_details": {"price": price["id"], "product": price["product"]}, "type": "price_details",
            "unit_amount_decimal": number(price, "unit_amount").to_string(),
        },
        "quantity": item["quantity"], "subscription": null, "taxes": [],
    })
}

/// Writes into lines what discounts take off them; gives the sum of each discount.
pub(super) fn discount(lines: &mut [Value], discounts: &[(String, Value)]) -> Vec<(String, i64)> {
    let mut sums = Vec::new();
    for (id, coupon) in discounts {
        let mut sum = 0;
        for line in lines.iter_mut().filter(|line| line["discountable"] == true) {
            if !applies(coupon, &line["pricing"]["price_details"]["product"]) {
                continue;
            }
            let off = list(&line["discount_amounts"]).iter().map(|off| number(off, "amount")).sum::<i64>();
            let left = number(line, "amount") - off;
            let amount = match coupon["amount_off"].as_i64() {
                Some(all) => (all - sum).clamp(0, left.max(0)),
                None => taken_off(coupon, left),
            };
            sum += amount;
            let mut amounts = list(&line["discount_amounts"]).to_vec();
            amounts.push(json!({"amount": amount, "discount": id}));
            line["discount_amounts"] = Value::Array(amounts);
        }
        sums.push((id.clone(), sum));
    }
    sums
}
