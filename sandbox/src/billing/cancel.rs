//! Cancellations and resumptions on request.

use serde_json::Value;

use crate::billing::{changes, ending, payments, periods};
use crate::error::{StripeResult, invalid_request, not_found};
use crate::objects::invoices;
use crate::objects::items;
use crate::objects::lines;
use crate::params::Params;
use crate::store::{Store, list, text};

/// Handles `DELETE /v1/subscriptions/{id}`.
pub(crate) fn request(store: &mut Store, id: &str, params: &Params) -> StripeResult<Value> {
    params.allow_only(&["invoice_now", "prorate", "cancellation_details.comment", "cancellation_details.feedback"])?;
    let subscription = store.find("subscription", id, "")?;
    if !subscription["ended_at"].is_null() {
        return Err(not_found("subscription", id, ""));
    }
    let (invoice_now, prorate) = (params.flag("invoice_now")? == Some(true), params.flag("prorate")? == Some(true));
    store.edit(id, |subscription| changes::set_cancellation_details(subscription, params));
    let runs = matches!(text(&subscription, "status"), "active" | "past_due");
    if prorate && runs {
        let now = store.now;
        let lines = lines::for_change(store, &subscription, list(&subscription["items"]["data"]), &[], now);
        items::store_lines(store, id, lines);
    }
    let lines = if invoice_now { items::take_lines(store, id) } else { Vec::new() };
    if !lines.is_empty() {
        let invoice = invoices::draft(store, &subscription, "manual", lines);
        store.edit(id, |subscription| subscription["latest_invoice"] = invoice["id"].clone());
        let invoice = invoices::issue(store, invoice);
        payments::collect(store, &invoice, true);
    }
    ending::end(store, id, "cancellation_requested");
    Ok(store.get(id).clone())
}

/// Handles `POST /v1/subscriptions/{id}/resume`.
pub(crate) fn resume(store: &mut Store, id: &str, params: &Params) -> StripeResult<Value> {
    params.allow_only(&["billing_cycle_anchor", "proration_behavior"])?;
    let subscription = store.find("subscription", id, "")?;
    if subscription["status"] != "paused" {
        return Err(invalid_request("", "", "Only subscriptions with status `paused` can be resumed."));
    }
    periods::restart(store, id);
    store.emit("customer.subscription.resumed", id);
    Ok(store.get(id).clone())
}
