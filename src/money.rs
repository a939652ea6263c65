//! Amounts as integers: money in minor units of a currency, credits in the smallest step of their unit.

use crate::error::{Error, Result};

/// An amount of money in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Money {
    /// The amount in minor units: cents for USD, yen for JPY.
    pub amount_minor: i64,
    /// The ISO 4217 code, upper case.
    pub currency: String,
}

impl Money {
    /// Creates an amount of `currency`.
    pub fn new(amount_minor: i64, currency: impl Into<String>) -> Self {
        Money { amount_minor, currency: currency.into() }
    }
}

/// Returns whether `code` has the form of an ISO 4217 code: three upper-case letters.
pub fn is_currency(code: &str) -> bool {
    code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// The currencies whose minor unit is not a hundredth, by the number of decimals: ISO 4217, list one
/// (<https://www.six-group.com/en/products-services/financial-information/data-standards.html>).
const DECIMALS: [(u32, &[&str]); 3] = [
    (
        0,
        &[
            "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF",
            "XOF", "XPF",
        ],
    ),
    (3, &["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"]),
    (4, &["CLF", "UYW"]),
];

/// Returns the number of decimals of a currency by ISO 4217: 2 for USD, 0 for ISK, 3 for KWD.
pub fn decimals(currency: &str) -> u32 {
    DECIMALS.iter().find(|(_, currencies)| currencies.contains(&currency)).map_or(2, |(decimals, _)| *decimals)
}

/// Returns the sum; an error if it exceeds 64 bits.
pub fn add(a: i64, b: i64) -> Result<i64> {
    a.checked_add(b).ok_or_else(|| Error::bad_input("The amount is too large: the sum exceeds 64 bits."))
}

/// Returns the monthly recurring revenue of a yearly sum, rounded half up (metrics v1, section 0: only on output).
pub fn mrr_minor(arr_minor: i64) -> i64 {
    arr_minor.div_euclid(12) + i64::from(arr_minor.rem_euclid(12) >= 6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mrr_rounds_half_up() {
        for (arr, mrr) in [(0, 0), (5, 0), (6, 1), (17, 1), (18, 2), (49_000, 4_083), (-6, 0), (-7, -1)] {
            assert_eq!(mrr_minor(arr), mrr, "arr {arr}");
        }
    }

    #[test]
    fn a_currency_is_three_upper_case_letters() {
        for (code, valid) in [("USD", true), ("usd", false), ("US", false), ("US1", false), ("EURO", false)] {
            assert_eq!(is_currency(code), valid, "{code}");
        }
    }

    #[test]
    fn a_minor_unit_is_that_of_iso_4217() {
        for (currency, expected) in [("USD", 2), ("ISK", 0), ("UGX", 0), ("JPY", 0), ("MGA", 2), ("HUF", 2), ("KWD", 3)]
        {
            assert_eq!(decimals(currency), expected, "{currency}");
        }
    }

    #[test]
    fn a_sum_past_64_bits_is_refused() {
        assert!(add(i64::MAX, 1).is_err());
        assert_eq!(add(i64::MAX, -1).expect("in range"), i64::MAX - 1);
    }
}
