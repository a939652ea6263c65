//! Reads the JSON of the providers: values that are missing or malformed are `None`.

use chrono::{DateTime, Datelike, Utc};
use serde_json::Value;

/// Returns the value at `path`, which is names or positions with dots between them; null where there is none.
pub(super) fn at<'a>(value: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(value, |value, part| match value {
        Value::Array(items) => part.parse().ok().and_then(|index: usize| items.get(index)).unwrap_or(&Value::Null),
        value => value.get(part).unwrap_or(&Value::Null),
    })
}

/// Returns the text at `path`; `None` where it is empty, or has a NUL, which PostgreSQL cannot store.
pub(super) fn text<'a>(value: &'a Value, path: &str) -> Option<&'a str> {
    at(value, path).as_str().filter(|text| !text.is_empty() && !text.contains('\0'))
}

/// Returns the list at `path`; empty where there is none.
pub(super) fn list<'a>(value: &'a Value, path: &str) -> &'a [Value] {
    at(value, path).as_array().map_or(&[], Vec::as_slice)
}

/// Reads a whole number, as a number or in decimal digits.
pub(super) fn minor(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

/// Reads an instant in seconds since 1970.
pub(super) fn seconds(value: &Value) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(minor(value)?, 0).and_then(storable)
}

/// Reads an instant in the form of RFC 3339, to the microsecond.
pub(super) fn instant(value: &Value) -> Option<DateTime<Utc>> {
    let instant = DateTime::parse_from_rfc3339(value.as_str()?).ok()?;
    DateTime::from_timestamp_micros(instant.timestamp_micros()).and_then(storable)
}

/// Returns an instant that both databases store alike.
fn storable(instant: DateTime<Utc>) -> Option<DateTime<Utc>> {
    (1..=9999).contains(&instant.year()).then_some(instant)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_that_are_missing_or_malformed_are_none() {
        let value = json!({"a": {"b": "c", "empty": "", "nul": "a\u{0}"}, "list": [{"d": 1}, 2], "n": null});
        assert_eq!(text(&value, "a.b"), Some("c"));
        for path in ["", "a", "a.x", "a.b.c", "a.empty", "a.nul", "list", "list.7", "list.0.d", "n", "n.x", "."] {
            assert_eq!(text(&value, path), None, "{path}");
        }
        assert_eq!(at(&value, "list.0.d"), &json!(1));
        assert_eq!((list(&value, "list").len(), list(&value, "a").len()), (2, 0));
    }

    #[test]
    fn an_amount_is_a_whole_number_or_its_digits() {
        for (value, amount) in [
            (json!(5), Some(5)),
            (json!("-12"), Some(-12)),
            (json!("9223372036854775808"), None),
            (json!(u64::MAX), None),
            (json!("1.5"), None),
            (json!(1.5), None),
            (json!(" 1"), None),
            (json!(null), None),
        ] {
            assert_eq!(minor(&value), amount, "{value}");
        }
    }

    #[test]
    fn an_instant_that_cannot_be_stored_is_none() {
        let micros = |value: Value| instant(&value).map(|instant| instant.timestamp_micros());
        assert_eq!(micros(json!("1970-01-01T01:00:01.123456789+01:00")), Some(1_123_456));
        assert_eq!(micros(json!("2016-12-31T23:59:60Z")), Some(1_483_228_800_000_000));
        assert_eq!((micros(json!("yesterday")), micros(json!("0000-01-01T00:00:00Z"))), (None, None));
        assert_eq!(seconds(&json!(1)).map(|instant| instant.timestamp()), Some(1));
        assert_eq!((seconds(&json!(i64::MAX)), seconds(&json!(300_000_000_000_i64))), (None, None));
    }
}
