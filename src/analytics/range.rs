//! Ranges of UTC days.

use crate::error::{Error, Result};
use chrono::{Datelike, Days, NaiveDate};

/// Maximum range of days in one answer.
const MAX_RANGE: Days = Days::new(3_700);

/// The days from `from` up to the one before `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Range {
    pub(super) from: NaiveDate,
    pub(super) to: NaiveDate,
}

/// Checks that the days from `from` up to the one before `to` can be the range of an answer.
pub fn check_range(from: NaiveDate, to: NaiveDate) -> Result<()> {
    Range::new(from, to).map(|_| ())
}

impl Range {
    /// Checks the ends of a range.
    pub(super) fn new(from: NaiveDate, to: NaiveDate) -> Result<Range> {
        if to <= from || from.checked_add_days(MAX_RANGE).is_none_or(|latest| to > latest) {
            return Err(Error::bad_input("The range must be 1 to 3,700 days long."));
        }
        // Both engines store years of four digits.
        if [from, to].iter().all(|day| (1970..=9999).contains(&day.year())) {
            return Ok(Range { from, to });
        }
        Err(Error::bad_input("Dates must be between 1970-01-01 and 9999-12-31."))
    }

    /// Returns the part before the end of `today`; of a range that begins later, an empty one at the end of `today`.
    pub(super) fn until(self, today: NaiveDate) -> Range {
        let tomorrow = today.succ_opt().unwrap_or(today);
        Range { from: self.from.min(tomorrow), to: self.to.min(tomorrow) }
    }

    /// Returns whether `day` is in the range.
    pub(super) fn contains(self, day: NaiveDate) -> bool {
        self.from <= day && day < self.to
    }
}
