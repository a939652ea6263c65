//! Objects that stand whole where otherwise their ids do.

use serde_json::{Value, json};

use super::form::Params;
use super::invoices;
use super::refusal::{Outcome, malformed};
use super::state::{State, list, text};

/// Takes out of the parameters what is to be expanded.
pub(super) fn wanted(params: &mut Params) -> Vec<String> {
    let Value::Object(fields) = &mut params.0 else { return Vec::new() };
    let wanted = fields.remove("expand").unwrap_or_default();
    list(&wanted).iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Makes whole what is at `path`.
pub(super) fn expand(state: &State, object: &mut Value, path: &str) -> Outcome<()> {
    let (head, rest) = path.split_once('.').unwrap_or((path, ""));
    if let ("data", Some(Value::Array(items))) = (head, object.get_mut("data")) {
        return items.iter_mut().try_for_each(|item| expand(state, item, rest));
    }
    match virtual_field(state, object, head) {
        Some(value) => object[head] = value,
        None if object.get(head).is_none() => {
            let message = format!("This property cannot be expanded ({head}).");
            return Err(malformed("", "expand", &message));
        }
        None => {}
    }
    let whole = |value: &Value| match value.as_str().map(|id| state.get(id)) {
        Some(found) if !found.is_null() => state.shown(found),
        _ => value.clone(),
    };
    let place = &mut object[head];
    match &mut *place {
        Value::Array(items) => items.iter_mut().for_each(|item| *item = whole(item)),
        place => *place = whole(place),
    }
    match place {
        _ if rest.is_empty() => Ok(()),
        Value::Array(items) => items.iter_mut().try_for_each(|item| expand(state, item, rest)),
        Value::Null => Ok(()),
        place => expand(state, place, rest),
    }
}

/// What is only there when it is asked for.
fn virtual_field(state: &State, object: &Value, name: &str) -> Option<Value> {
    let id = text(object, "id");
    match (text(object, "object"), name) {
        ("invoice", "confirmation_secret") => {
            let intent = state.get(&invoices::intent_of(state, id)).clone();
            let secret = json!({"client_secret": intent["client_secret"], "type": "payment_intent"});
            Some(if intent.is_null() { Value::Null } else { secret })
        }
        ("invoice", "payments") => Some(json!({"object": "list", "data": invoices::payments_of(state, id),
            "has_more": false, "url": "/v1/invoice_payments"})),
        ("checkout.session", "line_items") => {
            let lines = super::checkout::line_items(state, id).ok()?;
            Some(json!({"object": "list", "data": lines, "has_more": false,
                "url": format!("/v1/checkout/sessions/{id}/line_items")}))
        }
        ("charge", "refunds") => Some(json!({"object": "list", "data": state.with("refund", "charge", id),
            "has_more": false, "url": format!("/v1/charges/{id}/refunds")})),
        _ => None,
    }
}
