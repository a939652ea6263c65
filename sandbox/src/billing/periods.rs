//! New billing periods, at the end of a period or trial.

use serde_json::{Value, json};

use crate::billing::{ending, payments};
use crate::error::{StripeResult, card_error_with_rollback, no_payment_method};
use crate::objects::cards;
use crate::objects::discounts;
use crate::objects::invoices;
use crate::objects::items;
use crate::objects::lines;
use crate::objects::subscriptions::first_item;
use crate::store::{Store, list, number, text};
use crate::terms::period_end;

/// Renews a subscription at the end of its period or trial.
pub(crate) fn renew(store: &mut Store, id: &str) {
    let before = store.get(id).clone();
    let trial = before["status"] == "trialing";
    let if_unpaid = text(&before["trial_settings"]["end_behavior"], "missing_payment_method");
    let unpaid = trial && cards::default_for(store, text(&before, "customer"), &before).is_none();
    match if_unpaid {
        "cancel" if unpaid => ending::end(store, id, "payment_failed"),
        "pause" if unpaid => {
            store.update(id, "customer.subscription.updated", |subscription| subscription["status"] = json!("paused"));
            store.emit("customer.subscription.paused", id);
        }
        _ => begin_period(store, id, &before, "subscription_cycle"),
    }
}

/// Begins the period after a pause.
pub(crate) fn restart(store: &mut Store, id: &str) {
    let before = store.get(id).clone();
    begin_period(store, id, &before, "subscription_cycle");
}

/// Begins a new period now, which is billed in full.
pub(crate) fn begin_now(store: &mut Store, id: &str, before: &Value, behavior: &str) -> StripeResult<Value> {
    let now = store.now;
    store.edit(id, |subscription| {
        subscription["billing_cycle_anchor"] = json!(now);
        items::for_each(subscription, |item| item["current_period_end"] = json!(now));
    });
    begin_period(store, id, before, "subscription_update");
    let invoice = store.get(text(store.get(id), "latest_invoice")).clone();
    let intent = store.get(&invoices::intent_of(store, text(&invoice, "id"))).clone();
    match text(&invoice, "status") {
        "open" if behavior == "error_if_incomplete" && intent["last_payment_error"].is_null() => {
            Err(no_payment_method())
        }
        "open" if behavior == "error_if_incomplete" => {
            Err(card_error_with_rollback(&intent["last_payment_error"], &intent))
        }
        _ => Ok(store.get(id).clone()),
    }
}

/// Begins a new period, and bills it.
pub(crate) fn begin_period(store: &mut Store, id: &str, before: &Value, reason: &str) {
    remove_ended_discounts(store, id);
    let lines = advance(store, id);
    let subscription = store.get(id).clone();
    let invoice = invoices::draft(store, &subscription, reason, lines);
    let number = text(&invoice, "id").to_owned();
    store.edit(id, |subscription| subscription["latest_invoice"] = json!(number));
    store.emit_update("customer.subscription.updated", id, before);
    match text(&subscription["pause_collection"], "behavior") {
        "keep_as_draft" => _ = store.create("invoice.created", invoice),
        "void" => {
            store.create("invoice.created", invoice);
            invoices::void(store, &number);
        }
        "mark_uncollectible" => {
            store.create("invoice.created", invoice);
            let now = store.now;
            store.edit(&number, |invoice| {
                invoice["status"] = json!("uncollectible");
                invoice["auto_advance"] = json!(false);
                invoice["status_transitions"]["marked_uncollectible_at"] = json!(now);
            });
            store.emit("invoice.marked_uncollectible", &number);
        }
        _ => {
            invoices::issue(store, invoice);
            payments::collect(store, &number, true);
        }
    }
}

/// Moves the items to their next period. Returns the stored lines and those of the new period.
pub(crate) fn advance(store: &mut Store, id: &str) -> Vec<Value> {
    let subscription = store.get(id).clone();
    let first = first_item(&subscription);
    let from_trial = matches!(text(&subscription, "status"), "trialing" | "paused");
    let start = if from_trial { store.now } else { number(first, "current_period_end") };
    let anchor = if from_trial { store.now } else { number(&subscription, "billing_cycle_anchor") };
    let end = period_end(anchor, start, &first["price"]["recurring"]);
    store.edit(id, |subscription| {
        subscription["billing_cycle_anchor"] = json!(anchor);
        items::for_each(subscription, |item| {
            item["current_period_start"] = json!(start);
            item["current_period_end"] = json!(end);
        });
        if from_trial {
            subscription["status"] = json!("active");
        }
        // Otherwise a subscription that ends with its period would seem to end in the past.
        if subscription["cancel_at_period_end"] == true {
            subscription["cancel_at"] = json!(end);
        }
    });
    let subscription = store.get(id).clone();
    let mut all = items::take_lines(store, id);
    all.extend(lines::for_period(store, &subscription, start, end, false));
    all
}

/// Removes the discounts that have ended, and those for one invoice after that invoice.
pub(crate) fn remove_ended_discounts(store: &mut Store, id: &str) {
    let subscription = store.get(id).clone();
    for discount in list(&subscription["discounts"]).iter().filter_map(Value::as_str) {
        let (given, coupon) = (store.get(discount), store.get(text(store.get(discount), "coupon")));
        let late = given["end"].as_i64().is_some_and(|end| end <= store.now);
        let once = coupon["duration"] == "once" && invoices::has_reduced_an_invoice(store, discount);
        if (late || once) && discounts::remove(store, discount).is_err() {
            tracing::debug!(discount, "a discount is gone before its end");
        }
    }
}
