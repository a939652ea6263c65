//! Lists of objects, with their filters and pages.

use serde_json::{Value, json};
use std::cmp::Ordering;

use crate::error::{StripeResult, invalid_request, malformed_parameter};
use crate::objects::invoices;
use crate::params::Params;
use crate::store::{Store, list, number, text};

/// The kinds of objects with their collections and filters.
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

/// The filters by time of creation.
const TIME_FILTERS: [&str; 5] = ["created.gte", "created.gt", "created.lte", "created.lt", "created"];

fn matches_time(bound: &str, order: Ordering) -> bool {
    match bound {
        "created.gte" => order.is_ge(),
        "created.gt" => order.is_gt(),
        "created.lte" => order.is_le(),
        "created.lt" => order.is_lt(),
        _ => order.is_eq(),
    }
}

/// Returns the kind of objects in a collection, and its filters.
pub(crate) fn kind_of(collection: &str) -> Option<(&'static str, &'static [&'static str])> {
    COLLECTIONS.iter().find(|(_, known, _)| *known == collection).map(|(kind, _, filters)| (*kind, *filters))
}

/// Returns a page of the objects of a kind.
pub(crate) fn list_objects(
    store: &Store,
    path: &[&str],
    (kind, filters): (&str, &[&str]),
    params: &Params,
) -> StripeResult<Value> {
    let mut known: Vec<String> =
        filters.iter().chain(&TIME_FILTERS).chain(&["limit", "starting_after"]).map(|&name| name.to_owned()).collect();
    known.extend(["lookup_keys", "ids", "types"].iter().filter(|it| filters.contains(it)).map(|it| format!("{it}.*")));
    if kind == "invoice_payment" {
        known.extend(["payment.type".to_owned(), "payment.payment_intent".to_owned()]);
    }
    params.allow_only(&known.iter().map(String::as_str).collect::<Vec<_>>())?;
    let mut objects: Vec<Value> = match kind {
        "event" => events(store, params),
        _ => store.all(kind).rev().map(|object| store.render(object)).collect(),
    };
    for filter in filters {
        objects.retain(|object| passes(object, kind, filter, params));
    }
    if let Some(intent) = params.text("payment.payment_intent") {
        objects.retain(|object| object["payment"]["payment_intent"] == intent);
    }
    for name in TIME_FILTERS {
        if let Some(bound) = params.text(name).and_then(|bound| bound.parse::<i64>().ok()) {
            objects.retain(|object| matches_time(name, number(object, "created").cmp(&bound)));
        }
    }
    page(path, objects, params)
}

/// Returns the events, newest first.
fn events(store: &Store, params: &Params) -> Vec<Value> {
    let (delivered, pending) = store.events.split_at(store.delivered);
    match params.text("delivery_success") {
        Some("true") => delivered.iter().rev().cloned().collect(),
        Some("false") => pending.iter().rev().cloned().collect(),
        _ => store.events.iter().rev().cloned().collect(),
    }
}

/// Returns true if an object passes a filter.
fn passes(object: &Value, kind: &str, filter: &str, params: &Params) -> bool {
    let wanted = params.get(filter);
    if wanted.is_null() {
        // Stripe leaves out canceled subscriptions by default.
        return !(kind == "subscription" && filter == "status" && object["status"] == "canceled");
    }
    let among = |value: &Value| list(wanted).contains(value);
    match (kind, filter) {
        (_, "lookup_keys") => among(&object["lookup_key"]),
        (_, "ids") => among(&object["id"]),
        (_, "types") => among(&object["type"]),
        // Decided by the store, since the event does not contain it.
        ("event", "delivery_success") => true,
        ("subscription", "status") if wanted == "all" => true,
        ("subscription", "status") if wanted == "ended" => !object["ended_at"].is_null(),
        ("subscription", "price") => list(&object["items"]["data"]).iter().any(|item| item["price"]["id"] == *wanted),
        ("invoice", "subscription") => invoices::subscription_of(object) == wanted,
        ("promotion_code", "coupon") => object["coupon"]["id"] == *wanted,
        ("promotion_code", "code") => text(object, "code").eq_ignore_ascii_case(wanted.as_str().unwrap_or_default()),
        (_, "active") => object["active"] == (wanted == "true"),
        _ => object[filter] == *wanted,
    }
}

/// Returns the page of a list that the request asks for.
pub(crate) fn page(path: &[&str], mut objects: Vec<Value>, params: &Params) -> StripeResult<Value> {
    if let Some(after) = params.text("starting_after") {
        let place = objects.iter().position(|object| object["id"] == after);
        let message = format!("No such object: '{after}'");
        let place = place.ok_or_else(|| invalid_request("resource_missing", "starting_after", &message))?;
        objects.drain(..=place);
    }
    let limit = params.number("limit")?.unwrap_or(10);
    if !(1..=100).contains(&limit) {
        return Err(malformed_parameter("parameter_invalid_integer", "limit", "This value must be between 1 and 100."));
    }
    let limit = usize::try_from(limit).unwrap_or(100);
    let has_more = objects.len() > limit;
    objects.truncate(limit);
    Ok(json!({"object": "list", "data": objects, "has_more": has_more, "url": format!("/v1/{}", path.join("/"))}))
}
