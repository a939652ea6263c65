//! The plan among the items of a subscription.

use super::observed::{ObservedItem, ObservedPlannedItem};
use crate::plans::{KnownPrice, ProductKind};
use std::cmp::Reverse;
use std::collections::HashMap;

/// Returns the item that gives the plan, with the product behind its price: of several the one of the highest rank,
/// then the first.
pub(super) fn plan_item<'a>(
    items: &'a [ObservedItem],
    known: &'a HashMap<String, KnownPrice>,
) -> Option<(&'a ObservedItem, &'a KnownPrice)> {
    let plans = items.iter().filter_map(|item| Some((item, known.get(&item.price_external_id)?)));
    let plans = plans.filter(|(_, price)| price.kind == ProductKind::Plan).enumerate();
    plans.max_by_key(|(index, (_, price))| (price.rank, Reverse(*index))).map(|(_, plan)| plan)
}

/// Returns the item that decides the plan after a scheduled change: the one with the plan of the highest rank, else the
/// first whose price is unknown, which may be a plan, else the first.
pub(super) fn planned_item<'a>(
    items: &'a [ObservedPlannedItem],
    known: &HashMap<String, KnownPrice>,
) -> Option<&'a ObservedPlannedItem> {
    let rank = |item: &ObservedPlannedItem| match known.get(&item.price_external_id) {
        Some(price) if price.kind == ProductKind::Plan => (2, price.rank),
        Some(_) => (0, 0),
        None => (1, 0),
    };
    items.iter().enumerate().max_by_key(|(index, item)| (rank(item), Reverse(*index))).map(|(_, item)| item)
}
