//! Asks Stripe to change something: once, however often the same change is asked for under one idempotency key.

use super::client::{Call, CallError, Client};
use super::refused::Refused;
use chrono::{DateTime, Utc};
use hyper::Method;
use hyper::body::Bytes;
use hyper::header::HeaderValue;
use serde_json::Value;
use url::form_urlencoded::Serializer;

/// A change that Stripe is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Whether something is ended by it: `DELETE`; else `POST`.
    pub deletes: bool,
    /// Where, below `/v1/`, e.g. `subscriptions/sub_1`.
    pub path: String,
    /// The parameters as a tree: objects, arrays, texts, whole numbers and truth values; null unsets what is there.
    pub params: Value,
    /// What makes two changes the same, of at most 255 characters.
    pub idempotency_key: String,
}

/// A change that Stripe has made.
#[derive(Debug, Clone, PartialEq)]
pub struct Changed {
    /// The object that it answered with.
    pub object: Value,
    /// When Stripe said so, by its own clock; `None` where it did not say.
    pub at: Option<DateTime<Utc>>,
    /// Whether this is what it answered when the change was made, and may not be true any more.
    pub replayed: bool,
}

impl Client {
    /// Asks for a change. An error that is [`CallError::Unavailable`] says nothing of whether it was made: only the same change
    /// under the same key tells, within a day.
    pub async fn change(&self, change: &Change) -> Result<Changed, CallError> {
        let key = HeaderValue::try_from(&change.idempotency_key);
        let key = key.map_err(|_| CallError::Refused(Refused::default()))?;
        let form = Bytes::from(form(&change.params));
        let call = Call {
            method: if change.deletes { Method::DELETE } else { Method::POST },
            url: self.url(&format!("v1/{}", change.path), None, &[]),
            form: Some(form),
            idempotency_key: Some(key),
        };
        let reply = self.call(&call).await?;
        Ok(Changed { object: reply.value, at: reply.at, replayed: reply.replayed })
    }

    /// Asks for something that leaves nothing behind, or nothing that matters: a preview, a link that soon ends.
    pub async fn ask(&self, path: &str, params: &Value) -> Result<Value, CallError> {
        let url = self.url(&format!("v1/{path}"), None, &[]);
        let form = Some(Bytes::from(form(params)));
        Ok(self.call(&Call { method: Method::POST, url, form, idempotency_key: None }).await?.value)
    }
}

/// A tree of parameters as Stripe reads it: `items[0][price]=price_1`.
fn form(params: &Value) -> String {
    let mut form = Serializer::new(String::new());
    let Value::Object(fields) = params else { return String::new() };
    for (name, value) in fields {
        append(&mut form, name, value);
    }
    form.finish()
}

fn append(form: &mut Serializer<'_, String>, name: &str, value: &Value) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| append(form, &format!("{name}[{key}]"), value)),
        Value::Array(values) => {
            values.iter().enumerate().for_each(|(at, value)| append(form, &format!("{name}[{at}]"), value));
        }
        Value::Null => drop(form.append_pair(name, "")),
        Value::String(text) => drop(form.append_pair(name, text)),
        Value::Bool(_) | Value::Number(_) => drop(form.append_pair(name, &value.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn parameters_are_a_tree_in_brackets() {
        let params = json!({
            "items": [{"id": "si_1", "deleted": true}, {"price": "price_1", "quantity": 2}],
            "metadata": {"user_id": "a b&c"}, "pause_collection": null,
        });
        let form = form(&params);
        let decoded: Vec<(String, String)> = url::form_urlencoded::parse(form.as_bytes()).into_owned().collect();
        let expected = [
            ("items[0][deleted]", "true"),
            ("items[0][id]", "si_1"),
            ("items[1][price]", "price_1"),
            ("items[1][quantity]", "2"),
            ("metadata[user_id]", "a b&c"),
            ("pause_collection", ""),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut decoded = decoded;
        decoded.sort();
        assert_eq!(decoded, expected);
    }
}
