//! Expansion of ids to objects.

use serde_json::{Value, json};

use crate::error::{StripeResult, malformed_parameter};
use crate::objects::{invoices, sessions};
use crate::params::Params;
use crate::store::{Store, list, text};

/// Removes `expand` from the parameters, and returns its paths.
pub(crate) fn take_paths(params: &mut Params) -> Vec<String> {
    let Value::Object(fields) = &mut params.0 else { return Vec::new() };
    let paths = fields.remove("expand").unwrap_or_default();
    list(&paths).iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Expands the ids at `path`.
pub(crate) fn expand(store: &Store, object: &mut Value, path: &str) -> StripeResult<()> {
    let (head, rest) = path.split_once('.').unwrap_or((path, ""));
    if let ("data", Some(Value::Array(items))) = (head, object.get_mut("data")) {
        return items.iter_mut().try_for_each(|item| expand(store, item, rest));
    }
    match virtual_field(store, object, head) {
        Some(value) => object[head] = value,
        None if object.get(head).is_none() => {
            let message = format!("This property cannot be expanded ({head}).");
            return Err(malformed_parameter("", "expand", &message));
        }
        None => {}
    }
    let expanded = |value: &Value| match value.as_str().map(|id| store.get(id)) {
        Some(found) if !found.is_null() => store.render(found),
        _ => value.clone(),
    };
    let place = &mut object[head];
    match &mut *place {
        Value::Array(items) => items.iter_mut().for_each(|item| *item = expanded(item)),
        place => *place = expanded(place),
    }
    match place {
        _ if rest.is_empty() => Ok(()),
        Value::Array(items) => items.iter_mut().try_for_each(|item| expand(store, item, rest)),
        Value::Null => Ok(()),
        place => expand(store, place, rest),
    }
}

/// Returns a field that exists only when it is expanded.
fn virtual_field(store: &Store, object: &Value, name: &str) -> Option<Value> {
    let id = text(object, "id");
    match (text(object, "object"), name) {
        ("invoice", "confirmation_secret") => {
            let intent = store.get(&invoices::intent_of(store, id)).clone();
            let secret = json!({"client_secret": intent["client_secret"], "type": "payment_intent"});
            Some(if intent.is_null() { Value::Null } else { secret })
        }
        ("invoice", "payments") => Some(json!({"object": "list", "data": invoices::payments_of(store, id),
            "has_more": false, "url": "/v1/invoice_payments"})),
        ("checkout.session", "line_items") => {
            let lines = sessions::line_items(store, id).ok()?;
            Some(json!({"object": "list", "data": lines, "has_more": false,
                "url": format!("/v1/checkout/sessions/{id}/line_items")}))
        }
        ("price", "currency_options") => {
            let amounts = json!({"custom_unit_amount": null, "tax_behavior": object["tax_behavior"],
                "unit_amount": object["unit_amount"], "unit_amount_decimal": object["unit_amount_decimal"]});
            Some(json!({text(object, "currency"): amounts}))
        }
        ("price", "tiers") => Some(Value::Null),
        ("coupon", "applies_to") => Some(object["applies_to"].clone()),
        ("coupon", "currency_options") => Some(match object["currency"].as_str() {
            Some(currency) => json!({currency: {"amount_off": object["amount_off"]}}),
            None => json!({}),
        }),
        ("charge", "refunds") => Some(json!({"object": "list", "data": store.find_all("refund", "charge", id),
            "has_more": false, "url": format!("/v1/charges/{id}/refunds")})),
        _ => None,
    }
}
