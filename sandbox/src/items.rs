//! The items of a subscription, and the lines that changes of them leave for the next invoice.

use serde_json::{Value, json};

use super::form::Params;
use super::lines;
use super::refusal::{Outcome, missing, refused};
use super::state::{State, list, number, text};
use super::subscriptions::{item, price};
use super::terms::period_end;

/// The items that a change names, over those that there are.
pub(super) fn new_items(state: &mut State, subscription: &Value, params: &Params) -> Outcome<Vec<Value>> {
    let id = text(subscription, "id").to_owned();
    let mut items = list(&subscription["items"]["data"]).to_vec();
    for (at, entry) in params.list("items").iter().enumerate() {
        let (name, quantity) = (format!("items[{at}][price]"), entry.number("quantity")?);
        let wanted = entry.text("price").map(|id| price(state, id, &name)).transpose()?;
        let Some(item_id) = entry.text("id") else {
            let wanted = wanted.ok_or_else(|| missing(&name))?;
            if items.iter().any(|item| item["price"]["id"] == wanted["id"]) {
                let message = format!("Cannot add multiple subscription items with the same plan: {}", wanted["id"]);
                return Err(refused("", &name, &message));
            }
            let item_id = state.new_id("si_");
            items.push(item(state, &item_id, &id, &wanted, quantity.unwrap_or(1)));
            continue;
        };
        let Some(place) = items.iter().position(|item| item["id"] == item_id) else {
            return Err(super::refusal::no_such("subscription_item", item_id, &format!("items[{at}][id]")));
        };
        if entry.flag("deleted")? == Some(true) {
            items.remove(place);
            continue;
        }
        if let Some(wanted) = wanted {
            items[place]["price"] = wanted;
        }
        if let Some(quantity) = quantity {
            items[place]["quantity"] = json!(quantity);
        }
    }
    if items.is_empty() {
        return Err(refused("", "items", "A subscription must have at least one active plan."));
    }
    same_terms(&items)?;
    if items.iter().any(|item| item["price"]["currency"] != subscription["currency"]) {
        let message = format!(
            "You cannot combine currencies on a single customer. This customer has an active subscription with currency {}.",
            text(subscription, "currency")
        );
        return Err(refused("", "", &message));
    }
    Ok(items)
}

fn same_terms(items: &[Value]) -> Outcome<()> {
    let terms = |item: &Value| {
        let recurring = &item["price"]["recurring"];
        (recurring["interval"].clone(), recurring["interval_count"].clone(), item["price"]["currency"].clone())
    };
    if items.iter().any(|item| terms(item) != terms(&items[0])) {
        let message = "Currency and interval fields must match across all plans on this subscription.";
        return Err(refused("", "items", message));
    }
    Ok(())
}

/// Gives a subscription other items. Gives the lines that settle it, and whether a new period begins: it does where
/// the length of the periods is another.
pub(super) fn put_items(
    state: &mut State,
    id: &str,
    mut items: Vec<Value>,
    at: i64,
    prorate: bool,
) -> (Vec<Value>, bool) {
    let subscription = state.get(id).clone();
    let old = list(&subscription["items"]["data"]).to_vec();
    let recurring = items[0]["price"]["recurring"].clone();
    let length = |recurring: &Value| (recurring["interval"].clone(), recurring["interval_count"].clone());
    let trial = subscription["status"] == "trialing";
    let resets = !trial && length(&recurring) != length(&old[0]["price"]["recurring"]);
    let end = if resets { period_end(at, at, &recurring) } else { number(&old[0], "current_period_end") };
    let start = if resets { at } else { number(&old[0], "current_period_start") };
    for item in &mut items {
        item["current_period_start"] = json!(start);
        item["current_period_end"] = json!(end);
    }
    let mut lines = Vec::new();
    if prorate && !trial {
        let new = if resets { &[][..] } else { &items[..] };
        lines = lines::of_change(state, &subscription, &old, new, at);
    }
    state.edit(id, |subscription| {
        subscription["items"]["total_count"] = json!(items.len());
        subscription["items"]["data"] = json!(items);
        if resets {
            subscription["billing_cycle_anchor"] = json!(at);
        }
    });
    if resets {
        let changed = state.get(id).clone();
        lines.extend(lines::of_period(state, &changed, start, end, false));
    }
    (lines, resets)
}

/// Does something to each item of a subscription.
pub(super) fn for_each(subscription: &mut Value, change: impl FnMut(&mut Value)) {
    if let Value::Array(items) = &mut subscription["items"]["data"] {
        items.iter_mut().for_each(change);
    }
}

/// Keeps lines for the next invoice of a subscription.
pub(super) fn keep_lines(state: &mut State, subscription: &str, lines: Vec<Value>) {
    for line in lines {
        let id = state.new_id("line:");
        state.put(json!({"id": id, "object": "sandbox.line", "subscription": subscription, "line": line}));
    }
}

/// The lines that were kept, which are so no more.
pub(super) fn take_lines(state: &mut State, subscription: &str) -> Vec<Value> {
    let kept = state.with("sandbox.line", "subscription", subscription);
    for line in &kept {
        state.edit(text(line, "id"), |line| line["deleted"] = json!(true));
    }
    kept.into_iter().map(|kept| kept["line"].clone()).collect()
}
