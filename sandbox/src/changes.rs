//! Changes of a subscription that runs: of its items, of its end, of what it pays with.

use serde_json::{Value, json};

use super::cards;
use super::discounts;
use super::form::Params;
use super::invoices;
use super::items::{self, new_items, put_items};
use super::payments::Attempt;
use super::refusal::{Outcome, refused};
use super::renewals;
use super::state::{State, list, text};
use super::subscriptions::{asks, first_item, undone};

/// How long a change waits for its payment.
const PENDING_HOURS: i64 = 23;

const UPDATE: &[&str] = &[
    "items.*.id",
    "items.*.price",
    "items.*.quantity",
    "items.*.deleted",
    "items.*.metadata.*",
    "proration_behavior",
    "proration_date",
    "payment_behavior",
    "cancel_at_period_end",
    "cancel_at",
    "cancellation_details.comment",
    "cancellation_details.feedback",
    "pause_collection.behavior",
    "pause_collection.resumes_at",
    "discounts.*.coupon",
    "discounts.*.promotion_code",
    "discounts.*.discount",
    "trial_end",
    "metadata.*",
    "default_payment_method",
    "description",
    "off_session",
    "payment_settings.save_default_payment_method",
    "trial_settings.end_behavior.missing_payment_method",
];

/// What cannot be changed together with items while the payment for them is awaited.
const NOT_WHILE_PENDING: [&str; 6] =
    ["cancel_at", "cancel_at_period_end", "metadata", "default_payment_method", "pause_collection", "description"];

/// `POST /v1/subscriptions/{id}`
pub(super) fn update(state: &mut State, id: &str, params: &Params) -> Outcome<Value> {
    params.allow(UPDATE)?;
    let before = state.find("subscription", id, "")?;
    guard(&before, params)?;
    let behaviours = ["allow_incomplete", "default_incomplete", "error_if_incomplete", "pending_if_incomplete"];
    let behaviour = params.word("payment_behavior", &behaviours)?.unwrap_or("allow_incomplete");
    let pending = behaviour == "pending_if_incomplete";
    if let Some(name) = NOT_WHILE_PENDING.iter().find(|name| pending && params.has(name)) {
        let message = format!("Passing `{name}` is not supported with `payment_behavior=pending_if_incomplete`.");
        return Err(refused("", name, &message));
    }
    simple_fields(state, id, params)?;
    change_discounts(state, id, params)?;
    if params.text("trial_end") == Some("now") && before["status"] == "trialing" {
        return trial_ends_now(state, id, &before);
    }
    if params.has("items") {
        let at = params.number("proration_date")?.unwrap_or(state.now);
        let prorations = ["create_prorations", "always_invoice", "none"];
        let proration = params.word("proration_behavior", &prorations)?.unwrap_or("create_prorations");
        let off_session = params.flag("off_session")? == Some(true);
        let items = new_items(state, &before, params)?;
        return change_items(state, &before, items, &Manner { proration, behaviour, at, off_session });
    }
    state.tell_change("customer.subscription.updated", id, &before);
    Ok(state.get(id).clone())
}

/// Refuses what a subscription that ended, or one that a schedule holds, does not take.
fn guard(before: &Value, params: &Params) -> Outcome<()> {
    let named = |names: &[&str]| names.iter().any(|name| params.has(name));
    if !before["ended_at"].is_null() {
        let others = params.0.as_object().into_iter().flatten().map(|(name, _)| name);
        if others.clone().any(|name| !matches!(name.as_str(), "metadata" | "cancellation_details")) {
            let message = "A canceled subscription can only update its cancellation_details and metadata.";
            return Err(refused("", "", message));
        }
    }
    if let Some(schedule) = before["schedule"].as_str() {
        let what = if named(&["cancel_at", "cancel_at_period_end"]) { "any cancelation behavior" } else { "items" };
        if named(&["cancel_at", "cancel_at_period_end", "items", "trial_end"]) {
            let message = format!(
                "The subscription is managed by the subscription schedule `{schedule}`, and updating {what} directly \
                 is not allowed. Please update the schedule instead."
            );
            return Err(refused("", "", &message));
        }
    }
    Ok(())
}

fn simple_fields(state: &mut State, id: &str, params: &Params) -> Outcome<()> {
    let now = state.now;
    let mut subscription = state.get(id).clone();
    params.write_metadata("metadata", &mut subscription["metadata"]);
    if let Some(name) = params.text("default_payment_method") {
        let method = cards::named(state, name, subscription["customer"].as_str(), "default_payment_method")?;
        subscription["default_payment_method"] = json!(method);
    }
    if params.has("description") {
        subscription["description"] = params.or_null("description");
    }
    set_details(&mut subscription, params);
    set_end(&mut subscription, params, now)?;
    if params.has("pause_collection") {
        let behaviours = ["keep_as_draft", "mark_uncollectible", "void"];
        let behaviour = params.word("pause_collection.behavior", &behaviours)?;
        let resumes_at = params.number_or_null("pause_collection.resumes_at")?;
        subscription["pause_collection"] = match behaviour {
            None => Value::Null,
            Some(behaviour) => json!({"behavior": behaviour, "resumes_at": resumes_at}),
        };
    }
    if let Some(end) = params.number("trial_end").ok().flatten() {
        subscription["trial_end"] = json!(end);
        subscription["status"] = json!("trialing");
        subscription["billing_cycle_anchor"] = json!(end);
        items::for_each(&mut subscription, |item| item["current_period_end"] = json!(end));
    }
    state.put(subscription);
    Ok(())
}

/// Notes what the customer said about the end.
pub(super) fn set_details(subscription: &mut Value, params: &Params) {
    for name in ["comment", "feedback"] {
        let path = format!("cancellation_details.{name}");
        if params.has(&path) {
            subscription["cancellation_details"][name] = params.or_null(&path);
        }
    }
}

/// Sets or takes away the end of a subscription.
pub(super) fn set_end(subscription: &mut Value, params: &Params, now: i64) -> Outcome<()> {
    let at_period_end = params.flag("cancel_at_period_end")?;
    if at_period_end == Some(true) && params.text("cancel_at").is_some() {
        return Err(refused("", "cancel_at", "`cancel_at` and `cancel_at_period_end` may not both be set."));
    }
    let end = match (at_period_end, params.number("cancel_at")?) {
        (Some(true), _) => first_item(subscription)["current_period_end"].clone(),
        (_, Some(end)) => json!(end),
        _ if params.has("cancel_at") => Value::Null,
        (Some(false), _) if subscription["cancel_at_period_end"] == true => Value::Null,
        _ => return Ok(()),
    };
    if end.as_i64().is_some_and(|end| end <= now) {
        return Err(refused("", "cancel_at", "`cancel_at` must be in the future."));
    }
    let ends = !end.is_null();
    if subscription["cancel_at"] != end || !ends {
        subscription["canceled_at"] = if ends { json!(now) } else { Value::Null };
    }
    subscription["cancel_at"] = end;
    subscription["cancel_at_period_end"] = json!(at_period_end == Some(true));
    let reason = if ends { json!("cancellation_requested") } else { Value::Null };
    subscription["cancellation_details"]["reason"] = reason;
    Ok(())
}

/// Puts on the discounts that are named, and takes off those that are not.
pub(super) fn change_discounts(state: &mut State, id: &str, params: &Params) -> Outcome<()> {
    if !params.has("discounts") {
        return Ok(());
    }
    let subscription = state.get(id).clone();
    let customer = subscription["customer"].clone();
    let amount = list(&subscription["items"]["data"]).iter().map(super::lines::full_amount).sum();
    let kept: Vec<String> =
        params.list("discounts").iter().filter_map(|entry| entry.text("discount").map(str::to_owned)).collect();
    let chosen = discounts::chosen(state, params, &customer, amount)?;
    for old in list(&subscription["discounts"]).iter().filter_map(Value::as_str) {
        if !kept.iter().any(|kept| kept == old) {
            discounts::take_off(state, old)?;
        }
    }
    let new: Vec<String> = chosen.iter().map(|chosen| discounts::put_on(state, chosen, &customer, id)).collect();
    state.edit(id, |subscription| {
        let all: Vec<&String> = kept.iter().chain(&new).collect();
        subscription["discounts"] = json!(all);
    });
    discounts::announce(state, &new);
    Ok(())
}

fn trial_ends_now(state: &mut State, id: &str, before: &Value) -> Outcome<Value> {
    let now = state.now;
    state.edit(id, |subscription| subscription["trial_end"] = json!(now));
    renewals::begin_period(state, id, before, "subscription_update");
    Ok(state.get(id).clone())
}

/// How a change of items is billed.
pub(super) struct Manner {
    pub(super) proration: &'static str,
    pub(super) behaviour: &'static str,
    pub(super) at: i64,
    /// Whether the customer is not there to confirm a payment.
    pub(super) off_session: bool,
}

/// Changes the items, and bills the difference as it is asked for.
pub(super) fn change_items(state: &mut State, before: &Value, items: Vec<Value>, manner: &Manner) -> Outcome<Value> {
    let id = text(before, "id");
    let mark = state.mark();
    let (lines, resets) = put_items(state, id, items.clone(), manner.at, manner.proration != "none");
    if lines.is_empty() || (!resets && manner.proration != "always_invoice") {
        items::keep_lines(state, id, lines);
        state.tell_change("customer.subscription.updated", id, before);
        return Ok(state.get(id).clone());
    }
    let invoice = bill(state, id, lines);
    state.tell_change("customer.subscription.updated", id, before);
    if manner.behaviour == "default_incomplete" {
        if state.get(&invoice)["status"] == "open" {
            super::subscriptions::payment_failed(state, id, false);
        }
        return Ok(state.get(id).clone());
    }
    let attempt = invoices::collect(state, &invoice, manner.off_session);
    if attempt != Attempt::Paid && manner.behaviour == "pending_if_incomplete" {
        state.undo(&mark);
        return pend(state, id, items, manner);
    }
    let intent = state.get(&invoices::intent_of(state, &invoice)).clone();
    match attempt {
        Attempt::Paid => Ok(state.get(id).clone()),
        _ if manner.behaviour != "error_if_incomplete" => Ok(state.get(id).clone()),
        Attempt::Declined(error) => Err(undone(&error, &intent)),
        Attempt::Action => Err(undone(&asks(), &intent)),
        Attempt::NoCard => Err(invoices::no_card()),
    }
}

fn bill(state: &mut State, id: &str, lines: Vec<Value>) -> String {
    let mut all = items::take_lines(state, id);
    all.extend(lines);
    let subscription = state.get(id).clone();
    let invoice = invoices::draft(state, &subscription, "subscription_update", all);
    state.edit(id, |subscription| subscription["latest_invoice"] = invoice["id"].clone());
    invoices::issue(state, invoice)
}

/// Keeps a change until it is paid for.
fn pend(state: &mut State, id: &str, items: Vec<Value>, manner: &Manner) -> Outcome<Value> {
    let before = state.get(id).clone();
    let mark = state.mark();
    let (lines, _) = put_items(state, id, items.clone(), manner.at, manner.proration != "none");
    state.undo(&mark);
    let expires_at = state.now + PENDING_HOURS * 3600;
    state.edit(id, |subscription| {
        subscription["pending_update"] = json!({
            "billing_cycle_anchor": null, "expires_at": expires_at, "subscription_items": items, "trial_end": null,
            "trial_from_plan": null,
        });
    });
    let invoice = bill(state, id, lines);
    state.tell_change("customer.subscription.updated", id, &before);
    invoices::collect(state, &invoice, false);
    Ok(state.get(id).clone())
}

/// The invoice that a pending change waits for; empty where there is no such change.
pub(super) fn pending_invoice(state: &State, id: &str) -> String {
    let subscription = state.get(id);
    let pends = !subscription["pending_update"].is_null();
    if pends { text(subscription, "latest_invoice").to_owned() } else { String::new() }
}

/// Does what was kept, now that it is paid.
pub(super) fn apply_pending(state: &mut State, id: &str) {
    let before = state.get(id).clone();
    let items = list(&before["pending_update"]["subscription_items"]).to_vec();
    let now = state.now;
    put_items(state, id, items, now, false);
    state.edit(id, |subscription| subscription["pending_update"] = Value::Null);
    state.tell("customer.subscription.pending_update_applied", id);
    state.tell_change("customer.subscription.updated", id, &before);
}

/// Forgets what was kept and not paid in time.
pub(super) fn expire_pending(state: &mut State, id: &str) {
    let before = state.get(id).clone();
    state.edit(id, |subscription| subscription["pending_update"] = Value::Null);
    invoices::void(state, text(&before, "latest_invoice"));
    state.tell("customer.subscription.pending_update_expired", id);
    state.tell_change("customer.subscription.updated", id, &before);
}
