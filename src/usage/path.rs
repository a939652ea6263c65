//! Paths into the dimensions of an event, such as `usage.input_tokens`.

use serde_json::Value;

/// The maximum length of a path.
const MAX_BYTES: usize = 100;
/// The maximum number of names in a path.
const MAX_NAMES: usize = 5;

/// Returns whether a text is a path: up to five names of letters, digits, `_` and `-`, separated by dots.
pub(super) fn is_path(text: &str) -> bool {
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
    };
    text.len() <= MAX_BYTES && text.split('.').count() <= MAX_NAMES && text.split('.').all(is_name)
}

/// Returns the value at a path; `None` if there is none, or null.
pub(super) fn find<'v>(dimensions: Option<&'v Value>, path: &str) -> Option<&'v Value> {
    let found = path.split('.').try_fold(dimensions?, |value, name| value.as_object()?.get(name))?;
    (!found.is_null()).then_some(found)
}

/// Returns the text of a value that names something: a text, a whole number or a flag.
pub(super) fn name(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) if !number.is_f64() => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// Returns the whole number that a value is, as a number or as its digits in a text.
pub(super) fn whole_number(value: &Value) -> Option<i64> {
    match value {
        Value::String(digits) => digits.parse().ok(),
        Value::Number(number) => number.as_i64(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_path_is_names_between_dots() {
        for path in ["model", "usage.input_tokens", "a.b.c.d.e", "x-1"] {
            assert!(is_path(path), "{path}");
        }
        for other in ["", ".", "a.", "a..b", "a b", "a.b.c.d.e.f", "$.a", "ä", &"a".repeat(101)] {
            assert!(!is_path(other), "{other}");
        }
    }

    #[test]
    fn a_path_finds_what_is_there_and_nothing_else() {
        let dimensions = json!({"model": "m", "usage": {"input": 7, "none": null}, "list": [1]});
        let at = |path| find(Some(&dimensions), path);
        assert_eq!(at("model"), Some(&json!("m")));
        assert_eq!(at("usage.input"), Some(&json!(7)));
        for path in ["usage.output", "usage.none", "model.name", "list.0", "nothing"] {
            assert_eq!(at(path), None, "{path}");
        }
        assert_eq!(find(None, "model"), None);
    }

    #[test]
    fn names_and_numbers_are_read_exactly() {
        let cases = [
            (json!("a"), Some("a"), None),
            (json!(7), Some("7"), Some(7)),
            (json!("7"), Some("7"), Some(7)),
            (json!(true), Some("true"), None),
            (json!(1.5), None, None),
            (json!(1.0), None, None),
            (json!([1]), None, None),
            (json!(u64::MAX), Some("18446744073709551615"), None),
        ];
        for (value, text, number) in cases {
            assert_eq!(name(&value).as_deref(), text, "{value}");
            assert_eq!(whole_number(&value), number, "{value}");
        }
    }
}
