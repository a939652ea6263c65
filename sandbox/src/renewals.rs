//! New periods: what is billed when one ends, and when a trial does.

use serde_json::{Value, json};

use super::cancel;
use super::cards;
use super::discounts;
use super::invoices;
use super::items;
use super::lines;
use super::state::{State, list, number, text};
use super::subscriptions::first_item;
use super::terms::period_end;

/// The end of a period, or of a trial.
pub(super) fn renew(state: &mut State, id: &str) {
    let before = state.get(id).clone();
    let trial = before["status"] == "trialing";
    let wish = text(&before["trial_settings"]["end_behavior"], "missing_payment_method");
    let unpaid = trial && cards::default_of(state, text(&before, "customer"), &before).is_none();
    match wish {
        "cancel" if unpaid => cancel::end(state, id, "payment_failed"),
        "pause" if unpaid => {
            state.update(id, "customer.subscription.updated", |subscription| subscription["status"] = json!("paused"));
            state.tell("customer.subscription.paused", id);
        }
        _ => begin_period(state, id, &before, "subscription_cycle"),
    }
}

/// The period after a pause.
pub(super) fn restart(state: &mut State, id: &str) {
    let before = state.get(id).clone();
    begin_period(state, id, &before, "subscription_cycle");
}

/// Begins a new period now, and bills it.
pub(super) fn begin_period(state: &mut State, id: &str, before: &Value, reason: &str) {
    drop_ended_discounts(state, id);
    let lines = next_period(state, id);
    let subscription = state.get(id).clone();
    let invoice = invoices::draft(state, &subscription, reason, lines);
    let number = text(&invoice, "id").to_owned();
    state.edit(id, |subscription| subscription["latest_invoice"] = json!(number));
    state.tell_change("customer.subscription.updated", id, before);
    match text(&subscription["pause_collection"], "behavior") {
        "keep_as_draft" => _ = state.create("invoice.created", invoice),
        "void" => {
            state.create("invoice.created", invoice);
            invoices::void(state, &number);
        }
        "mark_uncollectible" => {
            state.create("invoice.created", invoice);
            let now = state.now;
            state.edit(&number, |invoice| {
                invoice["status"] = json!("uncollectible");
                invoice["auto_advance"] = json!(false);
                invoice["status_transitions"]["marked_uncollectible_at"] = json!(now);
            });
            state.tell("invoice.marked_uncollectible", &number);
        }
        _ => {
            invoices::issue(state, invoice);
            invoices::collect(state, &number, true);
        }
    }
}

/// Moves the items to their next period; gives the lines for it, after those that were left for it.
pub(super) fn next_period(state: &mut State, id: &str) -> Vec<Value> {
    let subscription = state.get(id).clone();
    let first = first_item(&subscription);
    let from_trial = matches!(text(&subscription, "status"), "trialing" | "paused");
    let start = if from_trial { state.now } else { number(first, "current_period_end") };
    let anchor = if from_trial { state.now } else { number(&subscription, "billing_cycle_anchor") };
    let end = period_end(anchor, start, &first["price"]["recurring"]);
    state.edit(id, |subscription| {
        subscription["billing_cycle_anchor"] = json!(anchor);
        items::for_each(subscription, |item| {
            item["current_period_start"] = json!(start);
            item["current_period_end"] = json!(end);
        });
        if from_trial {
            subscription["status"] = json!("active");
        }
        // One that ends with its period would otherwise seem to end in the past.
        if subscription["cancel_at_period_end"] == true {
            subscription["cancel_at"] = json!(end);
        }
    });
    let subscription = state.get(id).clone();
    let mut all = items::take_lines(state, id);
    all.extend(lines::of_period(state, &subscription, start, end, false));
    all
}

/// Takes off the discounts whose time is over: of those for one invoice, after that.
pub(super) fn drop_ended_discounts(state: &mut State, id: &str) {
    let subscription = state.get(id).clone();
    for discount in list(&subscription["discounts"]).iter().filter_map(Value::as_str) {
        let (given, coupon) = (state.get(discount), state.get(text(state.get(discount), "coupon")));
        let late = given["end"].as_i64().is_some_and(|end| end <= state.now);
        let once = coupon["duration"] == "once" && invoices::was_used(state, discount);
        if (late || once) && discounts::take_off(state, discount).is_err() {
            tracing::debug!(discount, "a discount is gone before its end");
        }
    }
}
