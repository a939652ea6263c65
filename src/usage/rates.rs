//! The cost of usage in credits: a pure function of a rate card's rates and of an event.
//!
//! The cost is the sum over all rates of `quantity * credits / per`, an exact rational number that is rounded up once,
//! for the whole event. The bounds of [`check`] keep every step within 128 bits.

use super::event::MAX_VALUE;
use super::path::{find, is_path, whole_number};
use crate::error::{Error, Result};
use num_rational::Ratio;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The quantity that is the value of the event itself.
const OWN_VALUE: &str = "value";
/// The maximum number of rates of a card.
const MAX_RATES: usize = 20;
/// The maximum number of credits of a rate.
const MAX_CREDITS: i64 = 1_000_000_000;
/// The maximum of the least common multiple of the `per` of a card's rates.
const MAX_PER: i128 = 1_000_000_000_000;

/// A price of a quantity: so many credits per so many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// The path of the quantity in the dimensions of the event, or `value` for the value of the event.
    pub quantity: String,
    /// Credits in the smallest step of the unit.
    pub credits: i64,
    /// The number of the quantity that costs so many credits.
    pub per: i64,
}

/// Checks the rates of a card.
pub(super) fn check(rates: &[Rate]) -> Result<()> {
    let refused = |message| Err(Error::refused("RATES_INVALID", &["rates"], message));
    if rates.is_empty() || rates.len() > MAX_RATES {
        return refused("A rate card must have 1 to 20 rates.");
    }
    let mut multiple: i128 = 1;
    for (number, rate) in rates.iter().enumerate() {
        if !is_path(&rate.quantity) {
            return refused("`quantity` must be `value`, or a path in the dimensions such as `input_tokens`.");
        }
        if rates[..number].iter().any(|other| other.quantity == rate.quantity) {
            return refused("A rate card can have only one rate for each quantity.");
        }
        if !(0..=MAX_CREDITS).contains(&rate.credits) {
            return refused("`credits` must be 0 to 1,000,000,000 steps.");
        }
        let per = i128::from(rate.per);
        if !(1..=MAX_PER).contains(&per) {
            return refused("`per` must be 1 to 1,000,000,000,000.");
        }
        multiple = multiple / gcd(multiple, per) * per;
        if multiple > MAX_PER {
            return refused("The least common multiple of all `per` must be at most 1,000,000,000,000.");
        }
    }
    Ok(())
}

fn gcd(one: i128, other: i128) -> i128 {
    if other == 0 { one } else { gcd(other, one % other) }
}

/// Returns the credits that an event costs, rounded up. A quantity that the event does not have is 0.
pub(super) fn cost(rates: &[Rate], value: i64, dimensions: Option<&Value>) -> Result<i64> {
    let mut total = Ratio::from_integer(0_i128);
    for rate in rates {
        let quantity = quantity(rate, value, dimensions)?;
        total += Ratio::new(i128::from(quantity) * i128::from(rate.credits), i128::from(rate.per));
    }
    i64::try_from(total.ceil().to_integer()).ok().filter(|credits| *credits <= MAX_VALUE).ok_or_else(|| {
        Error::refused(
            "COST_TOO_LARGE",
            &["value"],
            "An event can cost at most 1,000,000,000,000,000 credits: split it.",
        )
    })
}

fn quantity(rate: &Rate, value: i64, dimensions: Option<&Value>) -> Result<i64> {
    if rate.quantity == OWN_VALUE {
        return Ok(value);
    }
    let Some(found) = find(dimensions, &rate.quantity) else { return Ok(0) };
    whole_number(found).filter(|number| (0..=MAX_VALUE).contains(number)).ok_or_else(|| {
        let message = format!(
            "`{}` in `dimensions` has a price: it must be a whole number from 0 to 1,000,000,000,000,000.",
            rate.quantity
        );
        Error::refused("DIMENSIONS_INVALID", &["dimensions"], message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rate(quantity: &str, credits: i64, per: i64) -> Rate {
        Rate { quantity: quantity.to_owned(), credits, per }
    }

    #[test]
    fn a_cost_is_rounded_up_once_for_the_whole_event() {
        let rates = [rate("input", 3, 1_000), rate("output", 15, 1_000), rate("cached", 3, 10_000)];
        for (input, output, cached, credits) in [
            (0, 0, 0, 0),
            (1, 0, 0, 1),
            (1_000, 1_000, 0, 18),
            // 0.3 + 0.3 + 0.3 is one credit, not three.
            (100, 20, 1_000, 1),
            (334, 0, 0, 2),
            (333, 0, 3, 1),
            (333, 0, 4, 2),
        ] {
            let dimensions = json!({"input": input, "output": output, "cached": cached});
            assert_eq!(cost(&rates, 1, Some(&dimensions)).unwrap(), credits, "{dimensions}");
        }
    }

    #[test]
    fn a_cost_equals_that_of_whole_numbers_of_128_bits() {
        // A small generator of its own, so that the same cases run everywhere.
        let mut state = 20_260_115_u64;
        let mut next = |bound: i64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            i64::try_from(state >> 33).unwrap() % bound
        };
        for _ in 0..20_000 {
            let pers = [1, 7, 60, 1_000, 3_600, 1_000_000];
            let mut pick = |names: &[&str]| -> Vec<Rate> {
                let of = |name: &&str| {
                    let per = pers[usize::try_from(next(6)).unwrap()];
                    rate(name, next(MAX_CREDITS), per)
                };
                names.iter().map(of).collect()
            };
            let rates = pick(&["a", "b", "value"]);
            if check(&rates).is_err() {
                continue;
            }
            let [a, b, value] = [next(1_000_000), next(50), next(1_000_000_000)];
            let common: i128 = rates.iter().map(|rate| i128::from(rate.per)).product();
            let quantities = [a, b, value].map(i128::from);
            let sum: i128 = rates
                .iter()
                .zip(quantities)
                .map(|(rate, quantity)| quantity * i128::from(rate.credits) * (common / i128::from(rate.per)))
                .sum();
            let expected = (sum + common - 1) / common;
            let found = cost(&rates, value, Some(&json!({"a": a, "b": b})));
            match i64::try_from(expected).ok().filter(|credits| *credits <= MAX_VALUE) {
                Some(expected) => assert_eq!(found.unwrap(), expected, "{rates:?} {a} {b} {value}"),
                None => assert_eq!(found.unwrap_err().code(), "COST_TOO_LARGE"),
            }
        }
    }

    #[test]
    fn the_largest_rates_and_quantities_do_not_overflow() {
        let mut rates: Vec<Rate> =
            (0..MAX_RATES).map(|n| rate(&format!("q{n}"), MAX_CREDITS, 999_999_999_989)).collect();
        check(&rates).unwrap();
        let largest: serde_json::Map<_, _> =
            rates.iter().map(|rate| (rate.quantity.clone(), json!(MAX_VALUE))).collect();
        // 20 times 10^9 credits for each 10^15, divided by 10^12 - 11: 2 x 10^13 + 220, and a little more.
        assert_eq!(cost(&rates, 0, Some(&Value::Object(largest))).unwrap(), 20_000_000_000_221);
        rates[0].per = 999_999_999_959;
        assert_eq!(check(&rates).unwrap_err().code(), "RATES_INVALID");
    }

    #[test]
    fn a_quantity_that_is_missing_is_nothing_and_one_that_is_no_number_is_refused() {
        let rates = [rate("usage.input", 1, 1), rate("value", 2, 1)];
        assert_eq!(cost(&rates, 5, None).unwrap(), 10);
        assert_eq!(cost(&rates, 5, Some(&json!({"usage": {"input": "7"}}))).unwrap(), 17);
        for wrong in [json!(-1), json!(1.5), json!("x"), json!([1]), json!(MAX_VALUE + 1)] {
            let refused = cost(&rates, 5, Some(&json!({"usage": {"input": wrong}}))).unwrap_err();
            assert_eq!(refused.code(), "DIMENSIONS_INVALID");
        }
    }

    #[test]
    fn rates_out_of_range_are_refused() {
        let many: Vec<Rate> = (0..21).map(|n| rate(&format!("q{n}"), 1, 1)).collect();
        let cases: [&[Rate]; 8] = [
            &[],
            &many,
            &[rate("a", 1, 1), rate("a", 2, 1)],
            &[rate("a b", 1, 1)],
            &[rate("a", -1, 1)],
            &[rate("a", MAX_CREDITS + 1, 1)],
            &[rate("a", 1, 0)],
            &[rate("a", 1, 1_000_000_000_001)],
        ];
        for rates in cases {
            assert_eq!(check(rates).unwrap_err().code(), "RATES_INVALID", "{rates:?}");
        }
    }
}
