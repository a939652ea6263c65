//! Ends of subscriptions.

use serde_json::{Value, json};

use crate::error::StripeResult;
use crate::objects::{invoices, items};
use crate::store::{Store, text};

/// Cancels a subscription now.
pub(crate) fn end(store: &mut Store, id: &str, reason: &str) {
    let before = store.get(id).clone();
    if !before["ended_at"].is_null() {
        return;
    }
    let now = store.now;
    store.edit(id, |subscription| {
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
        invoices::void(store, text(&before, "latest_invoice"));
    }
    items::take_lines(store, id);
    store.emit("customer.subscription.deleted", id);
    invoices::stop_collection(store, id);
    if let Some(schedule) = before["schedule"].as_str() {
        store.edit(schedule, |schedule| {
            schedule["status"] = json!("canceled");
            schedule["canceled_at"] = json!(now);
            schedule["current_phase"] = Value::Null;
        });
        store.emit("subscription_schedule.canceled", schedule);
    }
}

/// Expires a subscription whose first invoice was not paid.
pub(crate) fn expire(store: &mut Store, id: &str) {
    let now = store.now;
    let invoice = text(store.get(id), "latest_invoice").to_owned();
    store.update(id, "customer.subscription.updated", |subscription| {
        subscription["status"] = json!("incomplete_expired");
        subscription["ended_at"] = json!(now);
    });
    invoices::void(store, &invoice);
}

/// Handles `DELETE /v1/customers/{id}`, which ends the customer's subscriptions.
pub(crate) fn delete_customer(store: &mut Store, id: &str) -> StripeResult<Value> {
    store.find("customer", id, "")?;
    for subscription in store.find_all("subscription", "customer", id) {
        end(store, text(&subscription, "id"), "cancellation_requested");
    }
    store.emit("customer.deleted", id);
    store.edit(id, |customer| customer["deleted"] = json!(true));
    Ok(json!({"id": id, "object": "customer", "deleted": true}))
}
