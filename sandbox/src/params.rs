//! Parameters in the form that Stripe takes: pairs whose names have brackets, parsed into a tree.

use crate::error::{StripeResult, malformed_parameter, missing_parameter, unknown_parameter};
use serde_json::{Map, Value, json};

/// The parameters of a request. Every value is a string, as it was sent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Params(pub(crate) Value);

/// Parses pairs such as `items[0][price]=price_1`.
pub(crate) fn parse(pairs: &[u8]) -> Value {
    let mut tree = Value::Object(Map::new());
    for (name, value) in url::form_urlencoded::parse(pairs) {
        let (head, rest) = name.split_once('[').unwrap_or((&name, ""));
        let inner = rest.trim_end_matches(']');
        let parts = std::iter::once(head).chain(inner.split("][").filter(|_| !rest.is_empty()));
        let mut place = &mut tree;
        for part in parts {
            if !place.is_object() {
                *place = Value::Object(Map::new());
            }
            let Value::Object(fields) = place else { continue };
            // `expand[]=a` has no position: it is appended.
            let name = if part.is_empty() { fields.len().to_string() } else { part.to_owned() };
            place = fields.entry(name).or_insert(Value::Null);
        }
        *place = json!(value);
    }
    with_lists(tree)
}

/// Converts objects whose names are positions to lists.
fn with_lists(value: Value) -> Value {
    let Value::Object(fields) = value else { return value };
    let positions = |fields: &Map<String, Value>| fields.keys().all(|name| name.parse::<u16>().is_ok());
    if !fields.is_empty() && positions(&fields) {
        let mut items: Vec<(u16, Value)> =
            fields.into_iter().map(|(name, value)| (name.parse().unwrap_or(0), with_lists(value))).collect();
        items.sort_by_key(|(position, _)| *position);
        return items.into_iter().map(|(_, value)| value).collect();
    }
    let inner = |(name, value): (String, Value)| {
        // Names in metadata are the caller's own, even if they are numbers.
        let value = if name == "metadata" { value } else { with_lists(value) };
        (name, value)
    };
    Value::Object(fields.into_iter().map(inner).collect())
}

impl Params {
    /// Returns the value at `path` (names and positions separated by dots), or null.
    pub(crate) fn get(&self, path: &str) -> &Value {
        path.split('.').fold(&self.0, |value, part| match value {
            Value::Array(items) => part.parse().ok().and_then(|at: usize| items.get(at)).unwrap_or(&Value::Null),
            value => &value[part],
        })
    }

    /// Returns true if the parameter was sent, even if it is empty.
    pub(crate) fn has(&self, path: &str) -> bool {
        !self.get(path).is_null()
    }

    /// Returns a string that is not empty.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.get(path).as_str().filter(|text| !text.is_empty())
    }

    /// Returns a required string.
    pub(crate) fn require(&self, path: &str) -> StripeResult<&str> {
        self.text(path).ok_or_else(|| missing_parameter(&bracketed(path)))
    }

    /// Returns a string, or null if it is empty or missing.
    pub(crate) fn or_null(&self, path: &str) -> Value {
        self.text(path).map_or(Value::Null, |text| json!(text))
    }

    /// Returns an integer.
    pub(crate) fn number(&self, path: &str) -> StripeResult<Option<i64>> {
        let parsed = |text: &str| {
            let message = format!("Invalid integer: {text}");
            text.parse().map_err(|_| malformed_parameter("parameter_invalid_integer", &bracketed(path), &message))
        };
        self.text(path).map(parsed).transpose()
    }

    /// Returns an integer, or null if it is missing.
    pub(crate) fn number_or_null(&self, path: &str) -> StripeResult<Value> {
        Ok(self.number(path)?.map_or(Value::Null, |number| json!(number)))
    }

    /// Returns a boolean.
    pub(crate) fn flag(&self, path: &str) -> StripeResult<Option<bool>> {
        match self.text(path) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(other) => Err(malformed_parameter(
                "parameter_invalid_boolean",
                &bracketed(path),
                &format!("Invalid boolean: {other}"),
            )),
        }
    }

    /// Returns one of the allowed values, or `None` if the parameter is missing.
    pub(crate) fn one_of(&self, path: &str, words: &[&'static str]) -> StripeResult<Option<&'static str>> {
        let Some(text) = self.text(path) else { return Ok(None) };
        let known = words.iter().copied().find(|word| *word == text);
        let message = format!("Invalid {}: must be one of {}", bracketed(path), words.join(", "));
        known.map(Some).ok_or_else(|| malformed_parameter("parameter_invalid_enum", &bracketed(path), &message))
    }

    /// Returns the elements of a list, each as parameters.
    pub(crate) fn list(&self, path: &str) -> Vec<Params> {
        self.get(path).as_array().into_iter().flatten().cloned().map(Params).collect()
    }

    /// Sets the metadata that the request names, and removes the entries that it sets to an empty string.
    pub(crate) fn write_metadata(&self, path: &str, metadata: &mut Value) {
        let sent = self.get(path);
        if !metadata.is_object() || sent == "" {
            *metadata = json!({});
        }
        for (name, value) in sent.as_object().into_iter().flatten() {
            if let Value::Object(fields) = metadata {
                match value.as_str().unwrap_or_default() {
                    "" => _ = fields.remove(name),
                    text => _ = fields.insert(name.clone(), json!(text)),
                }
            }
        }
    }

    /// Returns the metadata of a new object.
    pub(crate) fn metadata(&self, path: &str) -> Value {
        let mut metadata = json!({});
        self.write_metadata(path, &mut metadata);
        metadata
    }

    /// Rejects parameters other than these paths, in which `*` matches one part.
    pub(crate) fn allow_only(&self, known: &[&str]) -> StripeResult<()> {
        let mut leaves = Vec::new();
        collect_leaves(&self.0, &[], &mut leaves);
        let unexpected =
            leaves.iter().find(|(path, empty)| !known.iter().any(|known| matches_path(known, path, *empty)));
        unexpected.map_or(Ok(()), |(path, _)| Err(unknown_parameter(&bracketed(&path.join(".")))))
    }
}

/// Collects the paths of all values, each with a flag for an empty value. Paths stay in parts, since names in metadata
/// may contain dots.
fn collect_leaves(value: &Value, path: &[String], leaves: &mut Vec<(Vec<String>, bool)>) {
    let child = |name: String| [path, &[name]].concat();
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| collect_leaves(value, &child(name.clone()), leaves))
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, value)| collect_leaves(value, &child(at.to_string()), leaves));
        }
        value => leaves.push((path.to_vec(), value == "")),
    }
}

/// Returns true if the path matches. An empty value matches a whole tree, which it unsets.
fn matches_path(known: &str, path: &[String], empty: bool) -> bool {
    let mut known = known.split('.');
    let same = path.iter().all(|part| known.next().is_some_and(|expected| expected == "*" || expected == part));
    same && (known.next().is_none() || empty)
}

/// Returns a path in the notation of requests: `a[b]` for `a.b`.
pub(crate) fn bracketed(path: &str) -> String {
    let mut parts = path.split('.');
    let head = parts.next().unwrap_or_default().to_owned();
    parts.fold(head, |name, part| format!("{name}[{part}]"))
}
