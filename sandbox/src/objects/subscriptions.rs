//! Subscriptions and their items.

use serde_json::{Value, json};

use crate::error::{StripeResult, invalid_request, missing_parameter};
use crate::objects::discounts::{self, AppliedCoupon};
use crate::objects::invoices;
use crate::objects::lines;
use crate::params::{Params, bracketed};
use crate::store::{Store, list, merge};
use crate::terms::{days_after, period_end};

/// The parameters of a new subscription.
pub(crate) struct NewSubscription {
    pub(crate) customer: String,
    /// The prices and quantities.
    pub(crate) items: Vec<(Value, i64)>,
    pub(crate) trial_end: Option<i64>,
    /// The id of the payment method; null for the customer's default.
    pub(crate) method: Value,
    pub(crate) discounts: Vec<AppliedCoupon>,
    pub(crate) metadata: Value,
    pub(crate) description: Value,
}

/// Returns the error for a payment that the customer has to confirm.
pub(crate) fn requires_action_error() -> Value {
    json!({"type": "card_error", "code": "subscription_payment_intent_requires_action",
        "message": "Payment for this subscription requires additional user action before it can be completed."})
}

/// Parses a list of items into prices and quantities.
pub(crate) fn parse_items(store: &Store, params: &Params, list: &str) -> StripeResult<Vec<(Value, i64)>> {
    parse_items_keeping(store, params, list, &[])
}

/// Like [`parse_items`], but also accepts the prices in `kept` if they are inactive.
pub(crate) fn parse_items_keeping(
    store: &Store,
    params: &Params,
    list: &str,
    kept: &[&Value],
) -> StripeResult<Vec<(Value, i64)>> {
    let mut items = Vec::new();
    for (at, entry) in params.list(list).iter().enumerate() {
        let param = bracketed(&format!("{list}.{at}.price"));
        let id = entry.text("price").ok_or_else(|| missing_parameter(&param))?;
        let price = if kept.iter().any(|kept| **kept == id) {
            store.find("price", id, &param)?
        } else {
            find_price(store, id, &param)?
        };
        items.push((price, entry.number("quantity")?.unwrap_or(1)));
    }
    if items.is_empty() { Err(missing_parameter(list)) } else { Ok(items) }
}

/// Returns an active recurring price.
pub(crate) fn find_price(store: &Store, id: &str, param: &str) -> StripeResult<Value> {
    let price = store.find("price", id, param)?;
    if price["active"] != true {
        let message = format!("The price specified is inactive. This field only accepts active prices: {id}");
        return Err(invalid_request("price_inactive", param, &message));
    }
    if price["recurring"].is_null() {
        let message =
            format!("The price specified is set to `type=one_time` but this field only accepts recurring: {id}");
        return Err(invalid_request("", param, &message));
    }
    Ok(price)
}

/// Returns the end of the requested trial, if there is one.
pub(crate) fn trial_end(store: &Store, params: &Params) -> StripeResult<Option<i64>> {
    let days = params.number("trial_period_days")?.filter(|days| *days > 0);
    let end = if params.text("trial_end") == Some("now") { None } else { params.number("trial_end")? };
    Ok(end.or_else(|| days.map(|days| days_after(store.now, days))))
}

/// Returns an item of a subscription.
pub(crate) fn new_item(store: &mut Store, id: &str, subscription: &str, price: &Value, quantity: i64) -> Value {
    json!({
        "id": id, "object": "subscription_item", "billing_thresholds": null, "created": store.now,
        "current_period_end": null, "current_period_start": null, "discounts": [], "metadata": {}, "price": price,
        "quantity": quantity, "subscription": subscription, "tax_rates": [],
    })
}

/// Inserts a subscription with its first invoice, and emits the events. The invoice is open unless nothing is due.
pub(crate) fn create(
    store: &mut Store,
    new: &NewSubscription,
    adjust: impl FnOnce(&mut Value, i64) -> StripeResult<()>,
) -> StripeResult<String> {
    let id = store.new_id("sub_");
    let mut subscription = blank(store, &id, new);
    adjust(&mut subscription, store.now)?;
    let customer = subscription["customer"].clone();
    let discounts: Vec<String> =
        new.discounts.iter().map(|chosen| discounts::attach(store, chosen, &customer, &id)).collect();
    subscription["discounts"] = json!(discounts);
    store.insert(subscription.clone());
    let first = &subscription["items"]["data"][0];
    let (from, to) = (store.now, first["current_period_end"].as_i64().unwrap_or(store.now));
    let lines = lines::for_period(store, &subscription, from, to, new.trial_end.is_some());
    let invoice = invoices::draft(store, &subscription, "subscription_create", lines);
    let free = invoice["amount_due"] == 0;
    store.edit(&id, |subscription| subscription["latest_invoice"] = invoice["id"].clone());
    if free && new.trial_end.is_none() {
        store.edit(&id, |subscription| subscription["status"] = json!("active"));
    }
    invoices::issue(store, invoice);
    store.emit("customer.subscription.created", &id);
    discounts::announce(store, &discounts);
    Ok(id)
}

fn blank(store: &mut Store, id: &str, new: &NewSubscription) -> Value {
    let now = store.now;
    let recurring = &new.items[0].0["recurring"];
    let anchor = new.trial_end.unwrap_or(now);
    let end = new.trial_end.unwrap_or_else(|| period_end(anchor, now, recurring));
    let mut items = Vec::new();
    for (price, quantity) in &new.items {
        let item_id = store.new_id("si_");
        let mut item = new_item(store, &item_id, id, price, *quantity);
        item["current_period_start"] = json!(now);
        item["current_period_end"] = json!(end);
        items.push(item);
    }
    merge(
        json!({
        "id": id, "object": "subscription", "application": null, "application_fee_percent": null,
        "automatic_tax": {"disabled_reason": null, "enabled": false, "liability": null},
        "billing_cycle_anchor": anchor, "billing_cycle_anchor_config": null,
        "billing_mode": {"type": "classic"}, "billing_thresholds": null, "cancel_at": null,
        "cancel_at_period_end": false, "canceled_at": null,
        "cancellation_details": {"comment": null, "feedback": null, "reason": null},
        "collection_method": "charge_automatically", "created": now, "currency": new.items[0].0["currency"],
        "customer": new.customer, "days_until_due": null, "default_payment_method": new.method,
        "default_source": null, "default_tax_rates": [], "description": new.description, "discounts": [],
        "ended_at": null, "invoice_settings": {"account_tax_ids": null, "issuer": {"type": "self"}},
        }),
        json!({
            "items": {"object": "list", "data": items, "has_more": false, "total_count": items.len(),
                "url": format!("/v1/subscription_items?subscription={id}")},
            "latest_invoice": null, "livemode": false, "metadata": new.metadata,
            "next_pending_invoice_item_invoice": null, "on_behalf_of": null, "pause_collection": null,
            "payment_settings":
                {"payment_method_options": null, "payment_method_types": null, "save_default_payment_method": "off"},
            "pending_invoice_item_interval": null, "pending_setup_intent": null, "pending_update": null,
            "schedule": null, "start_date": now,
            "status": if new.trial_end.is_some() { "trialing" } else { "incomplete" }, "test_clock": null,
            "transfer_data": null, "trial_end": new.trial_end,
            "trial_settings": {"end_behavior": {"missing_payment_method": "create_invoice"}},
            "trial_start": new.trial_end.map(|_| now),
        }),
    )
}

/// Returns the first item of a subscription. All items have the same period.
pub(crate) fn first_item(subscription: &Value) -> &Value {
    list(&subscription["items"]["data"]).first().unwrap_or(&Value::Null)
}
