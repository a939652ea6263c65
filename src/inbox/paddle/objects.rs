//! Customers, and the facts that are read of every kind of Paddle's objects: references, owner, progress.

use super::fields::{PADDLE, created_at};
use crate::accounts::ObservedCustomer;
use crate::inbox::json::{at, minor, text};
use crate::inbox::kinds::ObjectKind;
use crate::inbox::object::{Object, References};
use serde_json::Value;

/// Returns the references of an object. A transaction is both the invoice and the payment of it.
pub(in crate::inbox) fn references(kind: ObjectKind, payload: &Value) -> References {
    let id = |path| text(payload, path).map(str::to_owned);
    let (mut customer, mut subscription) = (id("customer_id"), id("subscription_id"));
    let mut transaction = None;
    match kind {
        ObjectKind::Customer => customer = id("id"),
        ObjectKind::Subscription => subscription = id("id"),
        ObjectKind::Transaction => transaction = id("id"),
        ObjectKind::Adjustment => transaction = id("transaction_id"),
        ObjectKind::Price => return References { product: id("product_id"), ..References::default() },
        _ => return References::default(),
    }
    let (invoice, payment) = (transaction.clone(), transaction);
    References { customer, subscription, invoice, payment, charge: None, product: None, promotion_code: None }
}

/// Returns the user of the host application whom a customer names in its custom data, which needs an API key to write.
///
/// The custom data of transactions and subscriptions proves nothing: Paddle.js sets it in the buyer's browser, replaces
/// that of a transaction which a server has created, and a subscription has a copy of it.
pub(in crate::inbox) fn user(object: &Object) -> Option<String> {
    user_id(&object.payload).filter(|_| object.kind == ObjectKind::Customer)
}

/// Returns the text with which the custom data of another object names the owner: a signed reference, else an id.
pub(in crate::inbox) fn claim(object: &Object) -> Option<String> {
    let reference = text(&object.payload, "custom_data.tollgate_reference").map(str::to_owned);
    reference.or_else(|| user_id(&object.payload)).filter(|_| object.kind != ObjectKind::Customer)
}

/// Returns the id of a user in the custom data; it may be written as a number.
fn user_id(payload: &Value) -> Option<String> {
    let name = text(payload, "custom_data.user_id").map(str::to_owned);
    name.or_else(|| minor(at(payload, "custom_data.user_id")).map(|id| id.to_string()))
}

/// Reads a customer. Paddle does not say who is delinquent.
pub(in crate::inbox) fn customer(object: &Object) -> Option<ObservedCustomer> {
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

/// Returns true for a state that an object never leaves, so that it wins over the other states of the same instant.
pub(in crate::inbox) fn is_terminal(kind: ObjectKind, payload: &Value) -> bool {
    let status = text(payload, "status").unwrap_or_default();
    match kind {
        ObjectKind::Subscription => status == "canceled",
        ObjectKind::Transaction => ["completed", "canceled"].contains(&status),
        ObjectKind::Adjustment => ["approved", "rejected", "reversed"].contains(&status),
        _ => false,
    }
}
