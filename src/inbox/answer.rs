//! What Stripe answers when it is asked to change something: an event like any other, applied at once.

use super::apply::{Apply, Mode, Scope};
use super::{fetch, receive, stripe};
use crate::app::App;
use crate::error::{Error, Result};
use crate::providers::Provider;
use crate::providers::stripe::CallError;
use chrono::{DateTime, Utc};
use serde_json::Value;

/// What was learned of it, beside events that were sent and objects that were fetched.
const ANSWERED: &str = "answered";

/// Where objects stand in others that are asked for with them.
const SPELLED_OUT: [&str; 6] =
    ["latest_invoice", "payment_intent", "latest_charge", "charge", "schedule", "subscription"];
/// Where lists of such objects stand.
const LISTED: [&str; 2] = ["discounts", "payments"];

/// Makes our records what an answer says. It is in the inbox before it is applied, so that it is applied later where that
/// does not succeed now.
pub async fn take_answer(app: &App, object: Value, at: Option<DateTime<Utc>>) -> Result<()> {
    let mut objects = Vec::new();
    take_apart(object, &mut objects);
    let mut known = Vec::new();
    for object in objects {
        let Some(row) = fetch::told(app, object, at, ANSWERED) else { continue };
        known.extend(row.object_id.clone());
        receive::keep_row(app, Provider::Stripe, row).await?;
    }
    for object_id in known {
        Apply::new(app, Provider::Stripe, &object_id, Scope::Pending).done(app, Mode::ForGood).await?;
    }
    Ok(())
}

/// Asks Stripe what an object is now, and makes our records that; with those that `expand` has spelled out in it.
pub async fn refresh(app: &App, collection: &str, id: &str, expand: &[&str]) -> Result<()> {
    let Some(client) = &app.stripe else { return Err(Error::NotConfigured("stripe_api_key")) };
    match client.get_with(collection, id, expand).await {
        Ok(answer) => take_answer(app, answer.object, answer.at).await,
        Err(CallError::NotFound) => Ok(()),
        Err(error) => Err(Error::Unavailable("Stripe", error.into())),
    }
}

/// Puts the objects that stand in `object`, and it itself last, into `objects`, each with the ids of the others in their
/// places.
fn take_apart(mut object: Value, objects: &mut Vec<Value>) {
    for name in SPELLED_OUT {
        if let Some(inner) = object.get_mut(name) {
            put_id_in_place(inner, objects);
        }
    }
    for name in LISTED {
        let inner = object.get_mut(name);
        let inner = inner.map(|inner| if inner["data"].is_array() { &mut inner["data"] } else { inner });
        for each in inner.and_then(Value::as_array_mut).into_iter().flatten() {
            put_id_in_place(each, objects);
        }
    }
    objects.push(object);
}

fn put_id_in_place(inner: &mut Value, objects: &mut Vec<Value>) {
    if stripe::kind(inner).is_some() && inner["id"].is_string() {
        let id = inner["id"].clone();
        take_apart(std::mem::replace(inner, id), objects);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn objects_inside_others_are_told_first_and_named_by_their_ids() {
        let price = json!({"id": "price_1", "object": "price"});
        let payment = json!({"id": "inpay_1", "object": "invoice_payment"});
        let invoice = json!({"id": "in_1", "object": "invoice", "payments": {"data": [payment]}});
        let discount = json!({"id": "di_1", "object": "discount"});
        let object = json!({
            "id": "sub_1", "object": "subscription", "latest_invoice": invoice, "discounts": [discount, "di_2"],
            "items": {"data": [{"price": price}]}, "schedule": null,
        });
        let mut objects = Vec::new();
        take_apart(object, &mut objects);
        let ids: Vec<&str> = objects.iter().map(|object| object["id"].as_str().unwrap()).collect();
        assert_eq!(ids, ["inpay_1", "in_1", "di_1", "sub_1"]);
        assert_eq!(objects[1]["payments"]["data"], json!(["inpay_1"]));
        assert_eq!(objects[3]["latest_invoice"], "in_1");
        assert_eq!(objects[3]["discounts"], json!(["di_1", "di_2"]));
        assert_eq!(objects[3]["items"]["data"][0]["price"]["id"], "price_1");
    }
}
