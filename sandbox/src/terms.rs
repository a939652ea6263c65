//! Terms and amounts: when a period ends, what a part of it costs, what a coupon takes off.

use chrono::{DateTime, Months, TimeDelta};
use serde_json::Value;

use super::state::{number, text};

/// The end of the period that runs at `at`, where periods begin at `anchor` and last as long as the price says.
pub(super) fn period_end(anchor: i64, at: i64, recurring: &Value) -> i64 {
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
    // Always from the anchor, so that the 31st comes back after a short month.
    while end <= at {
        periods += months;
        end = months_after(anchor, periods);
    }
    end
}

/// The same day so many months later, or the last one of a shorter month.
pub(super) fn months_after(at: i64, months: i64) -> i64 {
    let months = Months::new(u32::try_from(months).unwrap_or(0));
    let later = DateTime::from_timestamp(at, 0).and_then(|at| at.checked_add_months(months));
    later.map_or(i64::MAX, |at| at.timestamp())
}

/// So many days later.
pub(super) fn days_after(at: i64, days: i64) -> i64 {
    at + TimeDelta::days(days).num_seconds()
}

/// `amount * part / whole`, rounded half up, away from zero for credits as for debits.
pub(super) fn share(amount: i64, part: i64, whole: i64) -> i64 {
    let (product, whole) = (i128::from(amount) * i128::from(part), i128::from(whole.max(1)));
    let rounded = (product.abs() * 2 + whole) / (whole * 2);
    i64::try_from(rounded * product.signum()).unwrap_or(i64::MAX)
}

/// What a coupon takes off an amount.
pub(super) fn taken_off(coupon: &Value, amount: i64) -> i64 {
    let off = match coupon["amount_off"].as_i64() {
        Some(off) => off,
        None => share(amount, percent_thousandths(coupon), 100_000),
    };
    off.clamp(0, amount.max(0))
}

/// `percent_off` in thousandths of a percent, without floating point.
fn percent_thousandths(coupon: &Value) -> i64 {
    let written = coupon["percent_off"].to_string();
    let (whole, part) = written.split_once('.').unwrap_or((&written, ""));
    let digits: String = part.chars().chain("000".chars()).take(3).collect();
    whole.parse::<i64>().unwrap_or(0) * 1000 + digits.parse::<i64>().unwrap_or(0)
}

/// An amount as people write it, with as many decimals as its currency has.
pub(super) fn written(amount: i64, currency: &str) -> String {
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
