//! How subscriptions end.

use serde_json::{Value, json};

use super::changes;
use super::form::Params;
use super::invoices;
use super::items;
use super::lines;
use super::refusal::{Outcome, refused};
use super::state::{State, list, text};

/// `DELETE /v1/subscriptions/{id}`
pub(super) fn request(state: &mut State, id: &str, params: &Params) -> Outcome<Value> {
    params.allow(&["invoice_now", "prorate", "cancellation_details.comment", "cancellation_details.feedback"])?;
    let subscription = state.find("subscription", id, "")?;
    if !subscription["ended_at"].is_null() {
        return Err(super::refusal::no_such("subscription", id, ""));
    }
    let (invoice_now, prorate) = (params.flag("invoice_now")? == Some(true), params.flag("prorate")? == Some(true));
    state.edit(id, |subscription| changes::set_details(subscription, params));
    let runs = matches!(text(&subscription, "status"), "active" | "past_due");
    if prorate && runs {
        let now = state.now;
        let lines = lines::of_change(state, &subscription, list(&subscription["items"]["data"]), &[], now);
        items::keep_lines(state, id, lines);
    }
    let lines = if invoice_now { items::take_lines(state, id) } else { Vec::new() };
    if !lines.is_empty() {
        let invoice = invoices::draft(state, &subscription, "manual", lines);
        state.edit(id, |subscription| subscription["latest_invoice"] = invoice["id"].clone());
        let invoice = invoices::issue(state, invoice);
        invoices::collect(state, &invoice, true);
    }
    end(state, id, "cancellation_requested");
    Ok(state.get(id).clone())
}

/// Ends a subscription now.
pub(super) fn end(state: &mut State, id: &str, reason: &str) {
    let before = state.get(id).clone();
    if !before["ended_at"].is_null() {
        return;
    }
    let now = state.now;
    state.edit(id, |subscription| {
        subscription["status"] = json!("canceled");
        subscription["ended_at"] = json!(now);
        if subscription["canceled_at"].is_null() {
            subscription["canceled_at"] = json!(now);
        }
        if subscription["cancellation_details"]["reason"].is_null() {
            subscription["cancellation_details"]["reason"] = json!(reason);
        }
        subscription["schedule"] = Value::Null;
        subscription["pending_update"] = Value::Null;
    });
    if before["status"] == "incomplete" {
        invoices::void(state, text(&before, "latest_invoice"));
    }
    items::take_lines(state, id);
    state.tell("customer.subscription.deleted", id);
    invoices::give_up(state, id);
    if let Some(schedule) = before["schedule"].as_str() {
        state.edit(schedule, |schedule| {
            schedule["status"] = json!("canceled");
            schedule["canceled_at"] = json!(now);
            schedule["current_phase"] = Value::Null;
        });
        state.tell("subscription_schedule.canceled", schedule);
    }
}

/// `POST /v1/subscriptions/{id}/resume`
pub(super) fn resume(state: &mut State, id: &str, params: &Params) -> Outcome<Value> {
    params.allow(&["billing_cycle_anchor", "proration_behavior"])?;
    let subscription = state.find("subscription", id, "")?;
    if subscription["status"] != "paused" {
        return Err(refused("", "", "Only subscriptions with status `paused` can be resumed."));
    }
    super::renewals::restart(state, id);
    state.tell("customer.subscription.resumed", id);
    Ok(state.get(id).clone())
}

/// The end of a subscription that was never paid for.
pub(super) fn expire(state: &mut State, id: &str) {
    let now = state.now;
    let invoice = text(state.get(id), "latest_invoice").to_owned();
    state.update(id, "customer.subscription.updated", |subscription| {
        subscription["status"] = json!("incomplete_expired");
        subscription["ended_at"] = json!(now);
    });
    invoices::void(state, &invoice);
}
