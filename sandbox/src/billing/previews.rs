//! Previews of invoices: the change is made, billed, and rolled back.

use serde_json::{Value, json};

use crate::billing::changes::{change_discounts, set_end};
use crate::billing::periods::{advance, remove_ended_discounts};
use crate::error::{StripeError, StripeResult, invalid_request, missing_parameter, not_found};
use crate::objects::discounts;
use crate::objects::invoices;
use crate::objects::items;
use crate::objects::subscriptions::{self, NewSubscription, first_item, parse_items};
use crate::params::Params;
use crate::store::{Store, number, text};

/// Handles `POST /v1/invoices/create_preview`.
pub(crate) fn create(store: &mut Store, params: &Params) -> StripeResult<Value> {
    params.allow_only(&[
        "customer",
        "subscription",
        "subscription_details.items.*.id",
        "subscription_details.items.*.price",
        "subscription_details.items.*.quantity",
        "subscription_details.items.*.deleted",
        "subscription_details.proration_behavior",
        "subscription_details.proration_date",
        "subscription_details.cancel_at_period_end",
        "subscription_details.cancel_at",
        "subscription_details.trial_end",
        "discounts.*.coupon",
        "discounts.*.promotion_code",
        "discounts.*.discount",
    ])?;
    let (savepoint, now) = (store.savepoint(), store.now);
    let invoice = match params.text("subscription") {
        Some(id) => for_subscription(store, id, params),
        None => for_new(store, params),
    };
    store.now = now;
    store.rollback(&savepoint);
    let mut invoice = invoice?;
    let id = format!("upcoming_{}", text(&invoice, "id"));
    if let Value::Array(lines) = &mut invoice["lines"]["data"] {
        lines.iter_mut().for_each(|line| line["invoice"] = json!(id));
    }
    invoice["id"] = json!(id);
    Ok(invoice)
}

fn for_subscription(store: &mut Store, id: &str, params: &Params) -> StripeResult<Value> {
    let subscription = store.find("subscription", id, "subscription")?;
    if params.text("customer").is_some_and(|customer| subscription["customer"] != customer) {
        return Err(not_found("subscription", id, "subscription"));
    }
    if !subscription["ended_at"].is_null() {
        return Err(no_upcoming_invoice());
    }
    let details = Params(params.get("subscription_details").clone());
    change_discounts(store, id, params)?;
    let at = details.number("proration_date")?.unwrap_or(store.now);
    let behaviors = ["create_prorations", "always_invoice", "none"];
    let behavior = details.one_of("proration_behavior", &behaviors)?.unwrap_or("create_prorations");
    let mut ends = details.clone();
    if let Value::Object(fields) = &mut ends.0 {
        fields.retain(|name, _| name.starts_with("cancel_at"));
    }
    let mut changed = store.get(id).clone();
    set_end(&mut changed, &ends, store.now)?;
    store.insert(changed);
    if details.has("items") {
        let changed = items::parse_change(store, &subscription, &details)?;
        let (lines, resets) = items::replace(store, id, changed, at, behavior != "none");
        if resets || behavior == "always_invoice" {
            let mut all = items::take_lines(store, id);
            all.extend(lines);
            let subscription = store.get(id).clone();
            return Ok(invoices::draft(store, &subscription, "upcoming", all));
        }
        items::store_lines(store, id, lines);
    }
    let end = number(first_item(store.get(id)), "current_period_end");
    if store.get(id)["cancel_at"].as_i64().is_some_and(|cancel| cancel <= end) {
        return Err(no_upcoming_invoice());
    }
    store.now = store.now.max(end);
    remove_ended_discounts(store, id);
    let lines = advance(store, id);
    let subscription = store.get(id).clone();
    Ok(invoices::draft(store, &subscription, "upcoming", lines))
}

fn no_upcoming_invoice() -> Box<StripeError> {
    invalid_request("invoice_upcoming_none", "", "No upcoming invoices for customer")
}

fn for_new(store: &mut Store, params: &Params) -> StripeResult<Value> {
    let customer = store.find("customer", params.require("customer")?, "customer")?;
    let items = parse_items(store, params, "subscription_details.items").map_err(|refusal| {
        if params.has("subscription_details.items") { refusal } else { missing_parameter("subscription") }
    })?;
    let amount = items.iter().map(|(price, quantity)| number(price, "unit_amount") * quantity).sum();
    let new = NewSubscription {
        customer: text(&customer, "id").to_owned(),
        items,
        trial_end: params.number("subscription_details.trial_end")?,
        method: Value::Null,
        discounts: discounts::resolve(store, params, &customer["id"], amount)?,
        metadata: json!({}),
        description: Value::Null,
    };
    let created = subscriptions::create(store, &new, |_, _| Ok(()))?;
    let mut invoice = store.get(text(store.get(&created), "latest_invoice")).clone();
    invoice["status"] = json!("draft");
    invoice["billing_reason"] = json!("upcoming");
    invoice["number"] = Value::Null;
    Ok(invoice)
}
