//! Schedules: what a subscription will be, phase after phase.

use serde_json::{Value, json};

use super::cancel;
use super::changes::{Manner, change_items};
use super::form::{Params, bracketed};
use super::items::put_items;
use super::refusal::{Outcome, missing, no_such, refused};
use super::state::{State, list, number, text};
use super::subscriptions::{first_item, item, price, priced_or_kept};
use super::terms::period_end;

/// `POST /v1/subscription_schedules`
pub(super) fn create(state: &mut State, params: &Params) -> Outcome<Value> {
    params.allow(&["from_subscription", "metadata.*"])?;
    let subscription = state.find("subscription", params.need("from_subscription")?, "from_subscription")?;
    let id = text(&subscription, "id").to_owned();
    if let Some(schedule) = subscription["schedule"].as_str() {
        let message = format!("Subscription {id} is already attached to schedule {schedule}.");
        return Err(refused("", "from_subscription", &message));
    }
    if !matches!(text(&subscription, "status"), "active" | "trialing" | "past_due") {
        let message = "You cannot migrate a subscription that is not active to a schedule.";
        return Err(refused("", "from_subscription", message));
    }
    let first = first_item(&subscription);
    let (start, end) = (number(first, "current_period_start"), number(first, "current_period_end"));
    let items: Vec<Value> = list(&subscription["items"]["data"])
        .iter()
        .map(|item| phase_item(item["price"]["id"].as_str().unwrap_or_default(), number(item, "quantity")))
        .collect();
    let schedule = json!({
        "id": state.new_id("sub_sched_"), "object": "subscription_schedule", "application": null,
        "billing_mode": {"type": "classic", "updated_at": null}, "canceled_at": null, "completed_at": null,
        "created": state.now, "current_phase": {"end_date": end, "start_date": start},
        "customer": subscription["customer"],
        "default_settings": {"billing_cycle_anchor": "automatic", "collection_method": "charge_automatically",
            "default_payment_method": null, "description": null},
        "end_behavior": "release", "livemode": false, "metadata": params.metadata("metadata"),
        "phases": [phase(&subscription, &json!(items), start, end, "create_prorations")], "released_at": null,
        "released_subscription": null, "status": "active", "subscription": id, "test_clock": null,
    });
    let schedule = state.create("subscription_schedule.created", schedule);
    state
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

/// `POST /v1/subscription_schedules/{id}`
pub(super) fn update(state: &mut State, id: &str, params: &Params) -> Outcome<Value> {
    params.allow(&[
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
    let schedule = running(state, id)?;
    let end_behavior = params.word("end_behavior", &["release", "cancel"])?;
    let phases = if params.has("phases") { Some(phases(state, &schedule, params)?) } else { None };
    let now = state.now;
    Ok(state.update(id, "subscription_schedule.updated", |schedule| {
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

fn phases(state: &State, schedule: &Value, params: &Params) -> Outcome<Vec<Value>> {
    let subscription = state.get(text(schedule, "subscription")).clone();
    let kept: Vec<&Value> = list(&schedule["phases"][0]["items"]).iter().map(|item| &item["price"]).collect();
    let count = params.list("phases").len();
    let mut start = number(&schedule["phases"][0], "start_date");
    let mut phases = Vec::new();
    for at in 0..count {
        let begin = format!("phases.{at}.start_date");
        match (params.number(&begin)?, at) {
            (Some(own), 0) if list(&schedule["phases"]).iter().all(|phase| number(phase, "start_date") != own) => {
                let message = "You can not modify the start date of the current phase.";
                return Err(refused("", &bracketed(&begin), message));
            }
            (None, 0) => return Err(missing(&bracketed(&begin))),
            (Some(own), 1..) if own != start => {
                let message = "The start date of a phase has to be the end date of the phase before.";
                return Err(refused("", &bracketed(&begin), message));
            }
            (own, _) => start = own.unwrap_or(start),
        }
        let items = priced_or_kept(state, params, &format!("phases.{at}.items"), &kept)?;
        let ends = format!("phases.{at}.end_date");
        let end = match (params.number(&ends)?, params.number(&format!("phases.{at}.iterations"))?) {
            (Some(end), _) => end,
            (None, iterations) if iterations.is_some() || at + 1 == count => {
                (0..iterations.unwrap_or(1)).fold(start, |end, _| period_end(end, end, &items[0].0["recurring"]))
            }
            _ => return Err(missing(&bracketed(&ends))),
        };
        if end <= start {
            return Err(refused("", &bracketed(&ends), "The end date of a phase has to be after its start date."));
        }
        let prorations = ["create_prorations", "always_invoice", "none"];
        let proration = params.word(&format!("phases.{at}.proration_behavior"), &prorations)?;
        let items = items.iter().map(|(price, quantity)| phase_item(text(price, "id"), *quantity)).collect();
        phases.push(phase(&subscription, &items, start, end, proration.unwrap_or("create_prorations")));
        start = end;
    }
    Ok(phases)
}

fn running(state: &State, id: &str) -> Outcome<Value> {
    let schedule = state.find("subscription_schedule", id, "")?;
    if matches!(text(&schedule, "status"), "active" | "not_started") {
        return Ok(schedule);
    }
    let status = text(&schedule, "status");
    let message = format!("This subscription schedule is in the `{status}` status and can no longer be changed.");
    Err(refused("", "", &message))
}

/// `POST /v1/subscription_schedules/{id}/release`
pub(super) fn release(state: &mut State, id: &str, params: &Params) -> Outcome<Value> {
    params.allow(&["preserve_cancel_date"])?;
    running(state, id)?;
    released(state, id);
    Ok(state.get(id).clone())
}

/// `POST /v1/subscription_schedules/{id}/cancel`
pub(super) fn cancel(state: &mut State, id: &str, params: &Params) -> Outcome<Value> {
    params.allow(&["invoice_now", "prorate"])?;
    let schedule = running(state, id)?;
    cancel::end(state, text(&schedule, "subscription"), "cancellation_requested");
    Ok(state.get(id).clone())
}

fn released(state: &mut State, id: &str) {
    let subscription = text(state.get(id), "subscription").to_owned();
    let now = state.now;
    state.edit(id, |schedule| {
        schedule["status"] = json!("released");
        schedule["released_at"] = json!(now);
        schedule["released_subscription"] = json!(subscription);
        schedule["subscription"] = Value::Null;
        schedule["current_phase"] = Value::Null;
    });
    state.tell("subscription_schedule.released", id);
    state.update(&subscription, "customer.subscription.updated", |subscription| subscription["schedule"] = Value::Null);
}

/// The end of a phase: the next one begins, or the schedule ends.
pub(super) fn next_phase(state: &mut State, id: &str) {
    let schedule = state.get(id).clone();
    let now = state.now;
    let next = list(&schedule["phases"]).iter().find(|phase| number(phase, "start_date") >= now).cloned();
    let subscription = text(&schedule, "subscription").to_owned();
    let Some(next) = next else {
        if schedule["end_behavior"] == "cancel" {
            cancel::end(state, &subscription, "cancellation_requested");
        } else {
            released(state, id);
        }
        return;
    };
    state.update(id, "subscription_schedule.updated", |schedule| {
        schedule["current_phase"] = json!({"end_date": next["end_date"], "start_date": next["start_date"]});
    });
    if let Err(refusal) = enter(state, &subscription, &next) {
        tracing::warn!(id, reason = refusal.message(), "a phase does not begin");
    }
}

fn enter(state: &mut State, id: &str, phase: &Value) -> Outcome<()> {
    let before = state.get(id).clone();
    if before.is_null() {
        return Err(no_such("subscription", id, ""));
    }
    let old = list(&before["items"]["data"]).to_vec();
    let mut items = Vec::new();
    for (at, entry) in list(&phase["items"]).iter().enumerate() {
        let price = price(state, text(entry, "price"), "price")?;
        let kept = old.get(at).map(|item| text(item, "id").to_owned());
        let item_id = kept.unwrap_or_else(|| state.new_id("si_"));
        items.push(item(state, &item_id, id, &price, number(entry, "quantity")));
    }
    let now = state.now;
    if number(&old[0], "current_period_end") == now {
        // The renewal, which follows, bills the new items whole.
        begin_with(state, id, items, &old);
        state.tell_change("customer.subscription.updated", id, &before);
        return Ok(());
    }
    let proration = match text(phase, "proration_behavior") {
        "none" => "none",
        "always_invoice" => "always_invoice",
        _ => "create_prorations",
    };
    let manner = Manner { proration, behaviour: "allow_incomplete", at: now, off_session: true };
    change_items(state, &before, items, &manner).map(|_| ())
}

fn begin_with(state: &mut State, id: &str, items: Vec<Value>, old: &[Value]) {
    let now = state.now;
    let (start, end) = (old[0]["current_period_start"].clone(), old[0]["current_period_end"].clone());
    put_items(state, id, items, now, false);
    // Where the length is another, that has begun a new period already, which is the renewal's to do.
    state.edit(id, |subscription| {
        super::items::for_each(subscription, |item| {
            item["current_period_start"] = start.clone();
            item["current_period_end"] = end.clone();
        });
    });
}
