//! Values of the kind columns of movements, and the periods of reports.

use super::range::Range;
use crate::text_enum;
use chrono::{Datelike, Days, Months, NaiveDate};

/// The length of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::EnumString, strum::VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum Period {
    /// A UTC day.
    Day,
    /// Monday to Sunday, by ISO 8601.
    Week,
    /// A calendar month.
    Month,
    /// Three calendar months, from January, April, July or October on.
    Quarter,
    /// A calendar year.
    Year,
    /// The whole range.
    Range,
}

impl Period {
    /// Returns the first day of the period that contains `day`, a day of `range`.
    pub(super) fn start(self, day: NaiveDate, range: Range) -> NaiveDate {
        match self {
            Period::Day => day,
            Period::Week => week_of(day),
            Period::Month => month_of(day),
            Period::Quarter => month_of(day) - Months::new(day.month0() % 3),
            Period::Year => month_of(day) - Months::new(day.month0()),
            Period::Range => range.from,
        }
    }
}

/// Returns the Monday of the week of `day`.
pub(super) fn week_of(day: NaiveDate) -> NaiveDate {
    day - Days::new(day.weekday().num_days_from_monday().into())
}

/// Returns the first day of the month of `day`.
pub(super) fn month_of(day: NaiveDate) -> NaiveDate {
    day.with_day(1).expect("every month has a first day")
}

text_enum! {
    /// The discounts that lower recurring revenue: those that last forever (the provider's own figure, and the default),
    /// or every one in force.
    DiscountPolicy {
        ForeverOnly,
        AllActive,
    }
}

impl DiscountPolicy {
    pub(super) const ALL: [DiscountPolicy; 2] = [DiscountPolicy::ForeverOnly, DiscountPolicy::AllActive];
}

text_enum! {
    /// A decision of a user or visitor on being tracked.
    ConsentDecision {
        Granted,
        Refused,
    }
}

text_enum! {
    /// The kind of a movement of recurring revenue.
    MovementKind {
        New,
        Expansion,
        Contraction,
        Churn,
        Reactivation,
    }
}

text_enum! {
    /// The cause of a churn.
    ChurnCause {
        Paused,
        PaymentFailed,
        DowngradeToFree,
        Voluntary,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn periods_start_by_the_calendar() {
        let range = Range { from: day("2023-12-30"), to: day("2025-02-01") };
        let starts = |at: &str| {
            let periods = [Period::Day, Period::Week, Period::Month, Period::Quarter, Period::Year, Period::Range];
            periods.map(|period| period.start(day(at), range).to_string())
        };
        let from = "2023-12-30";
        for (at, [week, month, quarter, year]) in [
            // A Saturday, whose week is of the year before the one in which it ends.
            ("2023-12-30", ["2023-12-25", "2023-12-01", "2023-10-01", "2023-01-01"]),
            ("2023-12-31", ["2023-12-25", "2023-12-01", "2023-10-01", "2023-01-01"]),
            ("2024-01-01", ["2024-01-01", "2024-01-01", "2024-01-01", "2024-01-01"]),
            ("2024-02-29", ["2024-02-26", "2024-02-01", "2024-01-01", "2024-01-01"]),
            ("2024-03-31", ["2024-03-25", "2024-03-01", "2024-01-01", "2024-01-01"]),
            ("2024-04-01", ["2024-04-01", "2024-04-01", "2024-04-01", "2024-01-01"]),
            ("2024-12-31", ["2024-12-30", "2024-12-01", "2024-10-01", "2024-01-01"]),
            ("2025-01-31", ["2025-01-27", "2025-01-01", "2025-01-01", "2025-01-01"]),
        ] {
            assert_eq!(starts(at), [at, week, month, quarter, year, from], "{at}");
        }
    }
}
