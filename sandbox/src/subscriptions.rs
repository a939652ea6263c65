//! Subscriptions: how they begin, and what payments make of them.

use serde_json::{Value, json};

use super::cards;
use super::changes;
use super::discounts::{self, Chosen};
use super::form::Params;
use super::invoices;
use super::lines;
use super::payments::Attempt;
use super::refusal::{Outcome, missing, of_card, refused};
use super::state::{State, joined, list, text};
use super::terms::{days_after, period_end};
use super::{cancel, form};

/// What a subscription begins with.
pub(super) struct Start {
    pub(super) customer: String,
    /// Prices and quantities.
    pub(super) items: Vec<(Value, i64)>,
    pub(super) trial_end: Option<i64>,
    /// What it pays with; null for what the customer pays with.
    pub(super) method: Value,
    pub(super) discounts: Vec<Chosen>,
    pub(super) metadata: Value,
    pub(super) description: Value,
}

const CREATE: &[&str] = &[
    "customer",
    "items.*.price",
    "items.*.quantity",
    "items.*.metadata.*",
    "default_payment_method",
    "trial_period_days",
    "trial_end",
    "trial_settings.end_behavior.missing_payment_method",
    "payment_behavior",
    "payment_settings.save_default_payment_method",
    "off_session",
    "discounts.*.coupon",
    "discounts.*.promotion_code",
    "metadata.*",
    "cancel_at",
    "cancel_at_period_end",
    "proration_behavior",
    "collection_method",
    "description",
];

/// `POST /v1/subscriptions`
pub(super) fn create(state: &mut State, params: &Params) -> Outcome<Value> {
    params.allow(CREATE)?;
    let customer = state.find("customer", params.need("customer")?, "customer")?;
    let items = priced(state, params, "items")?;
    let amount = items.iter().map(|(price, quantity)| price["unit_amount"].as_i64().unwrap_or(0) * quantity).sum();
    let behaviours = ["allow_incomplete", "default_incomplete", "error_if_incomplete"];
    let behaviour = params.word("payment_behavior", &behaviours)?.unwrap_or("allow_incomplete");
    let method = match params.text("default_payment_method") {
        Some(name) => json!(cards::named(state, name, customer["id"].as_str(), "default_payment_method")?),
        None => Value::Null,
    };
    let start = Start {
        customer: text(&customer, "id").to_owned(),
        items,
        trial_end: trial_end(state, params)?,
        method,
        discounts: discounts::chosen(state, params, &customer["id"], amount)?,
        metadata: params.metadata("metadata"),
        description: params.or_null("description"),
    };
    let off_session = params.flag("off_session")? == Some(true);
    let missing_method =
        params.word("trial_settings.end_behavior.missing_payment_method", &["create_invoice", "cancel", "pause"])?;
    let id = begin(state, &start, |subscription, now| {
        if let Some(missing_method) = missing_method {
            subscription["trial_settings"]["end_behavior"]["missing_payment_method"] = json!(missing_method);
        }
        changes::set_end(subscription, params, now)
    })?;
    if text(state.get(&id), "status") == "incomplete" {
        first_payment(state, &id, behaviour, off_session)?;
    }
    Ok(state.get(&id).clone())
}

fn first_payment(state: &mut State, id: &str, behaviour: &str, off_session: bool) -> Outcome<()> {
    let invoice = text(state.get(id), "latest_invoice").to_owned();
    if behaviour == "default_incomplete" {
        let method = cards::default_of(state, text(state.get(id), "customer"), state.get(id));
        if let Some(method) = method {
            let intent = invoices::intent_of(state, &invoice);
            state.edit(&intent, |intent| {
                intent["payment_method"] = json!(method);
                intent["status"] = json!("requires_confirmation");
            });
        }
        return Ok(());
    }
    let attempt = invoices::collect(state, &invoice, off_session);
    let intent = state.get(&invoices::intent_of(state, &invoice)).clone();
    match attempt {
        Attempt::NoCard => Err(invoices::no_card()),
        Attempt::Declined(error) if behaviour == "error_if_incomplete" => Err(undone(&error, &intent)),
        Attempt::Action if behaviour == "error_if_incomplete" => Err(undone(&asks(), &intent)),
        _ => Ok(()),
    }
}

/// The refusal of a card where nothing of what was tried is to stay.
pub(super) fn undone(error: &Value, intent: &Value) -> Box<super::refusal::Refusal> {
    let mut refusal = of_card(error, intent);
    refusal.undo = true;
    refusal
}

/// The error of a payment that its customer has to confirm.
pub(super) fn asks() -> Value {
    json!({"type": "card_error", "code": "subscription_payment_intent_requires_action",
        "message": "Payment for this subscription requires additional user action before it can be completed."})
}

/// The prices and quantities of a list of items.
pub(super) fn priced(state: &State, params: &Params, list: &str) -> Outcome<Vec<(Value, i64)>> {
    priced_or_kept(state, params, list, &[])
}

/// The same; who has one of the prices in `kept` keeps it although it is sold no more.
pub(super) fn priced_or_kept(
    state: &State,
    params: &Params,
    list: &str,
    kept: &[&Value],
) -> Outcome<Vec<(Value, i64)>> {
    let mut items = Vec::new();
    for (at, entry) in params.list(list).iter().enumerate() {
        let param = form::bracketed(&format!("{list}.{at}.price"));
        let id = entry.text("price").ok_or_else(|| missing(&param))?;
        let price = if kept.iter().any(|kept| **kept == id) {
            state.find("price", id, &param)?
        } else {
            price(state, id, &param)?
        };
        items.push((price, entry.number("quantity")?.unwrap_or(1)));
    }
    if items.is_empty() { Err(missing(list)) } else { Ok(items) }
}

/// A price that a subscription can have.
pub(super) fn price(state: &State, id: &str, param: &str) -> Outcome<Value> {
    let price = state.find("price", id, param)?;
    if price["active"] != true {
        let message = format!("The price specified is inactive. This field only accepts active prices: {id}");
        return Err(refused("price_inactive", param, &message));
    }
    if price["recurring"].is_null() {
        let message =
            format!("The price specified is set to `type=one_time` but this field only accepts recurring: {id}");
        return Err(refused("", param, &message));
    }
    Ok(price)
}

/// When the trial that is asked for ends.
pub(super) fn trial_end(state: &State, params: &Params) -> Outcome<Option<i64>> {
    let days = params.number("trial_period_days")?.filter(|days| *days > 0);
    let end = if params.text("trial_end") == Some("now") { None } else { params.number("trial_end")? };
    Ok(end.or_else(|| days.map(|days| days_after(state.now, days))))
}

/// An item of a subscription.
pub(super) fn item(state: &mut State, id: &str, subscription: &str, price: &Value, quantity: i64) -> Value {
    json!({
        "id": id, "object": "subscription_item", "billing_thresholds": null, "created": state.now,
        "current_period_end": null, "current_period_start": null, "discounts": [], "metadata": {}, "price": price,
        "quantity": quantity, "subscription": subscription, "tax_rates": [],
    })
}

/// A new subscription with its first invoice, told of, and not paid yet unless that costs nothing.
pub(super) fn begin(
    state: &mut State,
    start: &Start,
    adjust: impl FnOnce(&mut Value, i64) -> Outcome<()>,
) -> Outcome<String> {
    let id = state.new_id("sub_");
    let mut subscription = blank(state, &id, start);
    adjust(&mut subscription, state.now)?;
    let customer = subscription["customer"].clone();
    let discounts: Vec<String> =
        start.discounts.iter().map(|chosen| discounts::put_on(state, chosen, &customer, &id)).collect();
    subscription["discounts"] = json!(discounts);
    state.put(subscription.clone());
    let first = &subscription["items"]["data"][0];
    let (from, to) = (state.now, first["current_period_end"].as_i64().unwrap_or(state.now));
    let lines = lines::of_period(state, &subscription, from, to, start.trial_end.is_some());
    let invoice = invoices::draft(state, &subscription, "subscription_create", lines);
    let free = invoice["amount_due"] == 0;
    state.edit(&id, |subscription| subscription["latest_invoice"] = invoice["id"].clone());
    if free && start.trial_end.is_none() {
        state.edit(&id, |subscription| subscription["status"] = json!("active"));
    }
    invoices::issue(state, invoice);
    state.tell("customer.subscription.created", &id);
    discounts::announce(state, &discounts);
    Ok(id)
}

fn blank(state: &mut State, id: &str, start: &Start) -> Value {
    let now = state.now;
    let recurring = &start.items[0].0["recurring"];
    let anchor = start.trial_end.unwrap_or(now);
    let end = start.trial_end.unwrap_or_else(|| period_end(anchor, now, recurring));
    let mut items = Vec::new();
    for (price, quantity) in &start.items {
        let item_id = state.new_id("si_");
        let mut item = item(state, &item_id, id, price, *quantity);
        item["current_period_start"] = json!(now);
        item["current_period_end"] = json!(end);
        items.push(item);
    }
    joined(
        json!({
        "id": id, "object": "subscription", "application": null, "application_fee_percent": null,
        "automatic_tax": {"disabled_reason": null, "enabled": false, "liability": null},
        "billing_cycle_anchor": anchor, "billing_cycle_anchor_config": null,
        "billing_mode": {"type": "classic", "updated_at": null}, "billing_thresholds": null, "cancel_at": null,
        "cancel_at_period_end": false, "canceled_at": null,
        "cancellation_details": {"comment": null, "feedback": null, "reason": null},
        "collection_method": "charge_automatically", "created": now, "currency": start.items[0].0["currency"],
        "customer": start.customer, "days_until_due": null, "default_payment_method": start.method,
        "default_source": null, "default_tax_rates": [], "description": start.description, "discounts": [],
        "ended_at": null, "invoice_settings": {"account_tax_ids": null, "issuer": {"type": "self"}},
        }),
        json!({
            "items": {"object": "list", "data": items, "has_more": false, "total_count": items.len(),
                "url": format!("/v1/subscription_items?subscription={id}")},
            "latest_invoice": null, "livemode": false, "metadata": start.metadata,
            "next_pending_invoice_item_invoice": null, "on_behalf_of": null, "pause_collection": null,
            "payment_settings":
                {"payment_method_options": null, "payment_method_types": null, "save_default_payment_method": "off"},
            "pending_invoice_item_interval": null, "pending_setup_intent": null, "pending_update": null,
            "schedule": null, "start_date": now,
            "status": if start.trial_end.is_some() { "trialing" } else { "incomplete" }, "test_clock": null,
            "transfer_data": null, "trial_end": start.trial_end,
            "trial_settings": {"end_behavior": {"missing_payment_method": "create_invoice"}},
            "trial_start": start.trial_end.map(|_| now),
        }),
    )
}

/// What a subscription becomes when one of its invoices was paid.
pub(super) fn invoice_paid(state: &mut State, invoice: &Value) {
    let id = invoices::subscription_of(invoice).to_owned();
    if changes::pending_invoice(state, &id) == text(invoice, "id") {
        changes::apply_pending(state, &id);
    }
    if matches!(text(state.get(&id), "status"), "incomplete" | "past_due") {
        state.update(&id, "customer.subscription.updated", |subscription| subscription["status"] = json!("active"));
    }
}

/// What a subscription becomes when an invoice of it, that is not its first, was not paid.
pub(super) fn payment_failed(state: &mut State, id: &str, last: bool) {
    if !state.get(id)["pending_update"].is_null() {
        return;
    }
    if matches!(text(state.get(id), "status"), "active" | "trialing") {
        state.update(id, "customer.subscription.updated", |subscription| subscription["status"] = json!("past_due"));
    }
    if last && text(state.get(id), "status") == "past_due" {
        cancel::end(state, id, "payment_failed");
    }
}

/// The first item of a subscription, which has the period of all.
pub(super) fn first_item(subscription: &Value) -> &Value {
    list(&subscription["items"]["data"]).first().unwrap_or(&Value::Null)
}
