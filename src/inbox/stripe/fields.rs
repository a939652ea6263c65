//! Fields that many of Stripe's objects have.

use crate::inbox::json::{at, minor, text};
use crate::inbox::object::Object;
use crate::plans::PriceInterval;
use crate::providers::stripe::minor_of;
use serde_json::Value;

/// Reads an id: the value itself, or that of the object in its place.
pub(super) fn id(value: &Value) -> Option<String> {
    value.as_str().or_else(|| value["id"].as_str()).filter(|id| !id.is_empty()).map(str::to_owned)
}

/// Reads a currency as we write it.
pub(super) fn currency(object: &Value) -> Option<String> {
    let currency = text(object, "currency")?.to_ascii_uppercase();
    (currency.len() == 3 && currency.bytes().all(|byte| byte.is_ascii_uppercase())).then_some(currency)
}

/// Reads the amount at `path` in minor units of `currency`. Every amount of Stripe's is read here, because Stripe writes
/// some currencies with other decimals.
pub(super) fn amount(object: &Value, path: &str, currency: &str) -> Option<i64> {
    minor_of(minor(at(object, path))?, currency)
}

/// Reads the amount at `path` in minor units of the currency of `object`.
pub(super) fn own_amount(object: &Value, path: &str) -> Option<i64> {
    amount(object, path, &currency(object)?)
}

/// Returns false for a charge that is authorised, and not captured yet or any more.
pub(super) fn is_captured(charge: &Object) -> bool {
    at(&charge.payload, "captured") != false
}

/// Reads the interval of a price, in our words.
pub(super) fn interval(price: &Value) -> PriceInterval {
    let interval = text(price, "recurring.interval").and_then(|interval| interval.parse().ok());
    interval.unwrap_or(PriceInterval::OneTime)
}
