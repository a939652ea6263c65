//! Changes of running subscriptions.

use serde_json::{Value, json};

use crate::billing::{payments, periods};
use crate::error::{StripeResult, card_error_with_rollback, invalid_request, no_payment_method};
use crate::objects::cards;
use crate::objects::discounts;
use crate::objects::intents::Attempt;
use crate::objects::invoices;
use crate::objects::items;
use crate::objects::lines::full_amount;
use crate::objects::subscriptions::{first_item, requires_action_error};
use crate::params::Params;
use crate::store::{Store, list, text};

/// The hours that a change waits for its payment.
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
    "billing_cycle_anchor",
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

/// The parameters that are not allowed with `payment_behavior=pending_if_incomplete`.
const NOT_WHILE_PENDING: [&str; 6] =
    ["cancel_at", "cancel_at_period_end", "metadata", "default_payment_method", "pause_collection", "description"];

/// Handles `POST /v1/subscriptions/{id}`.
pub(crate) fn update(store: &mut Store, id: &str, params: &Params) -> StripeResult<Value> {
    params.allow_only(UPDATE)?;
    let before = store.find("subscription", id, "")?;
    check_changeable(&before, params)?;
    let behaviors = ["allow_incomplete", "default_incomplete", "error_if_incomplete", "pending_if_incomplete"];
    let behavior = params.one_of("payment_behavior", &behaviors)?.unwrap_or("allow_incomplete");
    let pending = behavior == "pending_if_incomplete";
    if let Some(name) = NOT_WHILE_PENDING.iter().find(|name| pending && params.has(name)) {
        let message = format!("Passing `{name}` is not supported with `payment_behavior=pending_if_incomplete`.");
        return Err(invalid_request("", name, &message));
    }
    set_fields(store, id, params)?;
    change_discounts(store, id, params)?;
    if params.text("trial_end") == Some("now") && before["status"] == "trialing" {
        return end_trial(store, id, &before);
    }
    if params.one_of("billing_cycle_anchor", &["now", "unchanged"])? == Some("now") {
        return periods::begin_now(store, id, &before, behavior);
    }
    if params.has("items") {
        let at = params.number("proration_date")?.unwrap_or(store.now);
        let prorations = ["create_prorations", "always_invoice", "none"];
        let proration = params.one_of("proration_behavior", &prorations)?.unwrap_or("create_prorations");
        let off_session = params.flag("off_session")? == Some(true);
        let changed = items::parse_change(store, &before, params)?;
        return change_items(store, &before, changed, &ChangeOptions { proration, behavior, at, off_session });
    }
    store.emit_update("customer.subscription.updated", id, &before);
    Ok(store.get(id).clone())
}

/// Rejects changes that an ended or scheduled subscription does not allow.
fn check_changeable(before: &Value, params: &Params) -> StripeResult<()> {
    let has_any = |names: &[&str]| names.iter().any(|name| params.has(name));
    if !before["ended_at"].is_null() {
        let others = params.0.as_object().into_iter().flatten().map(|(name, _)| name);
        if others.clone().any(|name| !matches!(name.as_str(), "metadata" | "cancellation_details")) {
            let message = "A canceled subscription can only update its cancellation_details and metadata.";
            return Err(invalid_request("", "", message));
        }
    }
    if let Some(schedule) = before["schedule"].as_str() {
        let what = if has_any(&["cancel_at", "cancel_at_period_end"]) { "any cancelation behavior" } else { "items" };
        if has_any(&["cancel_at", "cancel_at_period_end", "items", "trial_end"]) {
            let message = format!(
                "The subscription is managed by the subscription schedule `{schedule}`, and updating {what} directly \
                 is not allowed. Please update the schedule instead."
            );
            return Err(invalid_request("", "", &message));
        }
    }
    Ok(())
}

fn set_fields(store: &mut Store, id: &str, params: &Params) -> StripeResult<()> {
    let now = store.now;
    let mut subscription = store.get(id).clone();
    params.write_metadata("metadata", &mut subscription["metadata"]);
    if let Some(name) = params.text("default_payment_method") {
        let method = cards::resolve(store, name, subscription["customer"].as_str(), "default_payment_method")?;
        subscription["default_payment_method"] = json!(method);
    }
    if params.has("description") {
        subscription["description"] = params.or_null("description");
    }
    set_cancellation_details(&mut subscription, params);
    set_end(&mut subscription, params, now)?;
    if params.has("pause_collection") {
        let behaviors = ["keep_as_draft", "mark_uncollectible", "void"];
        let behavior = params.one_of("pause_collection.behavior", &behaviors)?;
        let resumes_at = params.number_or_null("pause_collection.resumes_at")?;
        subscription["pause_collection"] = match behavior {
            None => Value::Null,
            Some(behavior) => json!({"behavior": behavior, "resumes_at": resumes_at}),
        };
    }
    if let Some(end) = params.number("trial_end").ok().flatten() {
        subscription["trial_end"] = json!(end);
        subscription["status"] = json!("trialing");
        subscription["billing_cycle_anchor"] = json!(end);
        items::for_each(&mut subscription, |item| item["current_period_end"] = json!(end));
    }
    store.insert(subscription);
    Ok(())
}

/// Sets the customer's comment and feedback on a cancellation.
pub(crate) fn set_cancellation_details(subscription: &mut Value, params: &Params) {
    for name in ["comment", "feedback"] {
        let path = format!("cancellation_details.{name}");
        if params.has(&path) {
            subscription["cancellation_details"][name] = params.or_null(&path);
        }
    }
}

/// Sets or removes the end of a subscription.
pub(crate) fn set_end(subscription: &mut Value, params: &Params, now: i64) -> StripeResult<()> {
    let at_period_end = params.flag("cancel_at_period_end")?;
    if at_period_end == Some(true) && params.text("cancel_at").is_some() {
        return Err(invalid_request("", "cancel_at", "`cancel_at` and `cancel_at_period_end` may not both be set."));
    }
    let end = match (at_period_end, params.number("cancel_at")?) {
        (Some(true), _) => first_item(subscription)["current_period_end"].clone(),
        (_, Some(end)) => json!(end),
        _ if params.has("cancel_at") => Value::Null,
        (Some(false), _) if subscription["cancel_at_period_end"] == true => Value::Null,
        _ => return Ok(()),
    };
    if end.as_i64().is_some_and(|end| end <= now) {
        return Err(invalid_request("", "cancel_at", "`cancel_at` must be in the future."));
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

/// Replaces the discounts of a subscription by those in the request.
pub(crate) fn change_discounts(store: &mut Store, id: &str, params: &Params) -> StripeResult<()> {
    if !params.has("discounts") {
        return Ok(());
    }
    let subscription = store.get(id).clone();
    let customer = subscription["customer"].clone();
    let amount = list(&subscription["items"]["data"]).iter().map(full_amount).sum();
    let kept: Vec<String> =
        params.list("discounts").iter().filter_map(|entry| entry.text("discount").map(str::to_owned)).collect();
    let coupons = discounts::resolve(store, params, &customer, amount)?;
    for old in list(&subscription["discounts"]).iter().filter_map(Value::as_str) {
        if !kept.iter().any(|kept| kept == old) {
            discounts::remove(store, old)?;
        }
    }
    let new: Vec<String> = coupons.iter().map(|coupon| discounts::attach(store, coupon, &customer, id)).collect();
    store.edit(id, |subscription| {
        let all: Vec<&String> = kept.iter().chain(&new).collect();
        subscription["discounts"] = json!(all);
    });
    discounts::announce(store, &new);
    Ok(())
}

fn end_trial(store: &mut Store, id: &str, before: &Value) -> StripeResult<Value> {
    let now = store.now;
    store.edit(id, |subscription| subscription["trial_end"] = json!(now));
    periods::begin_period(store, id, before, "subscription_update");
    Ok(store.get(id).clone())
}

/// The options of a change of items.
pub(crate) struct ChangeOptions {
    pub(crate) proration: &'static str,
    pub(crate) behavior: &'static str,
    pub(crate) at: i64,
    /// True if the customer is not present to confirm a payment.
    pub(crate) off_session: bool,
}

/// Changes the items of a subscription, and bills the difference.
pub(crate) fn change_items(
    store: &mut Store,
    before: &Value,
    new: Vec<Value>,
    options: &ChangeOptions,
) -> StripeResult<Value> {
    let id = text(before, "id");
    let savepoint = store.savepoint();
    let (lines, resets) = items::replace(store, id, new.clone(), options.at, options.proration != "none");
    if lines.is_empty() || (!resets && options.proration != "always_invoice") {
        items::store_lines(store, id, lines);
        store.emit_update("customer.subscription.updated", id, before);
        return Ok(store.get(id).clone());
    }
    let invoice = bill(store, id, lines);
    store.emit_update("customer.subscription.updated", id, before);
    if options.behavior == "default_incomplete" {
        if store.get(&invoice)["status"] == "open" {
            payments::mark_past_due(store, id, false);
        }
        return Ok(store.get(id).clone());
    }
    let attempt = payments::collect(store, &invoice, options.off_session);
    if attempt != Attempt::Paid && options.behavior == "pending_if_incomplete" {
        store.rollback(&savepoint);
        return make_pending(store, id, &new, options);
    }
    let intent = store.get(&invoices::intent_of(store, &invoice)).clone();
    match attempt {
        Attempt::Paid => Ok(store.get(id).clone()),
        _ if options.behavior != "error_if_incomplete" => Ok(store.get(id).clone()),
        Attempt::Declined(error) => Err(card_error_with_rollback(&error, &intent)),
        Attempt::RequiresAction => Err(card_error_with_rollback(&requires_action_error(), &intent)),
        Attempt::NoPaymentMethod => Err(no_payment_method()),
    }
}

/// Issues an invoice for a change. Returns its id.
fn bill(store: &mut Store, id: &str, lines: Vec<Value>) -> String {
    let mut all = items::take_lines(store, id);
    all.extend(lines);
    let subscription = store.get(id).clone();
    let invoice = invoices::draft(store, &subscription, "subscription_update", all);
    store.edit(id, |subscription| subscription["latest_invoice"] = invoice["id"].clone());
    invoices::issue(store, invoice)
}

/// Stores a change until it is paid.
fn make_pending(store: &mut Store, id: &str, new: &[Value], options: &ChangeOptions) -> StripeResult<Value> {
    let before = store.get(id).clone();
    let savepoint = store.savepoint();
    let (lines, _) = items::replace(store, id, new.to_vec(), options.at, options.proration != "none");
    store.rollback(&savepoint);
    let expires_at = store.now + PENDING_HOURS * 3600;
    store.edit(id, |subscription| {
        subscription["pending_update"] = json!({
            "billing_cycle_anchor": null, "expires_at": expires_at, "subscription_items": new, "trial_end": null,
            "trial_from_plan": null,
        });
    });
    let invoice = bill(store, id, lines);
    store.emit_update("customer.subscription.updated", id, &before);
    payments::collect(store, &invoice, false);
    Ok(store.get(id).clone())
}
