//! The windows in which limits count. Days and months are those of the account's time zone; an hour is an hour of UTC,
//! so that no change of the clocks makes it longer or shorter.

use crate::calendar::start_of_day;
use crate::plans::LimitWindow;
use chrono::{DateTime, Datelike, Months, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;

/// A span of time in which a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    /// Its first instant.
    pub start: DateTime<Utc>,
    /// The first instant after it; `None` for all time.
    pub end: Option<DateTime<Utc>>,
}

/// A billing period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// Its first instant.
    pub start: DateTime<Utc>,
    /// The first instant after it.
    pub end: DateTime<Utc>,
}

/// The calendar of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calendar {
    /// The time zone of its days and months.
    pub zone: Tz,
    /// A billing period of its subscription; `None` if there is none. Others follow and precede it in its length.
    pub billing: Option<Period>,
    /// The time from which its limits are in force: unused units of the windows since then can be banked. `None` if it is
    /// not known.
    pub since: Option<DateTime<Utc>>,
}

impl Calendar {
    /// Creates the calendar of an account in the IANA time zone `zone`; an unknown one counts as UTC.
    pub fn new(zone: &str, billing: Option<Period>, since: Option<DateTime<Utc>>) -> Calendar {
        let billing = billing.filter(|period| period.start < period.end);
        Calendar { zone: zone.parse().unwrap_or(Tz::UTC), billing, since }
    }

    /// Returns the window that contains an instant. Without a billing period, a billing window is a calendar month.
    pub fn window(&self, kind: LimitWindow, at: DateTime<Utc>) -> Window {
        match (kind, self.billing) {
            (LimitWindow::Lifetime, _) => Window { start: DateTime::UNIX_EPOCH, end: None },
            (LimitWindow::Hour, _) => hour(at),
            (LimitWindow::Day, _) => self.between(at, |day| day, |day| day.succ_opt()),
            (LimitWindow::Billing, Some(period)) => period.containing(at),
            (LimitWindow::Month | LimitWindow::Billing, _) => self.between(at, first_of_month, next_month),
        }
    }

    /// Returns the number of windows from the one that begins at `earlier` to the one that begins at `later`.
    pub fn distance(&self, kind: LimitWindow, earlier: DateTime<Utc>, later: DateTime<Utc>) -> i64 {
        let date = |at: DateTime<Utc>| at.with_timezone(&self.zone).date_naive();
        let months = |at| i64::from(date(at).year()) * 12 + i64::from(date(at).month());
        let distance = match (kind, self.billing) {
            (LimitWindow::Lifetime, _) => 0,
            (LimitWindow::Hour, _) => (later - earlier).num_hours(),
            (LimitWindow::Day, _) => (date(later) - date(earlier)).num_days(),
            (LimitWindow::Billing, Some(period)) => period.number(later) - period.number(earlier),
            (LimitWindow::Month | LimitWindow::Billing, _) => months(later) - months(earlier),
        };
        distance.max(0)
    }

    /// Returns the window of whole days that contains an instant. `first` is the first day of the window of a day, and
    /// `next` that of the window after it.
    fn between(
        &self,
        at: DateTime<Utc>,
        first: impl Fn(NaiveDate) -> NaiveDate,
        next: impl Fn(NaiveDate) -> Option<NaiveDate>,
    ) -> Window {
        let mut day = first(at.with_timezone(&self.zone).date_naive());
        // The last hour of a day comes twice if the clocks are set back over midnight.
        if start_of_day(day, self.zone) > at {
            day = first(day.pred_opt().unwrap_or(day));
        }
        let start = start_of_day(day, self.zone);
        let mut following = next(day);
        // A zone that crosses the date line leaves out a day.
        while let Some(day) = following.filter(|day| start_of_day(*day, self.zone) <= at) {
            following = next(day);
        }
        Window { start, end: following.map(|day| start_of_day(day, self.zone)) }
    }
}

impl Period {
    /// Returns the number of the period that contains an instant, counted from this one.
    fn number(&self, at: DateTime<Utc>) -> i64 {
        let length = (self.end - self.start).num_microseconds().unwrap_or(i64::MAX).max(1);
        let distance = (at - self.start).num_microseconds().unwrap_or(i64::MAX);
        let mut number = distance.div_euclid(length);
        // Months differ in length, so that this is off by a few at most.
        while self.begin(number).is_some_and(|start| start > at) {
            number -= 1;
        }
        while self.begin(number + 1).is_some_and(|start| start <= at) {
            number += 1;
        }
        number
    }

    fn containing(&self, at: DateTime<Utc>) -> Window {
        let number = self.number(at);
        Window { start: self.begin(number).unwrap_or(self.start), end: self.begin(number + 1) }
    }

    /// Returns the first instant of a period, by its number.
    fn begin(&self, number: i64) -> Option<DateTime<Utc>> {
        let shifted = |months: u32| {
            let months = i64::from(months).checked_mul(number)?;
            let distance = Months::new(u32::try_from(months.unsigned_abs()).ok()?);
            if months < 0 { self.start.checked_sub_months(distance) } else { self.start.checked_add_months(distance) }
        };
        match number {
            0 => Some(self.start),
            1 => Some(self.end),
            number => match self.months() {
                Some(months) => shifted(months),
                None => {
                    let length = (self.end - self.start).num_microseconds()?.checked_mul(number)?;
                    self.start.checked_add_signed(TimeDelta::microseconds(length))
                }
            },
        }
    }

    /// Returns the length in calendar months; `None` if it is none.
    fn months(&self) -> Option<u32> {
        let number = |at: DateTime<Utc>| i64::from(at.year()) * 12 + i64::from(at.month());
        let months = u32::try_from(number(self.end) - number(self.start)).ok().filter(|months| *months > 0)?;
        (self.start.checked_add_months(Months::new(months)) == Some(self.end)).then_some(months)
    }
}

fn hour(at: DateTime<Utc>) -> Window {
    let start = at - TimeDelta::microseconds(at.timestamp_micros().rem_euclid(3_600_000_000));
    Window { start, end: Some(start + TimeDelta::hours(1)) }
}

fn first_of_month(day: NaiveDate) -> NaiveDate {
    day.with_day(1).unwrap_or(day)
}

fn next_month(day: NaiveDate) -> Option<NaiveDate> {
    day.checked_add_months(Months::new(1))
}
