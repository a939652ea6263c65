//! The items and discounts of a state, as its history keeps them: all that its annual value is computed from.

use super::arr::per_year;
use super::observed::{DiscountOff, ObservedDiscount, ObservedItem, ObservedState};
use super::pricing::Pricing;
use crate::plans::KnownPrice;
use crate::subscriptions::exact::{Exact, decimal_text};
use serde_json::{Value, json};
use std::collections::HashMap;

/// Returns the items of a state.
pub(super) fn items_json(state: &ObservedState, known: &HashMap<String, KnownPrice>) -> Value {
    state.items.iter().map(|item| item_json(item, state, known)).collect()
}

fn item_json(item: &ObservedItem, state: &ObservedState, known: &HashMap<String, KnownPrice>) -> Value {
    let unit_amount = match &item.pricing {
        Pricing::PerUnit(amount) => Some(*amount),
        Pricing::Graduated(_) | Pricing::Volume(_) | Pricing::Unknown => None,
    };
    let whole = unit_amount.filter(Exact::is_integer).and_then(|amount| i64::try_from(amount.to_integer()).ok());
    json!({
        "externalId": item.external_id,
        "priceId": known.get(&item.price_external_id).and_then(|price| price.price_id),
        "priceExternalId": item.price_external_id,
        "productExternalId": item.product_external_id,
        "quantity": item.quantity,
        "packageSize": item.package.map(|package| package.size),
        "packagesRoundedUp": item.package.map(|package| package.round_up),
        "metered": item.metered,
        "recurring": per_year(item, known).is_some(),
        "currency": state.currency,
        "unitAmountMinor": whole,
        // With the fraction of a minor unit, which the one above cannot have.
        "unitAmount": unit_amount.map(|amount| decimal_text(&amount)),
        "amount": item.amount().map(|amount| decimal_text(&amount)),
        "interval": item.interval,
        "intervalCount": item.interval_count,
    })
}

/// Returns the discounts of a state; `None` if there is none.
pub(super) fn discounts_json(discounts: &[ObservedDiscount]) -> Option<Value> {
    (!discounts.is_empty()).then(|| discounts.iter().map(discount_json).collect())
}

fn discount_json(discount: &ObservedDiscount) -> Value {
    let terms = discount.terms.as_ref();
    let off = terms.map(|terms| &terms.off);
    let amount = match off {
        Some(DiscountOff::Amount { minor, currency, per_unit }) => Some((minor, currency, per_unit)),
        _ => None,
    };
    json!({
        "externalId": discount.external_id,
        "scope": discount.scope.as_str(),
        "itemExternalId": discount.item_external_id,
        "productExternalIds": discount.products,
        "couponExternalId": discount.coupon_external_id,
        "duration": terms.map(|terms| terms.duration),
        "percentBasisPoints": off.and_then(DiscountOff::basis_points),
        "percent": off.and_then(DiscountOff::percent).map(|percent| decimal_text(&percent)),
        "amountOffMinor": amount.map(|(minor, ..)| minor),
        "currency": amount.map(|(_, currency, _)| currency),
        "perUnit": amount.map(|(.., per_unit)| per_unit),
        "startsAt": discount.starts_at,
        "endsAt": discount.ends_at,
    })
}
