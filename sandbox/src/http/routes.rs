//! The routes of the API.

use serde_json::{Value, json};

use crate::billing::{cancel, changes, ending, payments, portal, previews, schedules, subscribe};
use crate::error::{StripeError, StripeResult, error_of_type, not_found};
use crate::http::expand;
use crate::http::lists::{kind_of, list_objects, page};
use crate::objects::{cards, catalogue, coupons, customers, invoices, refunds, sessions};
use crate::params::Params;
use crate::store::Store;

/// Executes a request. Returns the body of the reply.
pub(crate) fn respond(store: &mut Store, method: &str, path: &[&str], mut params: Params) -> StripeResult<Value> {
    let paths = expand::take_paths(&mut params);
    let found = match method {
        "GET" => read(store, path, &params)?,
        "POST" => write(store, path, &params)?,
        "DELETE" => delete(store, path, &params)?,
        _ => return Err(unrecognized(method, path)),
    };
    let mut body = match found["object"].as_str() {
        Some("list") => found,
        _ => store.render(&found),
    };
    for path in &paths {
        expand::expand(store, &mut body, path)?;
    }
    Ok(body)
}

fn unrecognized(method: &str, path: &[&str]) -> Box<StripeError> {
    let message = format!("Unrecognized request URL ({method}: /v1/{}).", path.join("/"));
    error_of_type(404, "invalid_request_error", "", &message)
}

fn read(store: &Store, path: &[&str], params: &Params) -> StripeResult<Value> {
    match path {
        ["customers", id, "payment_methods"] => page(path, cards::list_for(store, id)?, params),
        ["checkout", "sessions", id, "line_items"] => page(path, sessions::line_items(store, id)?, params),
        ["checkout", "sessions", id] => one(store, "checkout.session", id, params),
        _ => match (kind_of(&path.join("/")), path) {
            (Some(kind), _) => list_objects(store, path, kind, params),
            (None, [collection, id]) => match kind_of(collection) {
                Some((kind, _)) => one(store, kind, id, params),
                None => Err(unrecognized("GET", path)),
            },
            (None, _) => Err(unrecognized("GET", path)),
        },
    }
}

fn one(store: &Store, kind: &str, id: &str, params: &Params) -> StripeResult<Value> {
    params.allow_only(&[])?;
    if kind == "event" {
        let found = store.events.iter().find(|event| event["id"] == id).cloned();
        return found.ok_or_else(|| not_found(kind, id, ""));
    }
    let gone = store.get(id);
    if kind == "customer" && gone["object"] == kind && gone["deleted"] == true {
        return Ok(json!({"id": id, "object": kind, "deleted": true}));
    }
    store.find(kind, id, "")
}

fn write(store: &mut Store, path: &[&str], params: &Params) -> StripeResult<Value> {
    match *path {
        ["customers"] => customers::create(store, params),
        ["customers", id] => customers::update(store, id, params),
        ["payment_methods", id, "attach"] => cards::attach(store, id, params),
        ["products"] => catalogue::create_product(store, params),
        ["products", id] => catalogue::update_product(store, id, params),
        ["prices"] => catalogue::create_price(store, params),
        ["prices", id] => catalogue::update_price(store, id, params),
        ["coupons"] => coupons::create_coupon(store, params),
        ["coupons", id] => coupons::update_coupon(store, id, params),
        ["promotion_codes"] => coupons::create_code(store, params),
        ["promotion_codes", id] => coupons::update_code(store, id, params),
        ["checkout", "sessions"] => sessions::create(store, params),
        ["checkout", "sessions", id, "expire"] => sessions::expire_request(store, id, params),
        ["billing_portal", "sessions"] => portal::create(store, params),
        ["subscriptions"] => subscribe::create(store, params),
        ["subscriptions", id] => changes::update(store, id, params),
        ["subscriptions", id, "resume"] => cancel::resume(store, id, params),
        ["subscription_schedules"] => schedules::create(store, params),
        ["subscription_schedules", id] => schedules::update(store, id, params),
        ["subscription_schedules", id, "release"] => schedules::release_request(store, id, params),
        ["subscription_schedules", id, "cancel"] => schedules::cancel_request(store, id, params),
        ["invoices", "create_preview"] => previews::create(store, params),
        ["invoices", id, "pay"] => payments::pay_invoice_request(store, id, params),
        ["invoices", id, "void"] => invoices::void_request(store, id, params),
        ["payment_intents"] => payments::create(store, params),
        ["payment_intents", id, "confirm"] => payments::confirm_request(store, id, params),
        ["payment_intents", id, "cancel"] => payments::cancel_request(store, id, params),
        ["refunds"] => refunds::create(store, params),
        _ => Err(unrecognized("POST", path)),
    }
}

fn delete(store: &mut Store, path: &[&str], params: &Params) -> StripeResult<Value> {
    match *path {
        ["subscriptions", id] => cancel::request(store, id, params),
        ["customers", id] => params.allow_only(&[]).and_then(|()| ending::delete_customer(store, id)),
        ["coupons", id] => params.allow_only(&[]).and_then(|()| coupons::delete_coupon(store, id)),
        ["products", id] => params.allow_only(&[]).and_then(|()| catalogue::delete_product(store, id)),
        _ => Err(unrecognized("DELETE", path)),
    }
}
