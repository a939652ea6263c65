//! Fields that many of Stripe's objects have.

use crate::inbox::json::text;
use crate::plans::PriceInterval;
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

/// Reads the interval of a price, in our words.
pub(super) fn interval(price: &Value) -> PriceInterval {
    let interval = text(price, "recurring.interval").and_then(|interval| interval.parse().ok());
    interval.unwrap_or(PriceInterval::OneTime)
}
