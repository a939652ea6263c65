//! New subscriptions and their first payment.

use serde_json::{Value, json};

use crate::billing::{changes, payments};
use crate::error::{StripeResult, card_error_with_rollback, no_payment_method};
use crate::objects::intents::Attempt;
use crate::objects::subscriptions::{self, NewSubscription, parse_items, requires_action_error, trial_end};
use crate::objects::{cards, discounts, invoices};
use crate::params::Params;
use crate::store::{Store, text};

const CREATE: &[&str] = &[
    "customer",
    "items.*.price",
    "items.*.quantity",
    "items.*.metadata.*",
    "default_payment_method",
    "trial_period_days",
    "trial_end",
    "trial_settings.end_behavior.missing_payment_method",
    "payment_behavior",
    "payment_settings.save_default_payment_method",
    "off_session",
    "discounts.*.coupon",
    "discounts.*.promotion_code",
    "metadata.*",
    "cancel_at",
    "cancel_at_period_end",
    "proration_behavior",
    "collection_method",
    "description",
];

/// Handles `POST /v1/subscriptions`.
pub(crate) fn create(store: &mut Store, params: &Params) -> StripeResult<Value> {
    params.allow_only(CREATE)?;
    let customer = store.find("customer", params.require("customer")?, "customer")?;
    let items = parse_items(store, params, "items")?;
    let amount = items.iter().map(|(price, quantity)| price["unit_amount"].as_i64().unwrap_or(0) * quantity).sum();
    let behaviors = ["allow_incomplete", "default_incomplete", "error_if_incomplete"];
    let behavior = params.one_of("payment_behavior", &behaviors)?.unwrap_or("allow_incomplete");
    let method = match params.text("default_payment_method") {
        Some(name) => json!(cards::resolve(store, name, customer["id"].as_str(), "default_payment_method")?),
        None => Value::Null,
    };
    let new = NewSubscription {
        customer: text(&customer, "id").to_owned(),
        items,
        trial_end: trial_end(store, params)?,
        method,
        discounts: discounts::resolve(store, params, &customer["id"], amount)?,
        metadata: params.metadata("metadata"),
        description: params.or_null("description"),
    };
    let off_session = params.flag("off_session")? == Some(true);
    let missing_method =
        params.one_of("trial_settings.end_behavior.missing_payment_method", &["create_invoice", "cancel", "pause"])?;
    let id = subscriptions::create(store, &new, |subscription, now| {
        if let Some(missing_method) = missing_method {
            subscription["trial_settings"]["end_behavior"]["missing_payment_method"] = json!(missing_method);
        }
        changes::set_end(subscription, params, now)
    })?;
    if text(store.get(&id), "status") == "incomplete" {
        first_payment(store, &id, behavior, off_session)?;
    }
    Ok(store.get(&id).clone())
}

fn first_payment(store: &mut Store, id: &str, behavior: &str, off_session: bool) -> StripeResult<()> {
    let invoice = text(store.get(id), "latest_invoice").to_owned();
    if behavior == "default_incomplete" {
        let method = cards::default_for(store, text(store.get(id), "customer"), store.get(id));
        if let Some(method) = method {
            let intent = invoices::intent_of(store, &invoice);
            store.edit(&intent, |intent| {
                intent["payment_method"] = json!(method);
                intent["status"] = json!("requires_confirmation");
            });
        }
        return Ok(());
    }
    let attempt = payments::collect(store, &invoice, off_session);
    let intent = store.get(&invoices::intent_of(store, &invoice)).clone();
    match attempt {
        Attempt::NoPaymentMethod => Err(no_payment_method()),
        Attempt::Declined(error) if behavior == "error_if_incomplete" => Err(card_error_with_rollback(&error, &intent)),
        Attempt::RequiresAction if behavior == "error_if_incomplete" => {
            Err(card_error_with_rollback(&requires_action_error(), &intent))
        }
        _ => Ok(()),
    }
}
