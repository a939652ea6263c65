//! Reads the times from which commands start.

use anyhow::{Context, ensure};
use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};

/// Reads a date, an instant, or a length of time before `now`.
pub(super) fn parse(text: &str, now: DateTime<Utc>) -> anyhow::Result<DateTime<Utc>> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Ok(at.to_utc());
    }
    if let Ok(date) = text.parse::<NaiveDate>() {
        return Ok(date.and_time(NaiveTime::MIN).and_utc());
    }
    let wrong =
        || format!("`{text}` is not a time: write a date, an instant, or a length of time such as 90m, 24h or 7d.");
    let (unit, number) = match text.char_indices().next_back() {
        Some((at, unit)) => (unit, &text[..at]),
        None => anyhow::bail!(wrong()),
    };
    let seconds = match unit {
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => anyhow::bail!(wrong()),
    };
    let number: i64 = number.parse().with_context(wrong)?;
    ensure!((0..=36_500).contains(&number), wrong());
    Ok(now - TimeDelta::seconds(number * seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_date_an_instant_or_a_length_of_time() {
        let now: DateTime<Utc> = "2026-01-15T12:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("2026-01-01", "2026-01-01T00:00:00Z"),
            ("2026-01-01T06:00:00+01:00", "2026-01-01T05:00:00Z"),
            ("90m", "2026-01-15T10:30:00Z"),
            ("24h", "2026-01-14T12:00:00Z"),
            ("7d", "2026-01-08T12:00:00Z"),
        ] {
            assert_eq!(parse(text, now).unwrap(), expected.parse::<DateTime<Utc>>().unwrap(), "{text}");
        }
        for text in ["", "d", "7", "7w", "-1d", "yesterday", "99999999999d", "7é"] {
            assert!(parse(text, now).is_err(), "{text}");
        }
    }
}
