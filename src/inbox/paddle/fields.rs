//! Fields that many of Paddle's objects have.

use crate::inbox::json::{at, instant, minor, text};
use crate::inbox::object::Object;
use chrono::{DateTime, Utc};
use serde_json::Value;

/// The provider of every record that is read here.
pub(super) const PADDLE: &str = "paddle";

/// Returns the time of creation.
pub(in crate::inbox) fn created_at(object: &Object) -> DateTime<Utc> {
    instant(at(&object.payload, "created_at")).unwrap_or(object.occurred_at)
}

/// Returns the time at which the present state began, as nearly as Paddle says.
pub(super) fn updated_at(object: &Object) -> DateTime<Utc> {
    instant(at(&object.payload, "updated_at")).unwrap_or(object.occurred_at)
}

/// Reads the ISO 4217 code at `path`.
pub(super) fn currency(value: &Value, path: &str) -> Option<String> {
    text(value, path).map(str::to_ascii_uppercase).filter(|code| crate::money::is_currency(code))
}

/// Reads a number that is not negative.
pub(super) fn natural(value: &Value) -> Option<i64> {
    minor(value).filter(|number| *number >= 0)
}

/// Reads the span from `starts_at` to `ends_at`.
pub(super) fn span(value: &Value) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let (start, end) = (instant(at(value, "starts_at"))?, instant(at(value, "ends_at"))?);
    (start <= end).then_some((start, end))
}
