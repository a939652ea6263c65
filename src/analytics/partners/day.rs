//! The figures of a partner on one day, and the rules about them.

use crate::error::{Error, Result};
use crate::money;
use crate::plans::check_code;
use chrono::{DateTime, Days, NaiveDate, Utc};

/// The greatest count, and the greatest amount in minor units.
const MAX_FIGURE: i64 = 1_000_000_000_000_000;

/// The figures of a partner on one day in one currency, as of one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartnerDay {
    /// The stable code of the partner.
    pub partner: String,
    /// The UTC day.
    pub day: NaiveDate,
    /// The currency.
    pub currency: String,
    /// Visits that the partner led to the host application.
    pub visits: i64,
    /// Sales that followed from them.
    pub bookings: i64,
    /// The amount of these sales, in minor units; negative where more was refunded than sold.
    pub revenue_minor: i64,
    /// Time as of which the figures are; `None` for now.
    pub reported_at: Option<DateTime<Utc>>,
}

/// The partner, day and currency of figures.
pub(super) type Key = (String, NaiveDate, String);

impl PartnerDay {
    /// Checks everything that can be checked without the database.
    pub(super) fn check(&self, now: DateTime<Utc>) -> Result<()> {
        check_code(&self.partner, &["partnerCode"])?;
        let refused = |code, field, message| Err(Error::refused(code, field, message));
        if !money::is_currency(&self.currency) {
            return refused("CURRENCY_INVALID", &["currency"], "`currency` must be an ISO 4217 code, such as EUR.");
        }
        let today = now.date_naive();
        let tomorrow = today.checked_add_days(Days::new(1)).unwrap_or(today);
        if self.day > tomorrow || self.day.checked_add_days(Days::new(3_700)).is_none_or(|last| last < today) {
            return refused(
                "DAY_INVALID",
                &["day"],
                "`day` must be at most 3,700 days ago, and not later than tomorrow.",
            );
        }
        if !(0..=MAX_FIGURE).contains(&self.visits) {
            return refused("COUNT_INVALID", &["visitCount"], "`visitCount` must be between 0 and 10^15.");
        }
        if !(0..=MAX_FIGURE).contains(&self.bookings) {
            return refused("COUNT_INVALID", &["bookingCount"], "`bookingCount` must be between 0 and 10^15.");
        }
        if !(-MAX_FIGURE..=MAX_FIGURE).contains(&self.revenue_minor) {
            return refused("AMOUNT_INVALID", &["revenueMinor"], "`revenueMinor` must be between -10^15 and 10^15.");
        }
        Ok(())
    }
}
