//! Changes at Stripe. A change is made once, however often it is requested with the same idempotency key.

use super::client::Client;
use super::connection::{Call, CallError};
use super::refused::Refused;
use chrono::{DateTime, Utc};
use reqwest::Method;
use reqwest::header::HeaderValue;
use serde_json::Value;
use std::time::Instant;
use url::form_urlencoded::Serializer;

/// A change at Stripe.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// True for `DELETE`, false for `POST`.
    pub deletes: bool,
    /// The path below `/v1/`, such as `subscriptions/sub_1`.
    pub path: String,
    /// The parameters as a tree of objects, arrays, texts, whole numbers and booleans; null clears a parameter.
    pub params: Value,
    /// The idempotency key, of at most 255 characters.
    pub idempotency_key: String,
    /// The instant before which every try must have ended; `None` for any time.
    pub answer_before: Option<Instant>,
}

/// The response to a change.
#[derive(Debug, Clone, PartialEq)]
pub struct Changed {
    /// The changed object.
    pub object: Value,
    /// The time of the response by Stripe's clock; `None` if it has none.
    pub at: Option<DateTime<Utc>>,
    /// True if this is the response to an earlier request with the same key, which may be outdated.
    pub replayed: bool,
}

impl Client {
    /// Makes a change. After [`CallError::Unavailable`] it is unknown whether it was made; repeating the same change with
    /// the same key within a day shows it.
    pub async fn change(&self, change: &Change) -> Result<Changed, CallError> {
        let key = HeaderValue::try_from(&change.idempotency_key);
        let key = key.map_err(|_| CallError::Refused(Refused::default()))?;
        let call = Call {
            method: if change.deletes { Method::DELETE } else { Method::POST },
            url: self.0.url(&format!("v1/{}", change.path), None, &[]),
            form: Some(form(&change.params)),
            idempotency_key: Some(key),
            answer_before: change.answer_before,
        };
        let reply = self.0.call(&call).await?;
        Ok(Changed { object: reply.value, at: reply.at, replayed: reply.replayed })
    }

    /// Sends a request without lasting effects, such as a preview or a link that expires soon.
    pub async fn ask(&self, path: &str, params: &Value) -> Result<Value, CallError> {
        let url = self.0.url(&format!("v1/{path}"), None, &[]);
        let form = Some(form(params));
        Ok(self
            .0
            .call(&Call { method: Method::POST, url, form, idempotency_key: None, answer_before: None })
            .await?
            .value)
    }
}

/// Encodes a tree of parameters as Stripe expects it: `items[0][price]=price_1`.
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
    fn a_tree_of_parameters_is_written_in_brackets() {
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
