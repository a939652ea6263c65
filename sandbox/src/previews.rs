//! What an invoice would be: the real thing is done, looked at, and undone.

use serde_json::{Value, json};

use super::changes::{change_discounts, set_end};
use super::discounts;
use super::form::Params;
use super::invoices;
use super::items::{self, new_items, put_items};
use super::refusal::{Outcome, missing, refused};
use super::renewals::{drop_ended_discounts, next_period};
use super::state::{State, number, text};
use super::subscriptions::{self, Start, first_item, priced};

/// `POST /v1/invoices/create_preview`
pub(super) fn create(state: &mut State, params: &Params) -> Outcome<Value> {
    params.allow(&[
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
    let (mark, now) = (state.mark(), state.now);
    let invoice = match params.text("subscription") {
        Some(id) => of_subscription(state, id, params),
        None => of_new(state, params),
    };
    state.now = now;
    state.undo(&mark);
    let mut invoice = invoice?;
    let id = format!("upcoming_{}", text(&invoice, "id"));
    if let Value::Array(lines) = &mut invoice["lines"]["data"] {
        lines.iter_mut().for_each(|line| line["invoice"] = json!(id));
    }
    invoice["id"] = json!(id);
    Ok(invoice)
}

fn of_subscription(state: &mut State, id: &str, params: &Params) -> Outcome<Value> {
    let subscription = state.find("subscription", id, "subscription")?;
    if params.text("customer").is_some_and(|customer| subscription["customer"] != customer) {
        return Err(super::refusal::no_such("subscription", id, "subscription"));
    }
    if !subscription["ended_at"].is_null() {
        return Err(no_next());
    }
    let details = Params(params.at("subscription_details").clone());
    change_discounts(state, id, params)?;
    let at = details.number("proration_date")?.unwrap_or(state.now);
    let behaviours = ["create_prorations", "always_invoice", "none"];
    let behaviour = details.word("proration_behavior", &behaviours)?.unwrap_or("create_prorations");
    let mut ends = details.clone();
    if let Value::Object(fields) = &mut ends.0 {
        fields.retain(|name, _| name.starts_with("cancel_at"));
    }
    let mut changed = state.get(id).clone();
    set_end(&mut changed, &ends, state.now)?;
    state.put(changed);
    if details.has("items") {
        let items = new_items(state, &subscription, &details)?;
        let (lines, resets) = put_items(state, id, items, at, behaviour != "none");
        if resets || behaviour == "always_invoice" {
            let mut all = items::take_lines(state, id);
            all.extend(lines);
            let subscription = state.get(id).clone();
            return Ok(invoices::draft(state, &subscription, "upcoming", all));
        }
        items::keep_lines(state, id, lines);
    }
    let end = number(first_item(state.get(id)), "current_period_end");
    if state.get(id)["cancel_at"].as_i64().is_some_and(|cancel| cancel <= end) {
        return Err(no_next());
    }
    state.now = state.now.max(end);
    drop_ended_discounts(state, id);
    let lines = next_period(state, id);
    let subscription = state.get(id).clone();
    Ok(invoices::draft(state, &subscription, "upcoming", lines))
}

fn no_next() -> Box<super::refusal::Refusal> {
    refused("invoice_upcoming_none", "", "No upcoming invoices for customer")
}

fn of_new(state: &mut State, params: &Params) -> Outcome<Value> {
    let customer = state.find("customer", params.need("customer")?, "customer")?;
    let items = priced(state, params, "subscription_details.items")
        .map_err(|refusal| if params.has("subscription_details.items") { refusal } else { missing("subscription") })?;
    let amount = items.iter().map(|(price, quantity)| number(price, "unit_amount") * quantity).sum();
    let start = Start {
        customer: text(&customer, "id").to_owned(),
        items,
        trial_end: params.number("subscription_details.trial_end")?,
        method: Value::Null,
        discounts: discounts::chosen(state, params, &customer["id"], amount)?,
        metadata: json!({}),
        description: Value::Null,
    };
    let begun = subscriptions::begin(state, &start, |_, _| Ok(()))?;
    let mut invoice = state.get(text(state.get(&begun), "latest_invoice")).clone();
    invoice["status"] = json!("draft");
    invoice["billing_reason"] = json!("upcoming");
    invoice["number"] = Value::Null;
    Ok(invoice)
}
