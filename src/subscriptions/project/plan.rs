//! The plan among the items of a subscription.

use super::observed::ObservedItem;
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
