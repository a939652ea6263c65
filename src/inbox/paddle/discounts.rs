//! Reads the discounts of subscriptions.

use super::fields::{currency, natural};
use crate::inbox::json::{at, instant, list, text};
use crate::inbox::kinds::ObjectKind;
use crate::inbox::object::Object;
use crate::subscriptions::{
    DiscountDuration, DiscountOff, DiscountScope, DiscountTerms, Exact, ObservedDiscount, decimal,
};
use chrono::{DateTime, Utc};
use serde_json::Value;

/// The fields of a discount that decide on the amounts of subscriptions.
pub(in crate::inbox) const DISCOUNT_TERMS: [&str; 5] = ["type", "amount", "currency_code", "restrict_to", "recur"];

/// Returns the id of the discount of a subscription, which is an object of its own.
pub(in crate::inbox) fn needed(subscription: &Value) -> Option<String> {
    text(subscription, "discount.id").map(str::to_owned)
}

/// Reads the discount of a subscription: Paddle has at most one. Its terms are in the discount itself, which is among
/// `related` once it is known.
pub(super) fn discounts(subscription: &Value, related: &[Object]) -> Vec<ObservedDiscount> {
    let applied = at(subscription, "discount");
    let Some(id) = text(applied, "id") else { return Vec::new() };
    let known = related.iter().find(|object| object.kind == ObjectKind::Discount && object.external_id == id);
    let known = known.map_or(&Value::Null, |object| &object.payload);
    let ends_at = instant(at(applied, "ends_at"));
    let products: Vec<String> =
        list(known, "restrict_to").iter().filter_map(|id| id.as_str().map(str::to_owned)).collect();
    vec![ObservedDiscount {
        external_id: id.to_owned(),
        scope: DiscountScope::Subscription,
        item_external_id: None,
        products: (!products.is_empty()).then_some(products),
        coupon_external_id: Some(id.to_owned()),
        terms: terms(known, ends_at),
        starts_at: instant(at(applied, "starts_at")),
        ends_at,
    }]
}

/// Reads the terms of a discount that ends at `ends_at` on a subscription.
fn terms(discount: &Value, ends_at: Option<DateTime<Utc>>) -> Option<DiscountTerms> {
    let off = match text(discount, "type")? {
        "percentage" => {
            let percent = decimal(text(discount, "amount")?).filter(|percent| *percent <= Exact::from_integer(100))?;
            DiscountOff::Part(percent / Exact::from_integer(100))
        }
        kind @ ("flat" | "flat_per_seat") => DiscountOff::Amount {
            minor: natural(at(discount, "amount"))?,
            currency: currency(discount, "currency_code")?,
            per_unit: kind == "flat_per_seat",
        },
        _ => return None,
    };
    let duration = match (ends_at, at(discount, "recur")) {
        (Some(_), _) => DiscountDuration::Repeating,
        (None, Value::Bool(false)) => DiscountDuration::Once,
        (None, _) => DiscountDuration::Forever,
    };
    Some(DiscountTerms { duration, off })
}
