//! Exact amounts: decimals and fractions of minor units, rounded only at the end.

use num_rational::Ratio;
use num_traits::CheckedMul as _;
use std::cmp::Ordering;

/// An exact number. Its checked arithmetic returns `None` past 128 bits.
pub type Exact = Ratio<i128>;

/// The most decimal places of an amount; Stripe has up to twelve.
const MAX_PLACES: u32 = 12;

/// Reads a decimal number that is not negative, such as `12.5`; `None` for any other text, and for one with more than
/// twelve decimal places.
pub fn decimal(text: &str) -> Option<Exact> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let places = u32::try_from(part.len()).ok().filter(|places| *places <= MAX_PLACES)?;
    if !is_digits(whole) || !is_digits(part) {
        return None;
    }
    let scale = 10_i128.pow(places);
    let whole: i128 = whole.parse().ok()?;
    let digits = whole.checked_mul(scale)?.checked_add(part.parse().ok()?)?;
    Some(Exact::new(digits, scale))
}

/// Writes a number as a decimal, cut after twelve decimal places.
pub(super) fn decimal_text(value: &Exact) -> String {
    let scale = 10_i128.pow(MAX_PLACES);
    let Some(scaled) = value.checked_mul(&scale.into()) else { return value.to_integer().to_string() };
    let digits = scaled.to_integer();
    let (whole, part) = (digits.div_euclid(scale), digits.rem_euclid(scale));
    let text = format!("{whole}.{part:012}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Rounds a number that is not negative to the nearest integer, halves to the even one.
pub(super) fn round_half_even(value: &Exact) -> Option<i64> {
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

    #[test]
    fn a_decimal_is_read_and_written_exactly() {
        for text in ["0", "1", "12.5", "0.000000000001", "2900", "33.3333"] {
            assert_eq!(decimal_text(&decimal(text).unwrap()), text);
        }
        assert_eq!(decimal("2900.000"), decimal("2900"));
        assert_eq!(decimal_text(&Exact::new(1, 3)), "0.333333333333");
        for text in ["", ".", "1.", ".5", "-1", "+1", "1e3", "1,5", " 1", "0.0000000000001", "1.2.3"] {
            assert_eq!(decimal(text), None, "{text}");
        }
        assert_eq!(decimal(&"9".repeat(40)), None);
    }

    #[test]
    fn halves_are_rounded_to_the_even_neighbour() {
        for (twice, rounded) in [(0, 0), (1, 0), (2, 1), (3, 2), (4, 2), (5, 2), (7, 4)] {
            assert_eq!(round_half_even(&Exact::new(twice, 2)), Some(rounded), "{twice}/2");
        }
        assert_eq!(round_half_even(&Exact::new(51, 100)), Some(1));
        assert_eq!(round_half_even(&Exact::from_integer(i128::from(i64::MAX) + 1)), None);
    }
}
