//! Parameters as Stripe takes them: pairs whose names have brackets, which make a tree.

use super::refusal::{Outcome, malformed, missing, unknown};
use serde_json::{Map, Value, json};

/// The parameters of a request. Every value is a text, as it was sent.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Params(pub(super) Value);

/// Reads pairs such as `items[0][price]=price_1`.
pub(super) fn parse(pairs: &[u8]) -> Value {
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
            // `expand[]=a` says no position: it is the next.
            let name = if part.is_empty() { fields.len().to_string() } else { part.to_owned() };
            place = fields.entry(name).or_insert(Value::Null);
        }
        *place = json!(value);
    }
    with_lists(tree)
}

/// Makes lists of what has positions for names.
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
        // The names in metadata are the caller's, digits or not.
        let value = if name == "metadata" { value } else { with_lists(value) };
        (name, value)
    };
    Value::Object(fields.into_iter().map(inner).collect())
}

impl Params {
    /// What stands at `path`, names and positions with dots between; null where nothing does.
    pub(super) fn at(&self, path: &str) -> &Value {
        path.split('.').fold(&self.0, |value, part| match value {
            Value::Array(items) => part.parse().ok().and_then(|at: usize| items.get(at)).unwrap_or(&Value::Null),
            value => &value[part],
        })
    }

    /// Whether it is there at all, be it empty.
    pub(super) fn has(&self, path: &str) -> bool {
        !self.at(path).is_null()
    }

    /// A text that is not empty.
    pub(super) fn text(&self, path: &str) -> Option<&str> {
        self.at(path).as_str().filter(|text| !text.is_empty())
    }

    /// A text that has to be there.
    pub(super) fn need(&self, path: &str) -> Outcome<&str> {
        self.text(path).ok_or_else(|| missing(&bracketed(path)))
    }

    /// A text for a field: null where it is empty or not there.
    pub(super) fn or_null(&self, path: &str) -> Value {
        self.text(path).map_or(Value::Null, |text| json!(text))
    }

    /// A whole number.
    pub(super) fn number(&self, path: &str) -> Outcome<Option<i64>> {
        let parsed = |text: &str| {
            let message = format!("Invalid integer: {text}");
            text.parse().map_err(|_| malformed("parameter_invalid_integer", &bracketed(path), &message))
        };
        self.text(path).map(parsed).transpose()
    }

    /// A number for a field: null where it is not there.
    pub(super) fn number_or_null(&self, path: &str) -> Outcome<Value> {
        Ok(self.number(path)?.map_or(Value::Null, |number| json!(number)))
    }

    /// Yes or no.
    pub(super) fn flag(&self, path: &str) -> Outcome<Option<bool>> {
        match self.text(path) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(other) => {
                Err(malformed("parameter_invalid_boolean", &bracketed(path), &format!("Invalid boolean: {other}")))
            }
        }
    }

    /// One of several words, or `None`.
    pub(super) fn word(&self, path: &str, words: &[&'static str]) -> Outcome<Option<&'static str>> {
        let Some(text) = self.text(path) else { return Ok(None) };
        let known = words.iter().copied().find(|word| *word == text);
        let message = format!("Invalid {}: must be one of {}", bracketed(path), words.join(", "));
        known.map(Some).ok_or_else(|| malformed("parameter_invalid_enum", &bracketed(path), &message))
    }

    /// The elements of a list, each as parameters of its own.
    pub(super) fn list(&self, path: &str) -> Vec<Params> {
        self.at(path).as_array().into_iter().flatten().cloned().map(Params).collect()
    }

    /// Sets what metadata is named, and takes away what is named empty.
    pub(super) fn write_metadata(&self, path: &str, metadata: &mut Value) {
        let named = self.at(path);
        if !metadata.is_object() || named == "" {
            *metadata = json!({});
        }
        for (name, value) in named.as_object().into_iter().flatten() {
            if let Value::Object(fields) = metadata {
                match value.as_str().unwrap_or_default() {
                    "" => _ = fields.remove(name),
                    text => _ = fields.insert(name.clone(), json!(text)),
                }
            }
        }
    }

    /// The metadata of a new object.
    pub(super) fn metadata(&self, path: &str) -> Value {
        let mut metadata = json!({});
        self.write_metadata(path, &mut metadata);
        metadata
    }

    /// Refuses parameters that are none of these: paths with dots, in which `*` stands for any one part.
    pub(super) fn allow(&self, known: &[&str]) -> Outcome<()> {
        let mut leaves = Vec::new();
        collect(&self.0, &[], &mut leaves);
        let strange = leaves.iter().find(|(path, empty)| !known.iter().any(|known| fits(known, path, *empty)));
        strange.map_or(Ok(()), |(path, _)| Err(unknown(&bracketed(&path.join(".")))))
    }
}

/// The paths of all values, with whether each is empty. Names of metadata may have dots, so paths stay in parts.
fn collect(value: &Value, path: &[String], leaves: &mut Vec<(Vec<String>, bool)>) {
    let joined = |name: String| [path, &[name]].concat();
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| collect(value, &joined(name.clone()), leaves)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, value)| collect(value, &joined(at.to_string()), leaves));
        }
        value => leaves.push((path.to_vec(), value == "")),
    }
}

/// Whether a path is this one; an empty value may stand for a whole tree, which it unsets.
fn fits(known: &str, path: &[String], empty: bool) -> bool {
    let mut known = known.split('.');
    let same = path.iter().all(|part| known.next().is_some_and(|expected| expected == "*" || expected == part));
    same && (known.next().is_none() || empty)
}

/// A path as it is sent: `a.b` is `a[b]`.
pub(super) fn bracketed(path: &str) -> String {
    let mut parts = path.split('.');
    let head = parts.next().unwrap_or_default().to_owned();
    parts.fold(head, |name, part| format!("{name}[{part}]"))
}
