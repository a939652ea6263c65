//! Annual value of a subscription's state, exact until one rounding at the end (metrics v1, 0 and 1).

use super::observed::{ObservedDiscount, ObservedItem, ObservedState};
use crate::plans::{KnownPrice, PriceInterval, ProductKind};
use crate::subscriptions::values::DiscountDuration;
use num_rational::Ratio;
use num_traits::{CheckedAdd, CheckedMul, CheckedSub};
use std::cmp::Ordering;
use std::collections::HashMap;

/// Annual value in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Yearly {
    /// ISO 4217 code; `None` if no amount is known.
    pub(super) currency: Option<String>,
    /// Minor units after discounts that last forever.
    pub(super) arr_minor: i64,
    /// Minor units after every discount in force.
    pub(super) discounted_arr_minor: i64,
}

/// Returns the annual value of `state`, in the currency of `plan`, the item that gives the plan, or else of the first
/// item.
///
/// Excludes metered items, one-time prices, credit packs, items whose price is not one amount, and items in another
/// currency.
pub(super) fn yearly(
    state: &ObservedState,
    plan: Option<&ObservedItem>,
    known: &HashMap<String, KnownPrice>,
) -> Yearly {
    let pack = |item: &ObservedItem| {
        known
            .get(&item.price_external_id)
            .is_some_and(|price| matches!(price.kind, ProductKind::CreditPack | ProductKind::Gift))
    };
    let recurs = |item: &&ObservedItem| !item.metered && item.unit_amount_minor.is_some() && !pack(item);
    let counted: Vec<_> = state.items.iter().filter(recurs).filter_map(|item| Some((item, per_year(item)?))).collect();
    let plan = plan.filter(|plan| counted.iter().any(|(item, _)| item == plan));
    let Some(currency) = plan.or(counted.first().map(|(item, _)| *item)).map(|item| item.currency.clone()) else {
        return Yearly::default();
    };
    let counted: Vec<_> = counted.into_iter().filter(|(item, _)| item.currency == currency).collect();
    let sum = |discounts: &dyn Fn(&ObservedDiscount) -> bool| {
        let total = total(&counted)?;
        let invoices = counted.iter().map(|(_, periods)| *periods).max().unwrap_or(Exact::from_integer(0));
        let mut discounts = state.discounts.iter().filter(|discount| discounts(discount));
        round_half_even(discounts.try_fold(total, |left, by| discount(left, by, invoices))?)
    };
    let in_force = |discount: &ObservedDiscount| {
        discount.starts_at.is_none_or(|at| at <= state.effective_at)
            && discount.ends_at.is_none_or(|at| at > state.effective_at)
    };
    // An amount past 64 bits is not real: the subscription counts as one without a known amount.
    match (sum(&|discount| in_force(discount) && discount.duration == DiscountDuration::Forever), sum(&in_force)) {
        (Some(arr_minor), Some(discounted_arr_minor)) => {
            Yearly { currency: Some(currency), arr_minor, discounted_arr_minor }
        }
        _ => Yearly::default(),
    }
}

/// An exact amount or number of periods. Its checked arithmetic returns `None` past 128 bits.
type Exact = Ratio<i128>;

/// Returns the billing periods in a year; `None` for a one-time price.
fn per_year(item: &ObservedItem) -> Option<Exact> {
    let count = i128::from(item.interval_count.max(1));
    match item.interval {
        PriceInterval::Day => Some(Ratio::new(365, count)),
        PriceInterval::Week => Some(Ratio::new(52, count)),
        PriceInterval::Month => Some(Ratio::new(12, count)),
        PriceInterval::Year => Some(Ratio::new(1, count)),
        PriceInterval::OneTime => None,
    }
}

fn total(counted: &[(&ObservedItem, Exact)]) -> Option<Exact> {
    counted.iter().try_fold(Exact::from_integer(0), |sum, (item, periods)| {
        let amount = i128::from(item.unit_amount_minor.unwrap_or(0).max(0));
        let quantity = i128::from(item.quantity.unwrap_or(1).max(0));
        sum.checked_add(&periods.checked_mul(&amount.checked_mul(quantity)?.into())?)
    })
}

/// Returns the rest of an annual value after a discount on each of its invoices.
fn discount(value: Exact, discount: &ObservedDiscount, invoices: Exact) -> Option<Exact> {
    match (discount.percent_basis_points, discount.amount_off_minor) {
        (Some(points), _) => value.checked_mul(&Ratio::new(10_000 - i128::from(points.clamp(0, 10_000)), 10_000)),
        (None, Some(amount)) => {
            let off = invoices.checked_mul(&i128::from(amount.max(0)).into())?;
            Some(value.checked_sub(&off)?.max(Exact::from_integer(0)))
        }
        (None, None) => Some(value),
    }
}

/// Rounds an amount that is not negative to the nearest integer, halves to the even one.
fn round_half_even(value: Exact) -> Option<i64> {
    let below = value.to_integer();
    let up = match value.fract().cmp(&Ratio::new_raw(1, 2)) {
        Ordering::Less => 0,
        Ordering::Equal => below % 2,
        Ordering::Greater => 1,
    };
    i64::try_from(below + up).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subscriptions::SubscriptionStatus;
    use DiscountDuration::{Forever, Once, Repeating};
    use PriceInterval::{Day, Month, OneTime, Week, Year};
    use chrono::{DateTime, TimeDelta, Utc};
    use proptest::prelude::*;
    use uuid::Uuid;

    fn now() -> DateTime<Utc> {
        "2026-01-15T12:00:00Z".parse().expect("an instant")
    }

    fn item(amount: impl Into<Option<i64>>, quantity: i64, (interval, count): (PriceInterval, i64)) -> ObservedItem {
        ObservedItem {
            external_id: format!("si_{interval}_{count}"),
            price_external_id: "price".to_owned(),
            quantity: Some(quantity),
            metered: false,
            period: None,
            currency: "USD".to_owned(),
            unit_amount_minor: amount.into(),
            interval,
            interval_count: count,
        }
    }

    fn off(percent: Option<i64>, amount: Option<i64>, duration: DiscountDuration) -> ObservedDiscount {
        ObservedDiscount {
            coupon_external_id: "coupon".to_owned(),
            percent_basis_points: percent,
            amount_off_minor: amount,
            duration,
            starts_at: None,
            ends_at: None,
        }
    }

    /// Returns the currency and both figures.
    fn worth(items: Vec<ObservedItem>, discounts: Vec<ObservedDiscount>) -> (Option<String>, i64, i64) {
        let state = ObservedState {
            effective_at: now(),
            status: SubscriptionStatus::Active,
            paused: false,
            items,
            discounts,
            cause: "test".to_owned(),
            inbox_event_id: Uuid::nil(),
        };
        let Yearly { currency, arr_minor, discounted_arr_minor } = yearly(&state, None, &HashMap::new());
        (currency, arr_minor, discounted_arr_minor)
    }

    fn usd(arr: i64, discounted: i64) -> (Option<String>, i64, i64) {
        (Some("USD".to_owned()), arr, discounted)
    }

    #[test]
    fn a_year_has_as_many_periods_as_the_interval_says() {
        let year = |amount, quantity, interval| worth(vec![item(amount, quantity, interval)], vec![]);
        assert_eq!(year(49_000, 1, (Year, 1)), usd(49_000, 49_000));
        assert_eq!(year(2_900, 3, (Month, 1)), usd(104_400, 104_400));
        assert_eq!(year(2_900, 1, (Month, 3)), usd(11_600, 11_600));
        assert_eq!(year(100, 1, (Week, 2)), usd(2_600, 2_600));
        assert_eq!(year(7, 1, (Day, 1)), usd(2_555, 2_555));
        // 182.5 and 547.5: halves go to the even neighbour.
        assert_eq!(year(1, 1, (Day, 2)), usd(182, 182));
        assert_eq!(year(3, 1, (Day, 2)), usd(548, 548));
        // Rounded once, not for each item.
        assert_eq!(worth(vec![item(1, 1, (Day, 2)), item(3, 1, (Day, 2))], vec![]), usd(730, 730));
    }

    #[test]
    fn only_discounts_for_ever_lower_the_first_figure() {
        let month = || vec![item(1_000, 1, (Month, 1))];
        assert_eq!(worth(month(), vec![off(Some(2_500), None, Once)]), usd(12_000, 9_000));
        assert_eq!(worth(month(), vec![off(Some(2_500), None, Forever)]), usd(9_000, 9_000));
        assert_eq!(worth(month(), vec![off(None, Some(100), Repeating)]), usd(12_000, 10_800));
        assert_eq!(worth(month(), vec![off(None, Some(5_000), Forever)]), usd(0, 0));
        let both = vec![off(Some(5_000), None, Forever), off(None, Some(100), Once)];
        assert_eq!(worth(month(), both), usd(6_000, 4_800));
        let over = ObservedDiscount { ends_at: Some(now()), ..off(Some(5_000), None, Forever) };
        let coming = ObservedDiscount { starts_at: Some(now() + TimeDelta::seconds(1)), ..over.clone() };
        assert_eq!(worth(month(), vec![over, coming]), usd(12_000, 12_000));
    }

    #[test]
    fn what_does_not_recur_or_is_not_known_is_not_counted() {
        let metered = ObservedItem { metered: true, ..item(1_000, 1, (Month, 1)) };
        let euros = ObservedItem { currency: "EUR".to_owned(), ..item(900, 1, (Month, 1)) };
        let tiers = item(None, 1, (Month, 1));
        assert_eq!(worth(vec![metered.clone(), item(500, 1, (OneTime, 1)), tiers.clone()], vec![]), (None, 0, 0));
        assert_eq!(worth(vec![tiers, metered, item(1_000, 1, (Month, 1)), euros], vec![]), usd(12_000, 12_000));
        assert_eq!(worth(vec![item(i64::MAX, i64::MAX, (Day, 1))], vec![]), (None, 0, 0));
        assert_eq!(worth(vec![item(0, 1, (Month, 1))], vec![]), usd(0, 0));
    }

    proptest! {
        #[test]
        fn the_figures_are_in_order(
            items in proptest::collection::vec((0..100_000i64, 0..50i64, 0..4usize, 1..13i64), 0..5),
            discounts in proptest::collection::vec((proptest::bool::ANY, 0..10_001i64, 0..3usize), 0..4),
        ) {
            let interval = [Day, Week, Month, Year];
            let items = items.into_iter().map(|(amount, quantity, index, n)| item(amount, quantity, (interval[index], n)));
            let items: Vec<_> = items.collect();
            let duration = [Once, Repeating, Forever];
            let discounts = discounts.into_iter().map(|(percent, by, index)| {
                off(percent.then_some(by), (!percent).then_some(by), duration[index])
            });
            let (_, full, same) = worth(items.clone(), vec![]);
            let (_, arr, discounted) = worth(items, discounts.collect());
            prop_assert_eq!(full, same);
            prop_assert!(0 <= discounted && discounted <= arr && arr <= full, "{} {} {}", discounted, arr, full);
        }
    }
}
