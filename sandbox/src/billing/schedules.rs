//! Subscription schedules.

use serde_json::{Value, json};

use crate::billing::{ending, phase_effects, phases};
use crate::error::{StripeResult, invalid_request};
use crate::params::Params;
use crate::store::{Store, list, number, text};

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
    let phase = phases::of_subscription(&subscription);
    let schedule = json!({
        "id": store.new_id("sub_sched_"), "object": "subscription_schedule", "application": null,
        "billing_mode": {"type": "classic"}, "canceled_at": null, "completed_at": null,
        "created": store.now,
        "current_phase": {"end_date": phase["end_date"], "start_date": phase["start_date"]},
        "customer": subscription["customer"],
        "default_settings": {"application_fee_percent": null,
            "automatic_tax": {"disabled_reason": null, "enabled": false, "liability": null},
            "billing_cycle_anchor": "automatic", "billing_thresholds": null,
            "collection_method": subscription["collection_method"],
            "default_payment_method": subscription["default_payment_method"], "description": subscription["description"],
            "invoice_settings": {"account_tax_ids": null, "days_until_due": null, "issuer": {"type": "self"}},
            "on_behalf_of": null, "transfer_data": null},
        "end_behavior": "release", "livemode": false, "metadata": params.metadata("metadata"),
        "phases": [phase], "released_at": null,
        "released_subscription": null, "status": "active", "subscription": id, "test_clock": null,
    });
    let schedule = store.create("subscription_schedule.created", schedule);
    store
        .update(&id, "customer.subscription.updated", |subscription| subscription["schedule"] = schedule["id"].clone());
    Ok(schedule)
}

/// Handles `POST /v1/subscription_schedules/{id}`.
pub(crate) fn update(store: &mut Store, id: &str, params: &Params) -> StripeResult<Value> {
    let mut known: Vec<String> = phases::PARAMS.iter().map(|name| format!("phases.*.{name}")).collect();
    known.extend(["end_behavior", "proration_behavior", "metadata.*"].map(str::to_owned));
    params.allow_only(&known.iter().map(String::as_str).collect::<Vec<_>>())?;
    let schedule = find_running(store, id)?;
    let end_behavior = params.one_of("end_behavior", &["release", "cancel"])?;
    let phases = if params.has("phases") { Some(phases::parse(store, &schedule, params)?) } else { None };
    let now = store.now;
    let current =
        phases.as_ref().and_then(|phases| phases.iter().find(|phase| number(phase, "end_date") > now)).cloned();
    store.update(id, "subscription_schedule.updated", |schedule| {
        params.write_metadata("metadata", &mut schedule["metadata"]);
        if let Some(end_behavior) = end_behavior {
            schedule["end_behavior"] = json!(end_behavior);
        }
        if let Some(phases) = phases {
            let current = current.clone().unwrap_or_default();
            schedule["current_phase"] = json!({"end_date": current["end_date"], "start_date": current["start_date"]});
            schedule["phases"] = json!(phases);
        }
    });
    if let Some(current) = current {
        phase_effects::bring_into_force(store, text(&schedule, "subscription"), &current)?;
    }
    Ok(store.get(id).clone())
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
    if let Err(refusal) = phase_effects::begin(store, &subscription, &next) {
        tracing::warn!(id, reason = refusal.message(), "a phase could not begin");
    }
}
