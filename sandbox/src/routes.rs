//! Which path does what.

use serde_json::{Value, json};
use std::cmp::Ordering;

use super::form::Params;
use super::refusal::{Outcome, malformed, of_type, refused};
use super::state::{State, list, number, text};
use super::{
    cancel, cards, catalogue, changes, checkout, customers, discounts, expand, invoices, payments, portal, previews,
    refunds, schedules, subscriptions,
};

/// The kinds of objects, where they are, and what their lists are filtered by.
const COLLECTIONS: [(&str, &str, &[&str]); 17] = [
    ("charge", "charges", &["customer", "payment_intent"]),
    ("checkout.session", "checkout/sessions", &["customer", "subscription", "payment_intent", "status"]),
    ("coupon", "coupons", &[]),
    ("customer", "customers", &["email"]),
    ("dispute", "disputes", &["charge", "payment_intent"]),
    ("invoice", "invoices", &["customer", "subscription", "status"]),
    ("invoice_payment", "invoice_payments", &["invoice", "status"]),
    ("payment_intent", "payment_intents", &["customer"]),
    ("payment_method", "payment_methods", &["customer", "type"]),
    ("price", "prices", &["product", "active", "currency", "type", "lookup_keys"]),
    ("product", "products", &["active", "ids"]),
    ("promotion_code", "promotion_codes", &["code", "coupon", "customer", "active"]),
    ("refund", "refunds", &["charge", "payment_intent"]),
    ("subscription", "subscriptions", &["customer", "price", "status"]),
    ("subscription_schedule", "subscription_schedules", &["customer"]),
    ("event", "events", &["type", "types", "delivery_success"]),
    ("billing_portal.session", "billing_portal/sessions", &[]),
];

/// How lists are bounded by the time at which their objects were made.
const BOUNDS: [&str; 5] = ["created.gte", "created.gt", "created.lte", "created.lt", "created"];

fn within(bound: &str, order: Ordering) -> bool {
    match bound {
        "created.gte" => order.is_ge(),
        "created.gt" => order.is_gt(),
        "created.lte" => order.is_le(),
        "created.lt" => order.is_lt(),
        _ => order.is_eq(),
    }
}

fn kind(collection: &str) -> Option<(&'static str, &'static [&'static str])> {
    COLLECTIONS.iter().find(|(_, known, _)| *known == collection).map(|(kind, _, filters)| (*kind, *filters))
}

/// The answer to a request of the API, whose path is split.
pub(super) fn answer(state: &mut State, method: &str, path: &[&str], mut params: Params) -> Outcome<Value> {
    let wanted = expand::wanted(&mut params);
    let found = match method {
        "GET" => read(state, path, &params)?,
        "POST" => write(state, path, &params)?,
        "DELETE" => delete(state, path, &params)?,
        _ => return Err(unrecognized(method, path)),
    };
    let mut shown = match found["object"].as_str() {
        Some("list") => found,
        _ => state.shown(&found),
    };
    for path in &wanted {
        expand::expand(state, &mut shown, path)?;
    }
    Ok(shown)
}

fn unrecognized(method: &str, path: &[&str]) -> Box<super::refusal::Refusal> {
    let message = format!("Unrecognized request URL ({method}: /v1/{}).", path.join("/"));
    of_type(404, "invalid_request_error", "", &message)
}

fn read(state: &State, path: &[&str], params: &Params) -> Outcome<Value> {
    match path {
        ["customers", id, "payment_methods"] => listed(path, cards::of_customer(state, id)?, params),
        ["checkout", "sessions", id, "line_items"] => listed(path, checkout::line_items(state, id)?, params),
        ["checkout", "sessions"] | ["billing_portal", "sessions"] => all(state, path, params),
        ["checkout", "sessions", id] => one(state, "checkout.session", id, params),
        [collection] if kind(collection).is_some() => all(state, path, params),
        [collection, id] => match kind(collection) {
            Some((kind, _)) => one(state, kind, id, params),
            None => Err(unrecognized("GET", path)),
        },
        _ => Err(unrecognized("GET", path)),
    }
}

fn one(state: &State, kind: &str, id: &str, params: &Params) -> Outcome<Value> {
    params.allow(&[])?;
    if kind == "event" {
        let found = state.events.iter().find(|event| event["id"] == id).cloned();
        return found.ok_or_else(|| super::refusal::no_such(kind, id, ""));
    }
    let gone = state.get(id);
    if kind == "customer" && gone["object"] == kind && gone["deleted"] == true {
        return Ok(json!({"id": id, "object": kind, "deleted": true}));
    }
    state.find(kind, id, "")
}

fn all(state: &State, path: &[&str], params: &Params) -> Outcome<Value> {
    let Some((kind, filters)) = kind(&path.join("/")) else { return Err(unrecognized("GET", path)) };
    let mut known: Vec<String> =
        filters.iter().chain(&BOUNDS).chain(&["limit", "starting_after"]).map(|&name| name.to_owned()).collect();
    known.extend(["lookup_keys", "ids", "types"].iter().filter(|it| filters.contains(it)).map(|it| format!("{it}.*")));
    if kind == "invoice_payment" {
        known.extend(["payment.type".to_owned(), "payment.payment_intent".to_owned()]);
    }
    params.allow(&known.iter().map(String::as_str).collect::<Vec<_>>())?;
    let mut objects: Vec<Value> = match kind {
        "event" => events(state, params),
        _ => state.of_kind(kind).rev().map(|object| state.shown(object)).collect(),
    };
    for filter in filters {
        objects.retain(|object| passes(object, kind, filter, params));
    }
    if let Some(intent) = params.text("payment.payment_intent") {
        objects.retain(|object| object["payment"]["payment_intent"] == intent);
    }
    for name in BOUNDS {
        if let Some(bound) = params.text(name).and_then(|bound| bound.parse::<i64>().ok()) {
            objects.retain(|object| within(name, number(object, "created").cmp(&bound)));
        }
    }
    listed(path, objects, params)
}

/// The events, newest first; those that were taken count as delivered.
fn events(state: &State, params: &Params) -> Vec<Value> {
    let (taken, fresh) = state.events.split_at(state.taken);
    match params.text("delivery_success") {
        Some("true") => taken.iter().rev().cloned().collect(),
        Some("false") => fresh.iter().rev().cloned().collect(),
        _ => state.events.iter().rev().cloned().collect(),
    }
}

/// Whether a list that is filtered so has this object.
fn passes(object: &Value, kind: &str, filter: &str, params: &Params) -> bool {
    let asked = params.at(filter);
    if asked.is_null() {
        // Stripe leaves out what was canceled unless it is asked for.
        return !(kind == "subscription" && filter == "status" && object["status"] == "canceled");
    }
    let among = |value: &Value| list(asked).contains(value);
    match (kind, filter) {
        (_, "lookup_keys") => among(&object["lookup_key"]),
        (_, "ids") => among(&object["id"]),
        (_, "types") => among(&object["type"]),
        // Settled by what was taken, which the event does not say.
        ("event", "delivery_success") => true,
        ("subscription", "status") if asked == "all" => true,
        ("subscription", "status") if asked == "ended" => !object["ended_at"].is_null(),
        ("subscription", "price") => list(&object["items"]["data"]).iter().any(|item| item["price"]["id"] == *asked),
        ("invoice", "subscription") => invoices::subscription_of(object) == asked,
        ("promotion_code", "coupon") => object["coupon"]["id"] == *asked,
        ("promotion_code", "code") => text(object, "code").eq_ignore_ascii_case(asked.as_str().unwrap_or_default()),
        (_, "active") => object["active"] == (asked == "true"),
        _ => object[filter] == *asked,
    }
}

fn listed(path: &[&str], mut objects: Vec<Value>, params: &Params) -> Outcome<Value> {
    if let Some(after) = params.text("starting_after") {
        let place = objects.iter().position(|object| object["id"] == after);
        let message = format!("No such object: '{after}'");
        let place = place.ok_or_else(|| refused("resource_missing", "starting_after", &message))?;
        objects.drain(..=place);
    }
    let limit = params.number("limit")?.unwrap_or(10);
    if !(1..=100).contains(&limit) {
        return Err(malformed("parameter_invalid_integer", "limit", "This value must be between 1 and 100."));
    }
    let limit = usize::try_from(limit).unwrap_or(100);
    let has_more = objects.len() > limit;
    objects.truncate(limit);
    Ok(json!({"object": "list", "data": objects, "has_more": has_more, "url": format!("/v1/{}", path.join("/"))}))
}

fn write(state: &mut State, path: &[&str], params: &Params) -> Outcome<Value> {
    match *path {
        ["customers"] => customers::create(state, params),
        ["customers", id] => customers::update(state, id, params),
        ["payment_methods", id, "attach"] => cards::attach(state, id, params),
        ["products"] => catalogue::create_product(state, params),
        ["products", id] => catalogue::update_product(state, id, params),
        ["prices"] => catalogue::create_price(state, params),
        ["prices", id] => catalogue::update_price(state, id, params),
        ["coupons"] => discounts::create_coupon(state, params),
        ["coupons", id] => discounts::update_coupon(state, id, params),
        ["promotion_codes"] => discounts::create_code(state, params),
        ["promotion_codes", id] => discounts::update_code(state, id, params),
        ["checkout", "sessions"] => checkout::create(state, params),
        ["checkout", "sessions", id, "expire"] => checkout::expire_request(state, id, params),
        ["billing_portal", "sessions"] => portal::create(state, params),
        ["subscriptions"] => subscriptions::create(state, params),
        ["subscriptions", id] => changes::update(state, id, params),
        ["subscriptions", id, "resume"] => cancel::resume(state, id, params),
        ["subscription_schedules"] => schedules::create(state, params),
        ["subscription_schedules", id] => schedules::update(state, id, params),
        ["subscription_schedules", id, "release"] => schedules::release(state, id, params),
        ["subscription_schedules", id, "cancel"] => schedules::cancel(state, id, params),
        ["invoices", "create_preview"] => previews::create(state, params),
        ["invoices", id, "pay"] => invoices::pay(state, id, params),
        ["invoices", id, "void"] => invoices::void_request(state, id, params),
        ["payment_intents"] => payments::create(state, params),
        ["payment_intents", id, "confirm"] => payments::confirm(state, id, params),
        ["payment_intents", id, "cancel"] => payments::cancel(state, id, params),
        ["refunds"] => refunds::create(state, params),
        _ => Err(unrecognized("POST", path)),
    }
}

fn delete(state: &mut State, path: &[&str], params: &Params) -> Outcome<Value> {
    match *path {
        ["subscriptions", id] => cancel::request(state, id, params),
        ["customers", id] => params.allow(&[]).and_then(|()| customers::delete(state, id)),
        ["coupons", id] => params.allow(&[]).and_then(|()| discounts::delete_coupon(state, id)),
        ["products", id] => params.allow(&[]).and_then(|()| catalogue::delete_product(state, id)),
        _ => Err(unrecognized("DELETE", path)),
    }
}
