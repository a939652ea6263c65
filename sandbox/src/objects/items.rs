//! Changes of subscription items, and the prorations that wait for the next invoice.

use serde_json::{Value, json};

use crate::error::{StripeResult, invalid_request, missing_parameter, not_found};
use crate::objects::lines;
use crate::objects::subscriptions::{find_price, new_item};
use crate::params::Params;
use crate::store::{Store, list, number, text};
use crate::terms::period_end;

/// Returns the items after the change that the request describes.
pub(crate) fn parse_change(store: &mut Store, subscription: &Value, params: &Params) -> StripeResult<Vec<Value>> {
    let id = text(subscription, "id").to_owned();
    let mut items = list(&subscription["items"]["data"]).to_vec();
    for (at, entry) in params.list("items").iter().enumerate() {
        let (name, quantity) = (format!("items[{at}][price]"), entry.number("quantity")?);
        let wanted = entry.text("price").map(|id| find_price(store, id, &name)).transpose()?;
        let Some(item_id) = entry.text("id") else {
            let wanted = wanted.ok_or_else(|| missing_parameter(&name))?;
            if items.iter().any(|item| item["price"]["id"] == wanted["id"]) {
                let message = format!("Cannot add multiple subscription items with the same plan: {}", wanted["id"]);
                return Err(invalid_request("", &name, &message));
            }
            let item_id = store.new_id("si_");
            items.push(new_item(store, &item_id, &id, &wanted, quantity.unwrap_or(1)));
            continue;
        };
        let Some(place) = items.iter().position(|item| item["id"] == item_id) else {
            return Err(not_found("subscription_item", item_id, &format!("items[{at}][id]")));
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
        return Err(invalid_request("", "items", "A subscription must have at least one active plan."));
    }
    check_terms(&items)?;
    if items.iter().any(|item| item["price"]["currency"] != subscription["currency"]) {
        let message = format!(
            "You cannot combine currencies on a single customer. This customer has an active subscription with currency {}.",
            text(subscription, "currency")
        );
        return Err(invalid_request("", "", &message));
    }
    Ok(items)
}

fn check_terms(items: &[Value]) -> StripeResult<()> {
    let terms = |item: &Value| {
        let recurring = &item["price"]["recurring"];
        (recurring["interval"].clone(), recurring["interval_count"].clone(), item["price"]["currency"].clone())
    };
    if items.iter().any(|item| terms(item) != terms(&items[0])) {
        let message = "Currency and interval fields must match across all plans on this subscription.";
        return Err(invalid_request("", "items", message));
    }
    Ok(())
}

/// Replaces the items of a subscription. Returns the invoice lines of the change, and true if a new period begins, which
/// it does if the interval changes.
pub(crate) fn replace(
    store: &mut Store,
    id: &str,
    mut items: Vec<Value>,
    at: i64,
    prorate: bool,
) -> (Vec<Value>, bool) {
    let subscription = store.get(id).clone();
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
        lines = lines::for_change(store, &subscription, &old, new, at);
    }
    store.edit(id, |subscription| {
        subscription["items"]["total_count"] = json!(items.len());
        subscription["items"]["data"] = json!(items);
        if resets {
            subscription["billing_cycle_anchor"] = json!(at);
        }
    });
    if resets {
        let changed = store.get(id).clone();
        lines.extend(lines::for_period(store, &changed, start, end, false));
    }
    (lines, resets)
}

/// Changes each item of a subscription.
pub(crate) fn for_each(subscription: &mut Value, change: impl FnMut(&mut Value)) {
    if let Value::Array(items) = &mut subscription["items"]["data"] {
        items.iter_mut().for_each(change);
    }
}

/// Stores lines for the next invoice of a subscription.
pub(crate) fn store_lines(store: &mut Store, subscription: &str, lines: Vec<Value>) {
    for line in lines {
        let id = store.new_id("line:");
        store.insert(json!({"id": id, "object": "sandbox.line", "subscription": subscription, "line": line}));
    }
}

/// Removes and returns the stored lines.
pub(crate) fn take_lines(store: &mut Store, subscription: &str) -> Vec<Value> {
    let stored = store.find_all("sandbox.line", "subscription", subscription);
    for line in &stored {
        store.edit(text(line, "id"), |line| line["deleted"] = json!(true));
    }
    stored.into_iter().map(|stored| stored["line"].clone()).collect()
}
