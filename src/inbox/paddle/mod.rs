//! What Paddle Billing's objects say, in the terms that both providers share.
//!
//! Pure functions of the newest state of each object: nothing is read from the database or the clock. What is missing
//! or malformed is left out, and nothing panics: the sender is known, but not what it will send next year.

mod adjustments;
mod catalogue;
mod goods;
mod subscriptions;
mod transactions;

#[cfg(test)]
mod adverse_tests;
#[cfg(test)]
mod random_tests;
#[cfg(test)]
mod shape_tests;
#[cfg(test)]
mod tests;

pub(super) use catalogue::{embedded_prices, price};
pub(super) use goods::{licences, purchase};
pub(super) use subscriptions::{state, subscription};
pub(super) use transactions::{invoice, payment};

use super::json::{at, instant, minor, text};
use super::object::{Object, Ties};
use crate::accounts::ObservedCustomer;
use chrono::{DateTime, Utc};
use serde_json::Value;

const PADDLE: &str = "paddle";

/// The kinds of objects that are mirrored, as the types of events begin.
const KINDS: [&str; 7] = ["customer", "product", "price", "subscription", "transaction", "adjustment", "discount"];

/// What an event of this type is about, where we mirror it.
pub(super) fn kind(event_type: &str) -> Option<&'static str> {
    let (first, _) = event_type.split_once('.')?;
    KINDS.into_iter().find(|kind| *kind == first)
}

/// What an object belongs to. A transaction is both the invoice and the payment of it.
pub(super) fn ties(kind: &str, payload: &Value) -> Ties {
    let id = |path| text(payload, path).map(str::to_owned);
    let (mut customer, mut subscription) = (id("customer_id"), id("subscription_id"));
    let mut transaction = None;
    match kind {
        "customer" => customer = id("id"),
        "subscription" => subscription = id("id"),
        "transaction" => transaction = id("id"),
        "adjustment" => transaction = id("transaction_id"),
        "price" => return Ties { product: id("product_id"), ..Ties::default() },
        _ => return Ties::default(),
    }
    Ties { customer, subscription, invoice: transaction.clone(), payment: transaction, charge: None, product: None }
}

/// Whom the host application calls this object's user. It may have written the id as a number.
pub(super) fn user(payload: &Value) -> Option<String> {
    let told = text(payload, "custom_data.user_id").map(str::to_owned);
    told.or_else(|| minor(at(payload, "custom_data.user_id")).map(|id| id.to_string()))
}

/// A customer. Paddle does not say who owes.
pub(super) fn customer(object: &Object) -> Option<ObservedCustomer> {
    let payload = &object.payload;
    payload.is_object().then(|| ObservedCustomer {
        provider: PADDLE,
        external_id: object.external_id.clone(),
        email: text(payload, "email").map(str::to_owned),
        name: text(payload, "name").map(str::to_owned),
        delinquent: false,
        deleted: object.deleted || text(payload, "status") == Some("archived"),
        created_at: created_at(object),
    })
}

/// Whether this is a state that an object does not leave for one of those before it, so that it wins over one of the
/// same time.
pub(super) fn is_terminal(kind: &str, payload: &Value) -> bool {
    let status = text(payload, "status").unwrap_or_default();
    match kind {
        "subscription" => status == "canceled",
        "transaction" => ["completed", "canceled"].contains(&status),
        "adjustment" => ["approved", "rejected", "reversed"].contains(&status),
        _ => false,
    }
}

fn created_at(object: &Object) -> DateTime<Utc> {
    instant(at(&object.payload, "created_at")).unwrap_or(object.occurred_at)
}

/// When its present state began, as nearly as Paddle says.
fn updated_at(object: &Object) -> DateTime<Utc> {
    instant(at(&object.payload, "updated_at")).unwrap_or(object.occurred_at)
}

/// The ISO 4217 code at `path`.
fn currency(value: &Value, path: &str) -> Option<String> {
    text(value, path).map(str::to_ascii_uppercase).filter(|code| crate::money::is_currency(code))
}

/// A number that may not be negative.
fn natural(value: &Value) -> Option<i64> {
    minor(value).filter(|number| *number >= 0)
}

/// From `starts_at` to `ends_at`.
fn span(value: &Value) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let (start, end) = (instant(at(value, "starts_at"))?, instant(at(value, "ends_at"))?);
    (start <= end).then_some((start, end))
}
