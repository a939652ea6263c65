//! Invoice lines: whole periods, prorations, and discounts.

use serde_json::{Value, json};

use crate::store::{Store, list, number, text};
use crate::terms::{amount_off, prorate};

/// Returns the discounts of a subscription and of its items that have not ended, each with its coupon. In the coupon of an
/// item's discount, `subscription_item` names the item.
pub(crate) fn active_discounts(store: &Store, subscription: &Value) -> Vec<(String, Value)> {
    let of_items = list(&subscription["items"]["data"]).iter().flat_map(|item| list(&item["discounts"]));
    let ids = of_items.chain(list(&subscription["discounts"])).filter_map(Value::as_str);
    let running =
        ids.map(|id| store.get(id)).filter(|discount| discount["end"].as_i64().is_none_or(|end| end > store.now));
    let with_coupon = running.map(|discount| {
        let mut coupon = store.get(text(discount, "coupon")).clone();
        if !discount["subscription_item"].is_null() {
            coupon["subscription_item"] = discount["subscription_item"].clone();
        }
        (text(discount, "id").to_owned(), coupon)
    });
    with_coupon.collect()
}

/// Returns the price of an item for one period before discounts.
pub(crate) fn full_amount(item: &Value) -> i64 {
    number(&item["price"], "unit_amount").saturating_mul(item["quantity"].as_i64().unwrap_or(1))
}

fn applies_to(coupon: &Value, product: &Value, item: &Value) -> bool {
    let products = list(&coupon["applies_to"]["products"]);
    let only = &coupon["subscription_item"];
    (products.is_empty() || products.contains(product)) && (only.is_null() || only == item)
}

/// Returns the price of an item for one period less lasting percentage discounts, the base of prorations.
fn net_amount(store: &Store, subscription: &Value, item: &Value) -> i64 {
    let lasting = active_discounts(store, subscription).into_iter().map(|(_, coupon)| coupon);
    let lasting = lasting.filter(|coupon| coupon["amount_off"].is_null() && coupon["duration"] != "once");
    let lasting = lasting.filter(|coupon| applies_to(coupon, &item["price"]["product"], &item["id"]));
    lasting.fold(full_amount(item), |amount, coupon| amount - amount_off(&coupon, amount))
}

fn product_name<'s>(store: &'s Store, item: &Value) -> &'s str {
    text(store.get(text(&item["price"], "product")), "name")
}

/// Returns one line for each item for the period from `start` to `end`.
pub(crate) fn for_period(store: &mut Store, subscription: &Value, start: i64, end: i64, free: bool) -> Vec<Value> {
    let items = list(&subscription["items"]["data"]);
    let line = |item: &Value| {
        let (name, quantity) = (product_name(store, item).to_owned(), number(item, "quantity"));
        let description =
            if free { format!("Free trial for {quantity} × {name}") } else { format!("{quantity} × {name}") };
        let amount = if free { 0 } else { full_amount(item) };
        line(store, subscription, item, LineAmount { amount, description, start, end, proration: false })
    };
    items.iter().map(line).collect()
}

/// Returns the prorations of a change of items at `at`: a credit for the rest of the period of the old items, and a
/// charge for the new ones.
pub(crate) fn for_change(store: &mut Store, subscription: &Value, old: &[Value], new: &[Value], at: i64) -> Vec<Value> {
    let same = |one: &Value, other: &Value| {
        one["id"] == other["id"] && one["price"]["id"] == other["price"]["id"] && one["quantity"] == other["quantity"]
    };
    let mut lines = Vec::new();
    for (items, others, sign, words) in [(old, new, -1, "Unused time on"), (new, old, 1, "Remaining time on")] {
        for item in items.iter().filter(|item| !others.iter().any(|other| same(item, other))) {
            let (start, end) = (number(item, "current_period_start"), number(item, "current_period_end"));
            let left = (end - at.max(start)).max(0);
            let amount = prorate(net_amount(store, subscription, item), left, end - start) * sign;
            let description = format!("{words} {} × {}", number(item, "quantity"), product_name(store, item));
            let amount = LineAmount { amount, description, start: at, end, proration: true };
            lines.push(line(store, subscription, item, amount));
        }
    }
    lines
}

struct LineAmount {
    amount: i64,
    description: String,
    start: i64,
    end: i64,
    proration: bool,
}

fn line(store: &mut Store, subscription: &Value, item: &Value, amount: LineAmount) -> Value {
    let price = &item["price"];
    json!({
        "id": store.new_id("il_"), "object": "line_item", "amount": amount.amount, "currency": price["currency"],
        "description": amount.description, "discount_amounts": [], "discountable": !amount.proration, "discounts": [],
        "livemode": false, "metadata": subscription["metadata"],
        "parent": {
            "invoice_item_details": null,
            "subscription_item_details": {
                "invoice_item": null, "proration": amount.proration, "proration_details": {"credited_items": null},
                "subscription": subscription["id"], "subscription_item": item["id"],
            },
            "type": "subscription_item_details",
        },
        "period": {"end": amount.end, "start": amount.start}, "pretax_credit_amounts": [],
        "pricing": {
            "price_details": {"price": price["id"], "product": price["product"]}, "type": "price_details",
            "unit_amount_decimal": number(price, "unit_amount").to_string(),
        },
        "quantity": item["quantity"], "subscription": null, "taxes": [],
    })
}

/// Writes the discount amounts into the lines. Returns the total of each discount.
pub(crate) fn apply_discounts(lines: &mut [Value], discounts: &[(String, Value)]) -> Vec<(String, i64)> {
    let mut sums = Vec::new();
    for (id, coupon) in discounts {
        let mut sum = 0;
        for line in lines.iter_mut().filter(|line| line["discountable"] == true) {
            let item = &line["parent"]["subscription_item_details"]["subscription_item"];
            if !applies_to(coupon, &line["pricing"]["price_details"]["product"], item) {
                continue;
            }
            let off = list(&line["discount_amounts"]).iter().map(|off| number(off, "amount")).sum::<i64>();
            let left = number(line, "amount") - off;
            let amount = match coupon["amount_off"].as_i64() {
                Some(all) => (all - sum).clamp(0, left.max(0)),
                None => amount_off(coupon, left),
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
