//! Values of the kind columns of movements, and the periods of reports.

use crate::text_enum;
use chrono::{Datelike, Days, NaiveDate};

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
}

impl Period {
    /// Returns the first day of the period that contains `day`.
    pub(super) fn start(self, day: NaiveDate) -> NaiveDate {
        match self {
            Period::Day => day,
            Period::Week => day - Days::new(day.weekday().num_days_from_monday().into()),
            Period::Month => month_of(day),
        }
    }
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
