//! Reads the price of a subscription's item in the subscription's currency.
//!
//! Amounts in other currencies and tiers are sent only where they were expanded, so they are taken from any version of
//! the price that has them.

use super::fields::currency;
use crate::inbox::json::{at, list, minor, text};
use crate::inbox::kinds::ObjectKind;
use crate::inbox::object::Object;
use crate::providers::stripe::minor_units;
use crate::subscriptions::{Exact, Package, Pricing, Tier, decimal};
use num_traits::CheckedMul as _;
use serde_json::Value;

/// Returns the currency that a subscription bills in, which need not be that of its prices; where an old version of the
/// API does not state it, that of its first price.
pub(super) fn paid_in(subscription: &Value) -> Option<String> {
    currency(subscription).or_else(|| currency(at(subscription, "items.data.0.price")))
}

/// Reads a price in the currency `paid_in`; `related` has other versions of it, newest first.
pub(super) fn pricing(price: &Value, paid_in: &str, related: &[Object]) -> Pricing {
    let same = |object: &&Object| object.kind == ObjectKind::Price && Some(&*object.external_id) == text(price, "id");
    let versions = || [price].into_iter().chain(related.iter().filter(same).map(|object| &object.payload));
    let is_own = currency(price).as_deref() == Some(paid_in);
    let option = format!("currency_options.{}", paid_in.to_ascii_lowercase());
    // The price's own amounts are on the price itself; those of other currencies are in its options.
    let in_currency = |version| if is_own { version } else { at(version, &option) };
    let mut terms = versions().map(in_currency).filter(|terms| terms.is_object());
    let unit = minor_units(paid_in);
    if text(price, "billing_scheme") != Some("tiered") {
        let amount = terms.find_map(|terms| amount(terms, "unit_amount", unit));
        return amount.map_or(Pricing::Unknown, Pricing::PerUnit);
    }
    let Some(tiers) = terms.find_map(|terms| tiers(terms, unit)) else { return Pricing::Unknown };
    if text(price, "tiers_mode") == Some("volume") { Pricing::Volume(tiers) } else { Pricing::Graduated(tiers) }
}

/// Returns true if a version of the price other than `price` is needed to know its amount.
pub(super) fn is_incomplete(price: &Value, paid_in: &str) -> bool {
    pricing(price, paid_in, &[]) == Pricing::Unknown
}

/// Reads the package in which the units of a price are sold.
pub(super) fn package(price: &Value) -> Option<Package> {
    let transform = at(price, "transform_quantity");
    let size = minor(at(transform, "divide_by")).filter(|size| *size > 0)?;
    Some(Package { size, round_up: text(transform, "round") != Some("down") })
}

/// Reads an amount in minor units, which may have a fraction; `unit` is the minor units in a unit of Stripe's.
fn amount(terms: &Value, name: &str, unit: Exact) -> Option<Exact> {
    let whole = minor(at(terms, name)).filter(|amount| *amount >= 0).map(|amount| Exact::from_integer(amount.into()));
    whole.or_else(|| decimal(text(terms, &format!("{name}_decimal"))?))?.checked_mul(&unit)
}

/// Reads the tiers; `None` if they were not expanded.
fn tiers(terms: &Value, unit: Exact) -> Option<Vec<Tier>> {
    let tiers = list(terms, "tiers").iter().map(|tier| {
        Some(Tier {
            up_to: minor(at(tier, "up_to")),
            unit_amount: amount(tier, "unit_amount", unit).unwrap_or_default(),
            flat_amount: amount(tier, "flat_amount", unit).unwrap_or_default(),
        })
    });
    tiers.collect::<Option<Vec<_>>>().filter(|tiers| !tiers.is_empty())
}
