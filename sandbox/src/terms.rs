//! Arithmetic of periods and amounts.

use chrono::{DateTime, Months, TimeDelta};
use serde_json::Value;

use crate::store::{number, text};

/// Returns the end of the period that contains `at`, for periods counted from `anchor` with the interval of a price.
pub(crate) fn period_end(anchor: i64, at: i64, recurring: &Value) -> i64 {
    let count = number(recurring, "interval_count").max(1);
    let interval = text(recurring, "interval");
    let days = match interval {
        "day" => 1,
        "week" => 7,
        _ => 0,
    };
    if days > 0 {
        let length = days * count * 86_400;
        return anchor + ((at - anchor).div_euclid(length) + 1) * length;
    }
    let months = count * if interval == "year" { 12 } else { 1 };
    let (mut periods, mut end) = (0, anchor);
    // Counted from the anchor, so that the 31st returns after a short month.
    while end <= at {
        periods += months;
        end = months_after(anchor, periods);
    }
    end
}

/// Returns the same day some months later, or the last day of a shorter month.
pub(crate) fn months_after(at: i64, months: i64) -> i64 {
    let months = Months::new(u32::try_from(months).unwrap_or(0));
    let later = DateTime::from_timestamp(at, 0).and_then(|at| at.checked_add_months(months));
    later.map_or(i64::MAX, |at| at.timestamp())
}

/// Returns the time some days later.
pub(crate) fn days_after(at: i64, days: i64) -> i64 {
    at + TimeDelta::days(days).num_seconds()
}

/// Returns `amount * part / whole`, rounded half away from zero.
pub(crate) fn prorate(amount: i64, part: i64, whole: i64) -> i64 {
    let (product, whole) = (i128::from(amount) * i128::from(part), i128::from(whole.max(1)));
    let rounded = (product.abs() * 2 + whole) / (whole * 2);
    i64::try_from(rounded * product.signum()).unwrap_or(i64::MAX)
}

/// Returns the discount of a coupon on an amount.
pub(crate) fn amount_off(coupon: &Value, amount: i64) -> i64 {
    let off = match coupon["amount_off"].as_i64() {
        Some(off) => off,
        None => prorate(amount, percent_thousandths(coupon), 100_000),
    };
    off.clamp(0, amount.max(0))
}

/// Returns `percent_off` in thousandths of a percent, without floating point.
fn percent_thousandths(coupon: &Value) -> i64 {
    let percent = coupon["percent_off"].to_string();
    let (whole, part) = percent.split_once('.').unwrap_or((&percent, ""));
    let digits: String = part.chars().chain("000".chars()).take(3).collect();
    whole.parse::<i64>().unwrap_or(0) * 1000 + digits.parse::<i64>().unwrap_or(0)
}

/// Formats an amount with the decimals of its currency.
pub(crate) fn format_amount(amount: i64, currency: &str) -> String {
    const NONE: &[&str] = &[
        "bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "ugx", "vnd", "vuv", "xaf", "xof", "xpf",
    ];
    const THREE: &[&str] = &["bhd", "jod", "kwd", "omr", "tnd"];
    let (unit, width) = if NONE.contains(&currency) {
        (1, 0)
    } else if THREE.contains(&currency) {
        (1000, 3)
    } else {
        (100, 2)
    };
    let (sign, absolute) = (if amount < 0 { "-" } else { "" }, amount.abs());
    let code = currency.to_uppercase();
    match width {
        0 => format!("{sign}{absolute} {code}"),
        _ => format!("{sign}{}.{:0width$} {code}", absolute / unit, absolute % unit),
    }
}
