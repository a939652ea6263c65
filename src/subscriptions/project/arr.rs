//! Annual value of a subscription's state, exact until one rounding at the end (metrics v1, 0 and 1).

use super::discount::{in_force, invoice_total};
use super::observed::{ObservedItem, ObservedState};
use crate::plans::{KnownPrice, PriceInterval, ProductKind};
use crate::subscriptions::exact::{Exact, round_half_even};
use chrono::{DateTime, Utc};
use num_traits::{CheckedAdd, CheckedMul, CheckedSub};
use std::collections::HashMap;

/// Annual value of a state, in its currency, from its beginning on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Yearly {
    /// The value at its beginning.
    pub(super) at_start: Worth,
    /// Later values, because discounts begin or end, by time.
    pub(super) changes: Vec<(DateTime<Utc>, Worth)>,
}

/// Annual value at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Worth {
    /// Minor units after discounts that last forever; `None` if it is not known.
    pub(super) arr_minor: Option<i64>,
    /// Minor units after every discount in force; `None` if it is not known.
    pub(super) discounted_arr_minor: Option<i64>,
}

/// Returns the annual value of `state` over time.
pub(super) fn yearly(state: &ObservedState, known: &HashMap<String, KnownPrice>) -> Yearly {
    let counted: Vec<_> = state.items.iter().filter_map(|item| Some((item, per_year(item, known)?))).collect();
    let ends = state.discounts.iter().flat_map(|discount| [discount.starts_at, discount.ends_at]);
    let mut instants: Vec<_> = ends.flatten().filter(|at| *at > state.effective_at).collect();
    instants.sort_unstable();
    instants.dedup();
    let at_start = worth(&counted, state, state.effective_at);
    let mut changes: Vec<(DateTime<Utc>, Worth)> = Vec::new();
    for at in instants {
        let worth = worth(&counted, state, at);
        if changes.last().map_or(at_start, |(_, last)| *last) != worth {
            changes.push((at, worth));
        }
    }
    Yearly { at_start, changes }
}

/// Returns the billing periods in a year; `None` for an item that does not count: metered ones, one-time prices, credit
/// packs and gifts.
pub(super) fn per_year(item: &ObservedItem, known: &HashMap<String, KnownPrice>) -> Option<Exact> {
    let kind = known.get(&item.price_external_id).map(|price| price.kind);
    if item.metered || matches!(kind, Some(ProductKind::CreditPack | ProductKind::Gift)) {
        return None;
    }
    let count = i128::from(item.interval_count.max(1));
    match item.interval {
        PriceInterval::Day => Some(Exact::new(365, count)),
        PriceInterval::Week => Some(Exact::new(52, count)),
        PriceInterval::Month => Some(Exact::new(12, count)),
        PriceInterval::Year => Some(Exact::new(1, count)),
        PriceInterval::OneTime => None,
    }
}

fn worth(counted: &[(&ObservedItem, Exact)], state: &ObservedState, at: DateTime<Utc>) -> Worth {
    let all = in_force(&state.discounts, at);
    let forever: Vec<_> = all.iter().copied().filter(|discount| !discount.is_temporary()).collect();
    let total = |discounts: &[_]| {
        if counted.is_empty() {
            return Some(0);
        }
        let currency = state.currency.as_deref()?;
        let mut lines = Vec::new();
        for (item, periods) in counted {
            lines.push((*item, *periods, item.amount()?));
        }
        round_half_even(&annual(&lines, |invoice| invoice_total(invoice.into_iter(), discounts, currency))?)
    };
    // An amount past 64 bits is not real: the subscription counts as one without a known amount.
    let arr_minor = total(&forever);
    Worth { arr_minor, discounted_arr_minor: arr_minor.and_then(|_| total(&all)) }
}

/// Sums the invoices of a year over lines, each with its periods in a year and its amount in a period. Items of longer
/// intervals are billed with those of shorter ones, so that there are as many kinds of invoices as intervals.
fn annual<'i>(
    lines: &[(&'i ObservedItem, Exact, Exact)],
    total: impl Fn(Vec<(&'i ObservedItem, Exact)>) -> Option<Exact>,
) -> Option<Exact> {
    let mut frequencies: Vec<Exact> = lines.iter().map(|(_, periods, _)| *periods).collect();
    frequencies.sort_unstable();
    frequencies.dedup();
    let (mut sum, mut counted) = (Exact::from_integer(0), Exact::from_integer(0));
    // The least frequent invoice has all lines.
    for frequency in frequencies {
        let with = lines.iter().filter(|(_, periods, _)| *periods >= frequency);
        let total = total(with.map(|(item, _, amount)| (*item, *amount)).collect())?;
        sum = sum.checked_add(&total.checked_mul(&frequency.checked_sub(&counted)?)?)?;
        counted = frequency;
    }
    Some(sum)
}
