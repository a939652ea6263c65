//! The windows of limits, at changes of the clocks and in billing periods.

use super::windows::{Calendar, Period, Window};
use crate::plans::LimitWindow;
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn span(start: &str, end: &str) -> Window {
    Window { start: at(start), end: Some(at(end)) }
}

fn calendar(zone: &str) -> Calendar {
    Calendar::new(zone, None, None)
}

#[test]
fn days_and_months_are_those_of_the_zone() {
    let cases = [
        ("UTC", LimitWindow::Day, "2026-01-15T12:00:00Z", "2026-01-15T00:00:00Z", "2026-01-16T00:00:00Z"),
        ("Asia/Tokyo", LimitWindow::Day, "2026-01-15T15:00:00Z", "2026-01-15T15:00:00Z", "2026-01-16T15:00:00Z"),
        ("Asia/Tokyo", LimitWindow::Day, "2026-01-15T14:59:59.999999Z", "2026-01-14T15:00:00Z", "2026-01-15T15:00:00Z"),
        ("Asia/Kolkata", LimitWindow::Hour, "2026-01-15T12:10:00Z", "2026-01-15T12:00:00Z", "2026-01-15T13:00:00Z"),
        // 23 and 25 hours.
        ("Europe/Zurich", LimitWindow::Day, "2026-03-29T12:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"),
        ("Europe/Zurich", LimitWindow::Day, "2026-10-25T12:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),
        (
            "America/New_York",
            LimitWindow::Month,
            "2026-03-20T00:00:00Z",
            "2026-03-01T05:00:00Z",
            "2026-04-01T04:00:00Z",
        ),
        // Midnight is left out, and comes twice.
        ("America/Sao_Paulo", LimitWindow::Day, "2017-10-15T12:00:00Z", "2017-10-15T03:00:00Z", "2017-10-16T02:00:00Z"),
        ("America/Sao_Paulo", LimitWindow::Day, "2018-02-18T02:30:00Z", "2018-02-17T02:00:00Z", "2018-02-18T03:00:00Z"),
        ("America/Havana", LimitWindow::Day, "2026-11-01T04:30:00Z", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"),
        ("America/Havana", LimitWindow::Day, "2026-11-01T05:30:00Z", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"),
        // Samoa left out the 30th of December.
        ("Pacific/Apia", LimitWindow::Day, "2011-12-30T09:59:59Z", "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z"),
        ("Pacific/Apia", LimitWindow::Day, "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"),
        ("no/zone", LimitWindow::Day, "2026-01-15T12:00:00Z", "2026-01-15T00:00:00Z", "2026-01-16T00:00:00Z"),
    ];
    for (zone, kind, instant, start, end) in cases {
        assert_eq!(calendar(zone).window(kind, at(instant)), span(start, end), "{zone} {kind} {instant}");
    }
    let lifetime = calendar("UTC").window(LimitWindow::Lifetime, at("2026-01-15T12:00:00Z"));
    assert_eq!(lifetime, Window { start: DateTime::UNIX_EPOCH, end: None });
}

#[test]
fn billing_periods_follow_each_other_in_their_length() {
    let calendar =
        |start: &str, end: &str| Calendar::new("Asia/Tokyo", Some(Period { start: at(start), end: at(end) }), None);
    let cases = [
        (
            "2026-01-10T12:00:00Z",
            "2026-02-10T12:00:00Z",
            "2026-02-10T11:59:59Z",
            "2026-01-10T12:00:00Z",
            "2026-02-10T12:00:00Z",
        ),
        (
            "2026-01-10T12:00:00Z",
            "2026-02-10T12:00:00Z",
            "2026-02-10T12:00:00Z",
            "2026-02-10T12:00:00Z",
            "2026-03-10T12:00:00Z",
        ),
        (
            "2026-01-10T12:00:00Z",
            "2026-02-10T12:00:00Z",
            "2025-12-11T00:00:00Z",
            "2025-12-10T12:00:00Z",
            "2026-01-10T12:00:00Z",
        ),
        (
            "2026-01-31T12:00:00Z",
            "2026-02-28T12:00:00Z",
            "2026-03-15T00:00:00Z",
            "2026-02-28T12:00:00Z",
            "2026-03-31T12:00:00Z",
        ),
        (
            "2026-01-01T00:00:00Z",
            "2027-01-01T00:00:00Z",
            "2028-06-01T00:00:00Z",
            "2028-01-01T00:00:00Z",
            "2029-01-01T00:00:00Z",
        ),
        (
            "2026-01-01T00:00:00Z",
            "2026-01-08T00:00:00Z",
            "2026-01-20T00:00:00Z",
            "2026-01-15T00:00:00Z",
            "2026-01-22T00:00:00Z",
        ),
    ];
    for (from, to, instant, start, end) in cases {
        let window = calendar(from, to).window(LimitWindow::Billing, at(instant));
        assert_eq!(window, span(start, end), "{from} {to} {instant}");
    }
    // Without a period, and with one that is none, the month counts.
    let month = span("2026-01-31T15:00:00Z", "2026-02-28T15:00:00Z");
    let none = Calendar::new("Asia/Tokyo", None, None).window(LimitWindow::Billing, at("2026-02-01T00:00:00Z"));
    let empty = calendar("2026-02-01T00:00:00Z", "2026-02-01T00:00:00Z");
    assert_eq!((none, empty.window(LimitWindow::Billing, at("2026-02-01T00:00:00Z"))), (month, month));
}

#[test]
fn distances_count_windows() {
    let zurich = calendar("Europe/Zurich");
    let billing = Period { start: at("2026-01-31T00:00:00Z"), end: at("2026-02-28T00:00:00Z") };
    let billing = Calendar::new("UTC", Some(billing), None);
    let cases = [
        (zurich, LimitWindow::Hour, "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", 23),
        (zurich, LimitWindow::Day, "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", 1),
        (zurich, LimitWindow::Day, "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z", 1),
        (zurich, LimitWindow::Month, "2025-11-30T23:00:00Z", "2026-02-28T23:00:00Z", 3),
        (billing, LimitWindow::Billing, "2026-01-31T00:00:00Z", "2026-03-31T00:00:00Z", 2),
        (billing, LimitWindow::Lifetime, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z", 0),
        (zurich, LimitWindow::Day, "2026-03-29T22:00:00Z", "2026-03-28T23:00:00Z", 0),
    ];
    for (calendar, kind, earlier, later, distance) in cases {
        assert_eq!(calendar.distance(kind, at(earlier), at(later)), distance, "{kind} {earlier} {later}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// The windows of a kind cover all time, without gaps and without overlaps, in every zone.
    #[test]
    fn windows_cover_all_time(
        zone in 0..chrono_tz::TZ_VARIANTS.len(),
        seconds in 0_i64..4_000_000_000,
        kind in prop::sample::select(vec![LimitWindow::Hour, LimitWindow::Day, LimitWindow::Month, LimitWindow::Billing]),
        start in 0_i64..2_000_000_000,
        length in 1_i64..50_000_000,
    ) {
        let instant = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        let billing = Period { start: instant(start), end: instant(start + length) };
        let calendar = Calendar { zone: chrono_tz::TZ_VARIANTS[zone], billing: Some(billing), since: None };
        let now = instant(seconds);
        let window = calendar.window(kind, now);
        let end = window.end.unwrap();
        prop_assert!(window.start <= now && now < end, "{window:?} {now}");
        prop_assert_eq!(calendar.window(kind, window.start), window);
        prop_assert_eq!(calendar.window(kind, end - TimeDelta::microseconds(1)), window);
        let next = calendar.window(kind, end);
        prop_assert_eq!(next.start, end);
        prop_assert_eq!(calendar.distance(kind, window.start, window.start), 0);
        if kind != LimitWindow::Day {
            prop_assert_eq!(calendar.distance(kind, window.start, end), 1);
        }
    }
}
