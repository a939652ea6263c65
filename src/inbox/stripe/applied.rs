//! Reads the discounts that count for a subscription: its own, those of its items, and its customer's.
//!
//! Before basil one discount is expanded in `discount`; since 2024 the ids of all are in `discounts`, of the
//! subscription and of each item. Since clover the coupon is below `source`. Discounts cannot be fetched, and a coupon's
//! restriction and amounts in other currencies are sent only where they were expanded, so all of them are taken from any
//! version that has them.

use super::discount::{coupon_of, duration, percent_off};
use super::fields::{amount, currency, id, own_amount};
use crate::inbox::json::{at, list, minor, seconds, text};
use crate::inbox::kinds::ObjectKind;
use crate::inbox::object::Object;
use crate::subscriptions::{DiscountDuration, DiscountOff, DiscountScope, DiscountTerms, Exact, ObservedDiscount};
use chrono::{DateTime, Months, Utc};
use serde_json::Value;
use std::collections::BTreeSet;

/// The fields of a coupon that decide on the amounts of subscriptions.
pub(in crate::inbox) const COUPON_TERMS: [&str; 7] =
    ["percent_off", "amount_off", "currency", "currency_options", "applies_to", "duration", "duration_in_months"];

/// Returns the fields of an object that Stripe sends only where they were expanded.
pub(in crate::inbox) fn expanded_fields(kind: ObjectKind) -> &'static [&'static str] {
    match kind {
        ObjectKind::Price => &["currency_options", "tiers"],
        ObjectKind::Coupon => &["currency_options", "applies_to"],
        _ => &[],
    }
}

/// Reads the discounts of a subscription that is billed in `paid_in`. `related` has the discounts and coupons that are
/// known, newest first, among them those of the customer.
pub(super) fn discounts(subscription: &Value, paid_in: Option<&str>, related: &[Object]) -> Vec<ObservedDiscount> {
    let mut found: Vec<ObservedDiscount> = Vec::new();
    let mut add = |discount: Option<ObservedDiscount>| {
        if let Some(discount) = discount.filter(|new| found.iter().all(|known| known.external_id != new.external_id)) {
            found.push(discount);
        }
    };
    for item in list(subscription, "items.data") {
        for named in list(item, "discounts") {
            let discount = read(named, DiscountScope::Item, paid_in, related);
            let item_external_id = text(item, "id").map(str::to_owned);
            add(discount.map(|discount| ObservedDiscount { item_external_id, ..discount }));
        }
    }
    // The expanded one comes first, because the list may name it by its id alone.
    for named in [at(subscription, "discount")].into_iter().chain(list(subscription, "discounts")) {
        add(read(named, DiscountScope::Subscription, paid_in, related));
    }
    let customer = id(at(subscription, "customer"));
    for object in related.iter().filter(|object| is_of_customer(object)) {
        if customer.is_some() && id(at(&object.payload, "customer")) == customer {
            add(read(&object.payload, DiscountScope::Customer, paid_in, related));
        }
    }
    found
}

/// Returns true for a discount that was given to a customer, for all of their subscriptions.
pub(in crate::inbox) fn is_of_customer(object: &Object) -> bool {
    let narrower = ["subscription", "subscription_item", "invoice", "invoice_item", "checkout_session"];
    object.kind == ObjectKind::Discount && narrower.iter().all(|name| at(&object.payload, name).is_null())
}

/// Returns the ids of the objects that decide on the amounts of a subscription, as far as it does not contain them.
pub(in crate::inbox) fn needed(subscription: &Value) -> BTreeSet<String> {
    let paid_in = super::pricing::paid_in(subscription);
    let items = list(subscription, "items.data");
    let of_items = items.iter().flat_map(|item| list(item, "discounts"));
    let named = of_items.chain(list(subscription, "discounts")).chain([at(subscription, "discount")]);
    let discounts = named.flat_map(|named| [named.as_str().map(str::to_owned), coupon_of(named)]).flatten();
    let incomplete = items
        .iter()
        .map(|item| at(item, "price"))
        .filter(|price| paid_in.as_deref().is_some_and(|paid_in| super::pricing::is_incomplete(price, paid_in)));
    // A discount by itself needs its coupon.
    discounts.chain(coupon_of(subscription)).chain(incomplete.filter_map(id)).collect()
}

/// Returns the paths at which an object is fetched expanded, because amounts depend on what is there: only those that
/// `sent` does not contain.
pub(in crate::inbox) fn expansions(sent: &Value) -> Vec<&'static str> {
    let is_tiered = |price: &Value| text(price, "billing_scheme") == Some("tiered");
    match text(sent, "object") {
        Some("coupon") => vec!["applies_to", "currency_options"],
        Some("price") if is_tiered(sent) => vec!["currency_options", "tiers"],
        Some("price") => vec!["currency_options"],
        Some("subscription") => {
            let (paid_in, items) = (super::pricing::paid_in(sent), list(sent, "items.data"));
            let incomplete = items.iter().map(|item| at(item, "price")).filter(|price| {
                paid_in.as_deref().is_some_and(|paid_in| super::pricing::is_incomplete(price, paid_in))
            });
            let (tiered, other): (Vec<&Value>, Vec<&Value>) = incomplete.partition(|price| is_tiered(price));
            let has_id = |holder: &Value| list(holder, "discounts").iter().any(Value::is_string);
            let mut paths = Vec::new();
            if !tiered.is_empty() {
                paths.push("items.data.price.tiers");
            }
            if !other.is_empty() {
                paths.push("items.data.price.currency_options");
            }
            if has_id(sent) {
                paths.extend(["discounts.coupon.applies_to", "discounts.coupon.currency_options"]);
            }
            if items.iter().any(has_id) {
                paths.push("items.data.discounts");
            }
            paths
        }
        _ => Vec::new(),
    }
}

/// Returns the discounts, coupons and prices inside a version of a subscription or a customer.
pub(in crate::inbox) fn embedded(holder: &Object) -> Vec<Object> {
    let items = list(&holder.payload, "items.data");
    let of_items = items.iter().flat_map(|item| list(item, "discounts"));
    let named = of_items.chain(list(&holder.payload, "discounts")).chain([at(&holder.payload, "discount")]);
    let discounts: Vec<&Value> = named.filter(|named| named.is_object()).collect();
    let coupons = discounts.iter().flat_map(|discount| [at(discount, "coupon"), at(discount, "source.coupon")]);
    let prices = items.iter().map(|item| at(item, "price"));
    let within = |kind, payload: &Value| {
        let external_id = text(payload, "id")?.to_owned();
        Some(Object { kind, external_id, payload: payload.clone(), ..holder.clone() })
    };
    let discounts = discounts.iter().filter_map(|discount| within(ObjectKind::Discount, discount));
    let coupons = coupons.filter_map(|coupon| within(ObjectKind::Coupon, coupon));
    discounts.chain(coupons).chain(prices.filter_map(|price| within(ObjectKind::Price, price))).collect()
}

/// Reads a discount that is named by its id, or expanded; `None` for null.
fn read(named: &Value, scope: DiscountScope, paid_in: Option<&str>, related: &[Object]) -> Option<ObservedDiscount> {
    let external_id = id(named)?;
    let of_id = |kind, id: &str| {
        let id = id.to_owned();
        related.iter().filter(move |object| object.kind == kind && object.external_id == id)
    };
    let stored = || of_id(ObjectKind::Discount, &external_id);
    let versions = || Some(named).filter(|named| named.is_object()).into_iter().chain(stored().map(|it| &it.payload));
    let coupon_external_id = versions().find_map(coupon_of);
    let inline = versions().flat_map(|discount| [at(discount, "coupon"), at(discount, "source.coupon")]);
    let mut coupons: Vec<&Value> = inline.filter(|coupon| coupon.is_object()).collect();
    if let Some(id) = &coupon_external_id {
        coupons.extend(of_id(ObjectKind::Coupon, id).map(|object| &object.payload));
    }
    let starts_at = versions().find_map(|discount| seconds(at(discount, "start")));
    let terms = coupons.iter().find_map(|coupon| terms(coupon, paid_in, &coupons));
    // Stripe states the end of a repeating discount; where it does not, the coupon's months count.
    let months = coupons.iter().find_map(|coupon| minor(at(coupon, "duration_in_months")));
    let is_repeating = terms.as_ref().is_some_and(|terms| terms.duration == DiscountDuration::Repeating);
    let ends_at = versions().find_map(|discount| seconds(at(discount, "end")));
    let ends_at = ends_at.or_else(|| if is_repeating { months_after(starts_at?, months?) } else { None });
    let removed_at = stored().filter(|object| object.deleted).map(|object| object.occurred_at).min();
    Some(ObservedDiscount {
        scope,
        item_external_id: None,
        products: coupons.iter().find_map(|coupon| products(coupon)),
        coupon_external_id,
        terms,
        starts_at,
        ends_at: ends_at.into_iter().chain(removed_at).min(),
        external_id,
    })
}

/// Reads the terms of a coupon in the currency `paid_in`, if one of its versions has the amount in it.
fn terms(coupon: &Value, paid_in: Option<&str>, versions: &[&Value]) -> Option<DiscountTerms> {
    let duration = duration(coupon)?;
    if let Some(percent) = percent_off(coupon) {
        return Some(DiscountTerms { duration, off: DiscountOff::Part(percent / Exact::from_integer(100)) });
    }
    let own = own_amount(coupon, "amount_off").filter(|amount| *amount > 0).zip(currency(coupon));
    let option = |paid_in: &str| {
        let path = format!("currency_options.{}.amount_off", paid_in.to_ascii_lowercase());
        let mut amounts = versions.iter().filter_map(|version| amount(version, &path, paid_in));
        Some((amounts.find(|amount| *amount >= 0)?, paid_in.to_owned()))
    };
    let is_own = own.as_ref().is_some_and(|(_, currency)| Some(currency.as_str()) == paid_in);
    let (minor, currency) = if is_own { own } else { paid_in.and_then(option).or(own) }?;
    Some(DiscountTerms { duration, off: DiscountOff::Amount { minor, currency, per_unit: false } })
}

/// Reads the products that a coupon is restricted to.
fn products(coupon: &Value) -> Option<Vec<String>> {
    let products: Vec<String> = list(coupon, "applies_to.products").iter().filter_map(id).collect();
    (!products.is_empty()).then_some(products)
}

fn months_after(start: DateTime<Utc>, months: i64) -> Option<DateTime<Utc>> {
    start.checked_add_months(Months::new(u32::try_from(months).ok()?))
}
