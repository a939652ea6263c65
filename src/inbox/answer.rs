//! Applies the objects that Stripe returns for our requests: stored as events, and applied at once.

use super::apply::{Apply, Mode, Scope};
use super::state::EventSource;
use super::{fetch, receive, stripe};
use crate::app::App;
use crate::error::{Error, Result};
use crate::providers::Provider;
use crate::providers::stripe::CallError;
use chrono::{DateTime, Utc};
use serde_json::Value;

/// The fields in which an object may be expanded.
const EXPANDED_FIELDS: [&str; 6] =
    ["latest_invoice", "payment_intent", "latest_charge", "charge", "schedule", "subscription"];
/// The fields in which a list of objects may be expanded.
const EXPANDED_LISTS: [&str; 2] = ["discounts", "payments"];

/// Applies an object that Stripe returned at `at`, and the objects expanded in it. They are stored in the inbox before
/// they are applied, so that a failure is retried.
pub async fn apply_answer(app: &App, object: Value, at: Option<DateTime<Utc>>) -> Result<()> {
    let mut objects = Vec::new();
    split(object, &mut objects);
    let mut stored = Vec::new();
    for object in objects {
        let Some(row) = fetch::event_of(app, object, at, EventSource::Answered) else { continue };
        stored.extend(fetch::object_of(&row));
        receive::insert_with_job(app, row).await?;
    }
    for (kind, object_id) in stored {
        Apply::new(app, Provider::Stripe, kind, &object_id, Scope::Pending).run(app, Mode::Commit).await?;
    }
    Ok(())
}

/// Fetches an object from Stripe, with `expand` expanded in it, and applies it.
pub async fn refresh(app: &App, collection: &str, id: &str, expand: &[&str]) -> Result<()> {
    let Some(client) = &app.stripe else { return Err(Error::NotConfigured("stripe_api_key")) };
    match client.get(collection, id, expand).await {
        Ok(answer) => apply_answer(app, answer.object, answer.at).await,
        Err(CallError::NotFound) => Ok(()),
        Err(error) => Err(Error::Unavailable("Stripe", error.into())),
    }
}

/// Appends the objects that are expanded in `object`, and `object` last, to `objects`; ids take the places of the
/// expanded ones.
fn split(mut object: Value, objects: &mut Vec<Value>) {
    for name in EXPANDED_FIELDS {
        if let Some(inner) = object.get_mut(name) {
            collapse(inner, objects);
        }
    }
    for name in EXPANDED_LISTS {
        let inner = object.get_mut(name);
        let inner = inner.map(|inner| if inner["data"].is_array() { &mut inner["data"] } else { inner });
        for each in inner.and_then(Value::as_array_mut).into_iter().flatten() {
            collapse(each, objects);
        }
    }
    objects.push(object);
}

/// Replaces an expanded object by its id.
fn collapse(inner: &mut Value, objects: &mut Vec<Value>) {
    if stripe::kind(inner).is_some() && inner["id"].is_string() {
        let id = inner["id"].clone();
        split(std::mem::replace(inner, id), objects);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn expanded_objects_come_first_and_are_replaced_by_their_ids() {
        let price = json!({"id": "price_1", "object": "price"});
        let payment = json!({"id": "inpay_1", "object": "invoice_payment"});
        let invoice = json!({"id": "in_1", "object": "invoice", "payments": {"data": [payment]}});
        let discount = json!({"id": "di_1", "object": "discount"});
        let object = json!({
            "id": "sub_1", "object": "subscription", "latest_invoice": invoice, "discounts": [discount, "di_2"],
            "items": {"data": [{"price": price}]}, "schedule": null,
        });
        let mut objects = Vec::new();
        split(object, &mut objects);
        let ids: Vec<&str> = objects.iter().map(|object| object["id"].as_str().unwrap()).collect();
        assert_eq!(ids, ["inpay_1", "in_1", "di_1", "sub_1"]);
        assert_eq!(objects[1]["payments"]["data"], json!(["inpay_1"]));
        assert_eq!(objects[3]["latest_invoice"], "in_1");
        assert_eq!(objects[3]["discounts"], json!(["di_1", "di_2"]));
        assert_eq!(objects[3]["items"]["data"][0]["price"]["id"], "price_1");
    }
}
