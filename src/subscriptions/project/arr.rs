//! What a state of a subscription comes to in a year, exact until one rounding at the end (metrics v1, 0 and 1).

use super::{ObservedDiscount, ObservedItem, ObservedState};
use crate::plans::KnownPrice;
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
        known.get(&item.price_external_id).is_some_and(|price| ["credit_pack", "gift"].contains(&&*price.kind))
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
    match (sum(&|discount| in_force(discount) && discount.duration == "forever"), sum(&in_force)) {
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
        "day" => Some(Ratio::new(365, count)),
        "week" => Some(Ratio::new(52, count)),
        "month" => Some(Ratio::new(12, count)),
        "year" => Some(Ratio::new(1, count)),
        _ => None,
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
