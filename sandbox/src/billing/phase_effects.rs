//! The effects of a schedule's phase on its subscription.

use serde_json::{Value, json};

use crate::billing::changes::{ChangeOptions, change_items};
use crate::billing::periods;
use crate::billing::phases::SHARED;
use crate::error::{StripeResult, not_found};
use crate::objects::discounts;
use crate::objects::items;
use crate::objects::subscriptions::{find_price, new_item};
use crate::params::Params;
use crate::store::{Store, list, number, text};

/// Gives the subscription what its present phase sets, and takes what it does not set.
pub(crate) fn bring_into_force(store: &mut Store, id: &str, phase: &Value) -> StripeResult<()> {
    let before = store.get(id).clone();
    if before["status"] == "trialing" && phase["trial_end"].is_null() {
        let now = store.now;
        store.edit(id, |subscription| subscription["trial_end"] = json!(now));
        periods::begin_period(store, id, &before, "subscription_update");
    }
    set(store, id, phase)?;
    let entries = list(&phase["items"]);
    let unchanged = entries
        .iter()
        .zip(list(&before["items"]["data"]))
        .all(|(entry, item)| entry["price"] == item["price"]["id"] && entry["quantity"] == item["quantity"]);
    if !unchanged || entries.len() != list(&before["items"]["data"]).len() {
        let changed = new_items(store, id, phase, &before)?;
        let options = ChangeOptions {
            proration: proration(phase),
            behavior: "allow_incomplete",
            at: store.now,
            off_session: true,
        };
        change_items(store, &before, changed, &options)?;
        return set_item_fields(store, id, phase);
    }
    set_item_fields(store, id, phase)?;
    store.emit_update("customer.subscription.updated", id, &before);
    Ok(())
}

/// Begins a phase of a subscription.
pub(crate) fn begin(store: &mut Store, id: &str, phase: &Value) -> StripeResult<()> {
    let before = store.get(id).clone();
    if before.is_null() {
        return Err(not_found("subscription", id, ""));
    }
    let old = list(&before["items"]["data"]).to_vec();
    let changed = new_items(store, id, phase, &before)?;
    set(store, id, phase)?;
    if number(&old[0], "current_period_end") == store.now {
        // The renewal that follows bills the new items in full.
        replace_before_renewal(store, id, changed, &old);
        set_item_fields(store, id, phase)?;
        store.emit_update("customer.subscription.updated", id, &before);
        return Ok(());
    }
    let at = store.now;
    let options = ChangeOptions { proration: proration(phase), behavior: "allow_incomplete", at, off_session: true };
    change_items(store, &before, changed, &options)?;
    set_item_fields(store, id, phase)
}

fn proration(phase: &Value) -> &'static str {
    match text(phase, "proration_behavior") {
        "none" => "none",
        "always_invoice" => "always_invoice",
        _ => "create_prorations",
    }
}

fn new_items(store: &mut Store, id: &str, phase: &Value, before: &Value) -> StripeResult<Vec<Value>> {
    let old = list(&before["items"]["data"]);
    let mut items = Vec::new();
    for (at, entry) in list(&phase["items"]).iter().enumerate() {
        let was = old.get(at).filter(|item| item["price"]["id"] == entry["price"]);
        let price = match was {
            // An item stays when its price is no longer sold.
            Some(item) => item["price"].clone(),
            None => find_price(store, text(entry, "price"), "price")?,
        };
        let kept = old.get(at).map(|item| text(item, "id").to_owned());
        let item_id = kept.unwrap_or_else(|| store.new_id("si_"));
        let mut item = new_item(store, &item_id, id, &price, number(entry, "quantity"));
        if let Some(old) = old.get(at) {
            item["discounts"] = old["discounts"].clone();
        }
        items.push(item);
    }
    Ok(items)
}

fn set(store: &mut Store, id: &str, phase: &Value) -> StripeResult<()> {
    let discounts = give(store, id, &store.get(id)["discounts"].clone(), &phase["discounts"], None)?;
    store.edit(id, |subscription| {
        for name in SHARED {
            let unset = phase[name].is_null() && name != "description" && name != "default_payment_method";
            if !unset {
                subscription[name] = phase[name].clone();
            }
        }
        if phase["invoice_settings"].is_object() {
            let settings = &phase["invoice_settings"];
            subscription["invoice_settings"] =
                json!({"account_tax_ids": settings["account_tax_ids"], "issuer": settings["issuer"]});
            subscription["days_until_due"] = settings["days_until_due"].clone();
        }
        if let (Value::Object(own), Value::Object(more)) = (&mut subscription["metadata"], &phase["metadata"]) {
            own.extend(more.clone());
        }
        subscription["discounts"] = discounts;
    });
    Ok(())
}

fn set_item_fields(store: &mut Store, id: &str, phase: &Value) -> StripeResult<()> {
    let mut items = list(&store.get(id)["items"]["data"]).to_vec();
    for (item, entry) in items.iter_mut().zip(list(&phase["items"])) {
        item["discounts"] = give(store, id, &item["discounts"].clone(), &entry["discounts"], item["id"].as_str())?;
        item["metadata"] = entry["metadata"].clone();
        item["tax_rates"] = entry["tax_rates"].clone();
    }
    store.edit(id, |subscription| subscription["items"]["data"] = json!(items));
    Ok(())
}

/// Returns the discounts after a phase has set them: the kept ones, and new ones of coupons and codes.
fn give(store: &mut Store, id: &str, had: &Value, entries: &Value, item: Option<&str>) -> StripeResult<Value> {
    let customer = store.get(id)["customer"].clone();
    let (mut all, mut fresh) = (Vec::new(), Vec::new());
    for entry in list(entries) {
        if let Some(kept) = entry["discount"].as_str() {
            if !list(had).iter().any(|had| had == kept) {
                return Err(not_found("discount", kept, "phases"));
            }
            all.push(json!(kept));
            continue;
        }
        let entry = Params(json!({"discounts": [entry]}));
        for applied in discounts::resolve(store, &entry, &customer, i64::MAX)? {
            let given = discounts::attach(store, &applied, &customer, id);
            if let Some(item) = item {
                store.edit(&given, |discount| discount["subscription_item"] = json!(item));
            }
            all.push(json!(given));
            fresh.push(given);
        }
    }
    for gone in list(had).iter().filter(|had| !all.contains(had)).filter_map(Value::as_str) {
        discounts::remove(store, gone)?;
    }
    discounts::announce(store, &fresh);
    Ok(Value::Array(all))
}

fn replace_before_renewal(store: &mut Store, id: &str, new: Vec<Value>, old: &[Value]) {
    let now = store.now;
    let (start, end) = (old[0]["current_period_start"].clone(), old[0]["current_period_end"].clone());
    items::replace(store, id, new, now, false);
    // If the interval differs, a new period has begun, which is the renewal's task.
    store.edit(id, |subscription| {
        items::for_each(subscription, |item| {
            item["current_period_start"] = start.clone();
            item["current_period_end"] = end.clone();
        });
    });
}
