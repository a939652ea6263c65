//! Phases of a schedule at Stripe, read and sent again whole: what a request leaves out of a phase, Stripe removes.

use super::replacement::Replacement;
use crate::error::{Error, Result};
use serde_json::{Map, Value, json};

/// Fields of a phase that Stripe accepts in a request as it returns them. Discounts and items are sent apart.
const KEPT: [&str; 16] = [
    "application_fee_percent",
    "automatic_tax",
    "billing_cycle_anchor",
    "billing_thresholds",
    "collection_method",
    "currency",
    "default_payment_method",
    "default_tax_rates",
    "description",
    "end_date",
    "invoice_settings",
    "metadata",
    "on_behalf_of",
    "proration_behavior",
    "start_date",
    "transfer_data",
];
/// Fields that concern one phase alone, and not the one after it.
const ONCE: [&str; 2] = ["trial_end", "add_invoice_items"];
/// Fields of an item in a phase, beside its price, quantity and discounts.
const KEPT_OF_ITEM: [&str; 3] = ["billing_thresholds", "metadata", "tax_rates"];
/// Fields inside the kept ones that Stripe returns and does not accept.
const READ_ONLY: [&str; 1] = ["disabled_reason"];

/// Returns the phases of a request that keep the present one until it ends, and then replace one of its items. `schedule`
/// is as Stripe returns it, with its subscription as a whole object.
pub(super) fn phases(schedule: &Value, replacement: &Replacement) -> Result<Value> {
    let invalid = || Error::internal(anyhow::anyhow!("A schedule at Stripe has no present phase."));
    let start = schedule["current_phase"]["start_date"].as_i64().ok_or_else(invalid)?;
    let phases = schedule["phases"].as_array().ok_or_else(invalid)?;
    let phase = phases.iter().find(|phase| phase["start_date"].as_i64() == Some(start)).ok_or_else(invalid)?;
    let end = phase["end_date"].as_i64().ok_or_else(invalid)?;
    let items = phase["items"].as_array().ok_or_else(invalid)?;
    let subscription = &schedule["subscription"];
    let mut common = fields(phase, &KEPT);
    // Those that the subscription still has: a coupon or code in the phase would give a new discount, which starts again.
    common.insert("discounts".to_owned(), discounts(subscription));
    let mut present = common.clone();
    present.extend(fields(phase, &ONCE));
    present.insert("items".to_owned(), items.iter().map(|item| item_of(subscription, item)).collect());
    let mut next = common;
    next.remove("end_date");
    let replaced = items.iter().map(|item| replace(item_of(subscription, item), replacement));
    next.insert("items".to_owned(), replaced.collect());
    next.insert("start_date".to_owned(), json!(end));
    next.insert("iterations".to_owned(), json!(1));
    next.insert("proration_behavior".to_owned(), json!("none"));
    Ok(json!([present, next]))
}

/// Returns an item of a phase as a request has it.
fn item_of(subscription: &Value, item: &Value) -> Value {
    let price = id_of(&item["price"]);
    let mut kept = fields(item, &KEPT_OF_ITEM);
    let own = subscription["items"]["data"].as_array().into_iter().flatten();
    let own = own.filter(|own| id_of(&own["price"]) == price).map(discounts).next();
    if let Some(discounts) = own {
        kept.insert("discounts".to_owned(), discounts);
    }
    if !item["quantity"].is_null() {
        kept.insert("quantity".to_owned(), item["quantity"].clone());
    }
    kept.insert("price".to_owned(), price);
    Value::Object(kept)
}

fn replace(mut item: Value, replacement: &Replacement) -> Value {
    if item["price"].as_str() == replacement.item.price_external_id.as_deref()
        && let (Value::Object(item), Value::Object(offer)) = (&mut item, replacement.offer.item())
    {
        item.remove("billing_thresholds");
        item.extend(offer);
    }
    item
}

/// Returns the discounts that a subscription or an item has, to be kept and not given anew.
fn discounts(owner: &Value) -> Value {
    let discounts = owner["discounts"].as_array().into_iter().flatten();
    discounts.map(|discount| json!({"discount": id_of(discount)})).collect()
}

/// Returns the fields of an object that have a value, as a request has them.
fn fields(object: &Value, names: &[&str]) -> Map<String, Value> {
    let found = names.iter().filter_map(|name| Some(((*name).to_owned(), param(object.get(name)?)?)));
    found.collect()
}

/// Returns a value as a request has it: without null and what is only read, and with ids in place of whole objects.
fn param(value: &Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::Object(object) if object.contains_key("id") && object.contains_key("object") => Some(id_of(value)),
        Value::Object(object) => {
            let fields = object.iter().filter(|(name, _)| !READ_ONLY.contains(&name.as_str()));
            let fields = fields.filter_map(|(name, value)| Some((name.clone(), param(value)?)));
            Some(Value::Object(fields.collect()))
        }
        Value::Array(values) => Some(values.iter().filter_map(param).collect()),
        value => Some(value.clone()),
    }
}

/// Returns the id of an object that may be whole.
fn id_of(value: &Value) -> Value {
    if value.is_object() { value["id"].clone() } else { value.clone() }
}
