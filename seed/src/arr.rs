//! Annual recurring revenue of one subscription state, exact until a single rounding (metrics, sections 0 and 1).

use super::catalogue::{Coupon, Duration, Interval, Price};

/// Returns the periods per year of a recurring price.
fn periods_per_year(interval: Interval) -> i64 {
    match interval {
        Interval::Month => 12,
        Interval::Year => 1,
        Interval::Once => 0,
    }
}

/// Returns the annual amount of `items`: before discounts other than permanent ones, and after all active discounts.
pub(super) fn arr_minor(items: impl Iterator<Item = (Price, i64)>, coupon: Option<&Coupon>) -> (i64, i64) {
    let (mut total, mut periods) = (0, 0);
    for (price, quantity) in items {
        total += price.amount_minor * quantity * periods_per_year(price.interval);
        periods = periods.max(periods_per_year(price.interval));
    }
    let reduced = coupon.map_or(total, |coupon| match (coupon.percent_basis_points, coupon.amount_off_minor) {
        (Some(basis_points), _) => half_even(total * (10_000 - basis_points), 10_000),
        (_, Some(amount)) => (total - amount * periods).max(0),
        _ => total,
    });
    let for_ever = coupon.is_some_and(|coupon| coupon.duration == Duration::Forever);
    (if for_ever { reduced } else { total }, reduced)
}

/// Returns `numerator / denominator`, rounded half to even.
pub(super) fn half_even(numerator: i64, denominator: i64) -> i64 {
    let (quotient, rest) = (numerator.div_euclid(denominator), numerator.rem_euclid(denominator));
    match (2 * rest).cmp(&denominator) {
        std::cmp::Ordering::Less => quotient,
        std::cmp::Ordering::Equal => quotient + quotient.rem_euclid(2),
        std::cmp::Ordering::Greater => quotient + 1,
    }
}
