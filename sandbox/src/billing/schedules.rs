//! Subscription schedules.

use serde_json::{Value, json};

use crate::billing::changes::{ChangeOptions, change_items};
use crate::billing::ending;
use crate::error::{StripeResult, invalid_request, missing_parameter, not_found};
use crate::objects::items;
use crate::objects::subscriptions::{find_price, first_item, new_item, parse_items_keeping};
use crate::params::{Params, bracketed};
use crate::store::{Store, list, number, text};
use crate::terms::period_end;

/// Handles `POST /v1/subscription_schedules`.
pub(crate) fn create(store: &mut Store, params: &Params) -> StripeResult<Value> {
    params.allow_only(&["from_subscription", "metadata.*"])?;
    let subscription = store.find("subscription", params.require("from_subscription")?, "from_subscription")?;
    let id = text(&subscription, "id").to_owned();
    if let Some(schedule) = subscription["schedule"].as_str() {
        let message = format!("Subscription {id} is already attached to schedule {schedule}.");
        return Err(invalid_request("", "from_subscription", &message));
    }
    if !matches!(text(&subscription, "status"), "active" | "trialing" | "past_due") {
        let message = "You cannot migrate a subscription that is not active to a schedule.";
        return Err(invalid_request("", "from_subscription", message));
    }
    let first = first_item(&subscription);
    let (start, end) = (number(first, "current_period_start"), number(first, "current_period_end"));
    let items: Vec<Value> = list(&subscription["items"]["data"])
        .iter()
        .map(|item| phase_item(item["price"]["id"].as_str().unwrap_or_default(), number(item, "quantity")))
        .collect();
    let schedule = json!({
        "id": store.new_id("sub_sched_"), "object": "subscription_schedule", "application": null,
        "billing_mode": {"type": "classic", "updated_at": null}, "canceled_at": null, "completed_at": null,
        "created": store.now, "current_phase": {"end_date": end, "start_date": start},
        "customer": subscription["customer"],
        "default_settings": {"billing_cycle_anchor": "automatic", "collection_method": "charge_automatically",
            "default_payment_method": null, "description": null},
        "end_behavior": "release", "livemode": false, "metadata": params.metadata("metadata"),
        "phases": [phase(&subscription, &json!(items), start, end, "create_prorations")], "released_at": null,
        "released_subscription": null, "status": "active", "subscription": id, "test_clock": null,
    });
    let schedule = store.create("subscription_schedule.created", schedule);
    store
        .update(&id, "customer.subscription.updated", |subscription| subscription["schedule"] = schedule["id"].clone());
    Ok(schedule)
}

fn phase_item(price: &str, quantity: i64) -> Value {
    json!({"billing_thresholds": null, "discounts": [], "metadata": {}, "plan": price, "price": price,
        "quantity": quantity, "tax_rates": []})
}

fn phase(subscription: &Value, items: &Value, start: i64, end: i64, proration: &str) -> Value {
    json!({
        "add_invoice_items": [], "application_fee_percent": null, "billing_cycle_anchor": null,
        "billing_thresholds": null, "collection_method": null, "currency": subscription["currency"],
        "default_payment_method": null, "default_tax_rates": [], "description": null, "discounts": [],
        "end_date": end, "invoice_settings": null, "items": items, "metadata": {}, "on_behalf_of": null,
        "proration_behavior": proration, "start_date": start, "transfer_data": null, "trial_end": null,
    })
}

/// Handles `POST /v1/subscription_schedules/{id}`.
pub(crate) fn update(store: &mut Store, id: &str, params: &Params) -> StripeResult<Value> {
    params.allow_only(&[
        "phases.*.items.*.price",
        "phases.*.items.*.quantity",
        "phases.*.start_date",
        "phases.*.end_date",
        "phases.*.iterations",
        "phases.*.proration_behavior",
        "phases.*.metadata.*",
        "end_behavior",
        "proration_behavior",
        "metadata.*",
    ])?;
    let schedule = find_running(store, id)?;
    let end_behavior = params.one_of("end_behavior", &["release", "cancel"])?;
    let phases = if params.has("phases") { Some(phases(store, &schedule, params)?) } else { None };
    let now = store.now;
    Ok(store.update(id, "subscription_schedule.updated", |schedule| {
        params.write_metadata("metadata", &mut schedule["metadata"]);
        if let Some(end_behavior) = end_behavior {
            schedule["end_behavior"] = json!(end_behavior);
        }
        if let Some(phases) = phases {
            let current = phases.iter().find(|phase| number(phase, "end_date") > now).cloned().unwrap_or_default();
            schedule["current_phase"] = json!({"end_date": current["end_date"], "start_date": current["start_date"]});
            schedule["phases"] = json!(phases);
        }
    }))
}

fn phases(store: &Store, schedule: &Value, params: &Params) -> StripeResult<Vec<Value>> {
    let subscription = store.get(text(schedule, "subscription")).clone();
    let kept: Vec<&Value> = list(&schedule["phases"][0]["items"]).iter().map(|item| &item["price"]).collect();
    let count = params.list("phases").len();
    let mut start = number(&schedule["phases"][0], "start_date");
    let mut phases = Vec::new();
    for at in 0..count {
        let begin = format!("phases.{at}.start_date");
        match (params.number(&begin)?, at) {
            (Some(own), 0) if list(&schedule["phases"]).iter().all(|phase| number(phase, "start_date") != own) => {
                let message = "You can not modify the start date of the current phase.";
                return Err(invalid_request("", &bracketed(&begin), message));
            }
            (None, 0) => return Err(missing_parameter(&bracketed(&begin))),
            (Some(own), 1..) if own != start => {
                let message = "The start date of a phase has to be the end date of the phase before.";
                return Err(invalid_request("", &bracketed(&begin), message));
            }
            (own, _) => start = own.unwrap_or(start),
        }
        let items = parse_items_keeping(store, params, &format!("phases.{at}.items"), &kept)?;
        let ends = format!("phases.{at}.end_date");
        let end = match (params.number(&ends)?, params.number(&format!("phases.{at}.iterations"))?) {
            (Some(end), _) => end,
            (None, iterations) if iterations.is_some() || at + 1 == count => {
                (0..iterations.unwrap_or(1)).fold(start, |end, _| period_end(end, end, &items[0].0["recurring"]))
            }
            _ => return Err(missing_parameter(&bracketed(&ends))),
        };
        if end <= start {
            return Err(invalid_request(
                "",
                &bracketed(&ends),
                "The end date of a phase has to be after its start date.",
            ));
        }
        let prorations = ["create_prorations", "always_invoice", "none"];
        let proration = params.one_of(&format!("phases.{at}.proration_behavior"), &prorations)?;
        let items = items.iter().map(|(price, quantity)| phase_item(text(price, "id"), *quantity)).collect();
        phases.push(phase(&subscription, &items, start, end, proration.unwrap_or("create_prorations")));
        start = end;
    }
    Ok(phases)
}

fn find_running(store: &Store, id: &str) -> StripeResult<Value> {
    let schedule = store.find("subscription_schedule", id, "")?;
    if matches!(text(&schedule, "status"), "active" | "not_started") {
        return Ok(schedule);
    }
    let status = text(&schedule, "status");
    let message = format!("This subscription schedule is in the `{status}` status and can no longer be changed.");
    Err(invalid_request("", "", &message))
}

/// Handles `POST /v1/subscription_schedules/{id}/release`.
pub(crate) fn release_request(store: &mut Store, id: &str, params: &Params) -> StripeResult<Value> {
    params.allow_only(&["preserve_cancel_date"])?;
    find_running(store, id)?;
    release(store, id);
    Ok(store.get(id).clone())
}

/// Handles `POST /v1/subscription_schedules/{id}/cancel`.
pub(crate) fn cancel_request(store: &mut Store, id: &str, params: &Params) -> StripeResult<Value> {
    params.allow_only(&["invoice_now", "prorate"])?;
    let schedule = find_running(store, id)?;
    ending::end(store, text(&schedule, "subscription"), "cancellation_requested");
    Ok(store.get(id).clone())
}

/// Releases the subscription of a schedule.
fn release(store: &mut Store, id: &str) {
    let subscription = text(store.get(id), "subscription").to_owned();
    let now = store.now;
    store.edit(id, |schedule| {
        schedule["status"] = json!("released");
        schedule["released_at"] = json!(now);
        schedule["released_subscription"] = json!(subscription);
        schedule["subscription"] = Value::Null;
        schedule["current_phase"] = Value::Null;
    });
    store.emit("subscription_schedule.released", id);
    store.update(&subscription, "customer.subscription.updated", |subscription| subscription["schedule"] = Value::Null);
}

/// Begins the next phase, or ends the schedule.
pub(crate) fn advance(store: &mut Store, id: &str) {
    let schedule = store.get(id).clone();
    let now = store.now;
    let next = list(&schedule["phases"]).iter().find(|phase| number(phase, "start_date") >= now).cloned();
    let subscription = text(&schedule, "subscription").to_owned();
    let Some(next) = next else {
        if schedule["end_behavior"] == "cancel" {
            ending::end(store, &subscription, "cancellation_requested");
        } else {
            release(store, id);
        }
        return;
    };
    store.update(id, "subscription_schedule.updated", |schedule| {
        schedule["current_phase"] = json!({"end_date": next["end_date"], "start_date": next["start_date"]});
    });
    if let Err(refusal) = begin_phase(store, &subscription, &next) {
        tracing::warn!(id, reason = refusal.message(), "a phase could not begin");
    }
}

fn begin_phase(store: &mut Store, id: &str, phase: &Value) -> StripeResult<()> {
    let before = store.get(id).clone();
    if before.is_null() {
        return Err(not_found("subscription", id, ""));
    }
    let old = list(&before["items"]["data"]).to_vec();
    let mut changed = Vec::new();
    for (at, entry) in list(&phase["items"]).iter().enumerate() {
        let price = find_price(store, text(entry, "price"), "price")?;
        let kept = old.get(at).map(|item| text(item, "id").to_owned());
        let item_id = kept.unwrap_or_else(|| store.new_id("si_"));
        changed.push(new_item(store, &item_id, id, &price, number(entry, "quantity")));
    }
    let now = store.now;
    if number(&old[0], "current_period_end") == now {
        // The renewal that follows bills the new items in full.
        replace_before_renewal(store, id, changed, &old);
        store.emit_update("customer.subscription.updated", id, &before);
        return Ok(());
    }
    let proration = match text(phase, "proration_behavior") {
        "none" => "none",
        "always_invoice" => "always_invoice",
        _ => "create_prorations",
    };
    let options = ChangeOptions { proration, behavior: "allow_incomplete", at: now, off_session: true };
    change_items(store, &before, changed, &options).map(|_| ())
}

fn replace_before_renewal(store: &mut Store, id: &str, new: Vec<Value>, old: &[Value]) {
    let now = store.now;
    let (start, end) = (old[0]["current_period_start"].clone(), old[0]["current_period_end"].clone());
    items::replace(store, id, new, now, false);
    // If the interval differs, a new period has begun, which is the renewal's task.
    store.edit(id, |subscription| {
        items::for_each(subscription, |item| {
            item["current_period_start"] = start.clone();
            item["current_period_end"] = end.clone();
        });
    });
}
