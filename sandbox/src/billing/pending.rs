//! Changes of subscriptions that wait for their payment.

use serde_json::Value;

use crate::objects::{invoices, items};
use crate::store::{Store, list, text};

/// Returns the invoice that a pending change waits for, or an empty string.
pub(crate) fn invoice_of(store: &Store, id: &str) -> String {
    let subscription = store.get(id);
    let pends = !subscription["pending_update"].is_null();
    if pends { text(subscription, "latest_invoice").to_owned() } else { String::new() }
}

/// Applies a pending change.
pub(crate) fn apply(store: &mut Store, id: &str) {
    let before = store.get(id).clone();
    let changed = list(&before["pending_update"]["subscription_items"]).to_vec();
    let now = store.now;
    items::replace(store, id, changed, now, false);
    store.edit(id, |subscription| subscription["pending_update"] = Value::Null);
    store.emit("customer.subscription.pending_update_applied", id);
    store.emit_update("customer.subscription.updated", id, &before);
}

/// Discards a pending change that was not paid in time.
pub(crate) fn expire(store: &mut Store, id: &str) {
    let before = store.get(id).clone();
    store.edit(id, |subscription| subscription["pending_update"] = Value::Null);
    invoices::void(store, text(&before, "latest_invoice"));
    store.emit("customer.subscription.pending_update_expired", id);
    store.emit_update("customer.subscription.updated", id, &before);
}
