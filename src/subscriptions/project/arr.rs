//! What a state of a subscription comes to in a year, exact until one rounding at the end (metrics v1, 0 and 1).

use super::{ObservedDiscount, ObservedItem, ObservedState};
use crate::plans::{KnownPrice, PriceInterval, ProductKind};
use crate::subscriptions::values::DiscountDuration;
use std::collections::HashMap;

/// A year's worth in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Yearly {
    /// ISO 4217; `None` where no amount is known.
    pub(super) currency: Option<String>,
    /// After discounts that last for ever.
    pub(super) arr_minor: i64,
    /// After every discount in force.
    pub(super) discounted_arr_minor: i64,
}

/// What `state` comes to in a year, in the currency of `plan`, the item that gives the plan, or else of the first item.
///
/// Not counted are metered items, what is paid once, packs of credits, items whose price is not one amount, and items
/// in another currency.
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
        let invoices = counted.iter().map(|(_, periods)| *periods).reduce(Ratio::larger).unwrap_or(Ratio::ZERO);
        let taken_off = state.discounts.iter().filter(|discount| discounts(discount));
        taken_off.clone().try_fold(total, |left, discount| left.less(discount, invoices))?.half_even()
    };
    let in_force = |discount: &ObservedDiscount| {
        discount.starts_at.is_none_or(|at| at <= state.effective_at)
            && discount.ends_at.is_none_or(|at| at > state.effective_at)
    };
    // Past 64 bits there is no such subscription: it counts as one of no known amount.
    match (sum(&|discount| in_force(discount) && discount.duration == DiscountDuration::Forever), sum(&in_force)) {
        (Some(arr_minor), Some(discounted_arr_minor)) => {
            Yearly { currency: Some(currency), arr_minor, discounted_arr_minor }
        }
        _ => Yearly::default(),
    }
}

/// Billing periods in a year; `None` for what is paid once.
fn per_year(item: &ObservedItem) -> Option<Ratio> {
    let count = i128::from(item.interval_count.max(1));
    match item.interval {
        PriceInterval::Day => Some(Ratio::new(365, count)),
        PriceInterval::Week => Some(Ratio::new(52, count)),
        PriceInterval::Month => Some(Ratio::new(12, count)),
        PriceInterval::Year => Some(Ratio::new(1, count)),
        PriceInterval::OneTime => None,
    }
}

fn total(counted: &[(&ObservedItem, Ratio)]) -> Option<Ratio> {
    counted.iter().try_fold(Ratio::ZERO, |sum, (item, periods)| {
        let amount = i128::from(item.unit_amount_minor.unwrap_or(0).max(0));
        let quantity = i128::from(item.quantity.unwrap_or(1).max(0));
        sum.plus(periods.times(amount.checked_mul(quantity)?)?)
    })
}

/// A fraction in lowest terms that is not negative; `None` from its arithmetic is a result past 128 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ratio {
    over: i128,
    under: i128,
}

impl Ratio {
    const ZERO: Ratio = Ratio { over: 0, under: 1 };

    fn new(over: i128, under: i128) -> Ratio {
        let (mut a, mut b) = (over, under);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        let common = a.max(1);
        Ratio { over: over / common, under: under / common }
    }

    fn times(self, factor: i128) -> Option<Ratio> {
        Some(Ratio::new(self.over.checked_mul(factor)?, self.under))
    }

    fn plus(self, other: Ratio) -> Option<Ratio> {
        let over = self.over.checked_mul(other.under)?.checked_add(other.over.checked_mul(self.under)?)?;
        Some(Ratio::new(over, self.under.checked_mul(other.under)?))
    }

    fn larger(self, other: Ratio) -> Ratio {
        // Both have a numerator of at most 365, and a denominator of 64 bits.
        if self.over * other.under < other.over * self.under { other } else { self }
    }

    /// What is left of a year's worth after a discount on each of its invoices.
    fn less(self, discount: &ObservedDiscount, invoices: Ratio) -> Option<Ratio> {
        match (discount.percent_basis_points, discount.amount_off_minor) {
            (Some(points), _) => {
                let left = self.times(10_000 - i128::from(points.clamp(0, 10_000)))?;
                Some(Ratio::new(left.over, left.under.checked_mul(10_000)?))
            }
            (None, Some(amount)) => {
                let off = invoices.times(i128::from(amount.max(0)))?;
                let left = self.over.checked_mul(off.under)?.checked_sub(off.over.checked_mul(self.under)?)?;
                Some(Ratio::new(left.max(0), self.under.checked_mul(off.under)?))
            }
            (None, None) => Some(self),
        }
    }

    /// The nearest integer, halves to the even one.
    fn half_even(self) -> Option<i64> {
        let (below, rest) = (self.over / self.under, self.over % self.under);
        let up = match rest.checked_mul(2)?.cmp(&self.under) {
            std::cmp::Ordering::Less => 0,
            std::cmp::Ordering::Equal => below % 2,
            std::cmp::Ordering::Greater => 1,
        };
        i64::try_from(below + up).ok()
    }
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

    /// The currency, and both figures.
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
