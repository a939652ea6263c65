//! The timeline: eighteen months of growth, with quieter weekends.

use chrono::{DateTime, Datelike, FixedOffset, Months, SubsecRound, TimeDelta, Utc};

/// An instant in UTC, in the type of the entities' columns.
pub(super) type At = DateTime<FixedOffset>;

const MONTHS: u32 = 18;
const DAY_MICROS: i128 = 86_400_000_000;

/// The distribution of sign-ups over the company's history.
pub(super) struct Calendar {
    /// The company's first instant.
    pub(super) start: At,
    /// The last instant of the history.
    pub(super) now: At,
    users: u64,
    /// The cumulative weights of the days.
    weights: Vec<i128>,
}

impl Calendar {
    pub(super) fn new(now: DateTime<Utc>, users: u64) -> Self {
        let now = now.trunc_subsecs(6).fixed_offset();
        let start = months_after(now, 0).checked_sub_months(Months::new(MONTHS)).unwrap_or(now);
        let days = (now - start).num_days().max(1);
        let mut sum = 0;
        let weights = (0..days).map(|day| {
            let weekday = (start + TimeDelta::days(day)).weekday().num_days_from_monday();
            let share = if weekday >= 5 { 62 } else { 108 };
            sum += share * (days + 3 * day);
            i128::from(sum)
        });
        Calendar { start, now, users, weights: weights.collect() }
    }

    /// Returns the sign-up time of user `n` of `1..=users`, which never decreases with `n`. The last month has four times
    /// the sign-ups of the first.
    pub(super) fn sign_up(&self, n: u64) -> At {
        let total = self.weights.last().copied().unwrap_or(1);
        let position = total * (2 * i128::from(n) - 1) / (2 * i128::from(self.users.max(1)));
        let day = self.weights.partition_point(|weight| *weight <= position);
        let before = if day == 0 { 0 } else { self.weights[day - 1] };
        let weight = self.weights.get(day).map_or(1, |after| after - before);
        let within = (position - before) * DAY_MICROS / weight;
        let micros = i128::try_from(day).unwrap_or(0) * DAY_MICROS + within;
        self.start + TimeDelta::microseconds(i64::try_from(micros).unwrap_or(0))
    }

    /// Returns the latest instant at which something may begin, so that its consequences within minutes are not in the
    /// future.
    pub(super) fn horizon(&self) -> At {
        self.now - TimeDelta::minutes(10)
    }
}

/// Returns `at` some months later, or the last day of a shorter month.
pub(super) fn months_after(at: At, months: i64) -> At {
    u32::try_from(months).ok().and_then(|months| at.checked_add_months(Months::new(months))).unwrap_or(at)
}

pub(super) fn seconds(n: i64) -> TimeDelta {
    TimeDelta::seconds(n)
}

pub(super) fn minutes(n: i64) -> TimeDelta {
    TimeDelta::minutes(n)
}

pub(super) fn hours(n: i64) -> TimeDelta {
    TimeDelta::hours(n)
}

pub(super) fn days(n: i64) -> TimeDelta {
    TimeDelta::days(n)
}

/// Returns milliseconds, for the next step of a machine.
pub(super) fn millis(n: i64) -> TimeDelta {
    TimeDelta::milliseconds(n)
}
