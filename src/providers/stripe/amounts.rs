//! Stripe's amounts of money, which in some currencies have other decimals than ISO 4217 says.

use crate::error::{Error, Result};
use crate::money::decimals;
use num_rational::Ratio;
use std::cmp::Ordering;

/// The currencies that Stripe writes with other decimals than ISO 4217:
/// <https://docs.stripe.com/currencies#special-cases> (ISK and UGX keep the two decimals that they had) and
/// <https://docs.stripe.com/currencies#zero-decimal> (MGA has none, though an ariary has five iraimbilanja).
const SPECIAL: [(&str, u32); 3] = [("ISK", 2), ("UGX", 2), ("MGA", 0)];

/// The number of decimals of which Stripe takes only amounts that end with zero:
/// <https://docs.stripe.com/currencies#three-decimal>.
const THREE: u32 = 3;

/// Returns an amount of Stripe in minor units of the currency; `None` beyond 64 bits. Fractions of a minor unit, which
/// Stripe does not take, are rounded half away from zero.
pub fn minor_of(amount: i64, currency: &str) -> Option<i64> {
    let (of_stripe, of_iso) = exponents(currency);
    let factor = 10_i64.checked_pow(of_stripe.abs_diff(of_iso))?;
    match of_stripe.cmp(&of_iso) {
        Ordering::Equal => Some(amount),
        Ordering::Less => amount.checked_mul(factor),
        Ordering::Greater => {
            let rest = amount % factor;
            let up = i64::from(rest.abs().checked_mul(2)? >= factor) * rest.signum();
            (amount / factor).checked_add(up)
        }
    }
}

/// Returns the minor units in a unit of Stripe's amounts, for amounts with fractions.
pub fn minor_units(currency: &str) -> Ratio<i128> {
    let (of_stripe, of_iso) = exponents(currency);
    let factor = Ratio::from_integer(10_i128.pow(of_stripe.abs_diff(of_iso)));
    if of_stripe > of_iso { factor.recip() } else { factor }
}

/// Returns an amount in minor units as Stripe takes it; an error if Stripe has no such amount.
pub fn amount_of(minor: i64, currency: &str) -> Result<i64> {
    let (of_stripe, of_iso) = exponents(currency);
    let factor = 10_i64.pow(of_stripe.abs_diff(of_iso));
    if of_stripe < of_iso && minor % factor != 0 {
        return Err(Error::bad_input(format!("Amounts in {currency} must be multiples of {factor} at Stripe.")));
    }
    if of_iso == THREE && minor % 10 != 0 {
        return Err(Error::bad_input(format!("Amounts in {currency} must be multiples of 10 at Stripe.")));
    }
    if of_stripe < of_iso {
        return Ok(minor / factor);
    }
    minor.checked_mul(factor).ok_or_else(|| Error::bad_input("The amount is too large for Stripe."))
}

/// Returns the number of decimals at Stripe and that of ISO 4217.
fn exponents(currency: &str) -> (u32, u32) {
    let of_iso = decimals(currency);
    let special = SPECIAL.iter().find(|(code, _)| *code == currency);
    (special.map_or(of_iso, |(_, decimals)| *decimals), of_iso)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_converted_both_ways() {
        for (amount, currency, minor) in [
            (500_000, "ISK", 5_000),
            (500_000, "UGX", 5_000),
            (-1_500, "ISK", -15),
            (5_000, "MGA", 500_000),
            (5_000, "JPY", 5_000),
            (5_000, "USD", 5_000),
            (5_120, "KWD", 5_120),
            (0, "ISK", 0),
        ] {
            assert_eq!(minor_of(amount, currency), Some(minor), "{amount} {currency}");
            assert_eq!(amount_of(minor, currency).expect("sent"), amount, "{minor} {currency}");
        }
    }

    #[test]
    fn fractions_are_rounded_and_never_sent() {
        for (amount, minor) in [(149, 1), (150, 2), (-149, -1), (-150, -2), (49, 0), (-50, -1)] {
            assert_eq!(minor_of(amount, "ISK"), Some(minor), "{amount}");
        }
        for (minor, currency) in [(5_123, "KWD"), (1, "BHD"), (5, "MGA"), (i64::MAX, "ISK")] {
            assert!(amount_of(minor, currency).is_err(), "{minor} {currency}");
        }
        assert_eq!(minor_of(i64::MAX, "MGA"), None);
        assert_eq!(minor_of(i64::MIN, "ISK"), Some(i64::MIN / 100));
    }
}
