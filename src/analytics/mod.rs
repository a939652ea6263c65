//! Read-only sums over the features, by the definitions in `docs/analytics.md`.
//!
//! Invariants: amounts in different currencies are never added; an instant on a boundary belongs to the later period;
//! no figure depends on the time an event was received.

mod store;

pub use store::{ActiveCount, Cash, DiscountPolicy, Period, Recurring, Unknown};

use crate::app::App;
use crate::auth::{Permission, Viewer};
use crate::error::{Error, Result};
use chrono::{DateTime, Days, NaiveDate, Utc};

/// Maximum range of days in one answer.
const MAX_RANGE: Days = Days::new(3_700);

/// Returns the cash revenue of the UTC days in `[from, to)`, by period, currency and stream. Periods without money have
/// no row.
pub async fn revenue(app: &App, viewer: &Viewer, from: NaiveDate, to: NaiveDate, period: Period) -> Result<Vec<Cash>> {
    viewer.require(Permission::AnalyticsRead)?;
    if to <= from || from.checked_add_days(MAX_RANGE).is_none_or(|latest| to > latest) {
        return Err(Error::bad_input("The range must be 1 to 3,700 days long."));
    }
    store::revenue(app.db.read(), start_of(from)?, start_of(to)?, period).await
}

fn start_of(day: NaiveDate) -> Result<DateTime<Utc>> {
    let start = day.and_hms_opt(0, 0, 0).map(|start| start.and_utc());
    // Both engines store years of four digits.
    let known = start.filter(|start| (1970..=9999).contains(&chrono::Datelike::year(start)));
    known.ok_or_else(|| Error::bad_input("Dates must be between 1970-01-01 and 9999-12-31."))
}

/// Returns the recurring revenue in force at `as_of`, by currency.
pub async fn recurring(
    app: &App,
    viewer: &Viewer,
    as_of: DateTime<Utc>,
    policy: DiscountPolicy,
) -> Result<Vec<Recurring>> {
    viewer.require(Permission::AnalyticsRead)?;
    store::recurring(app.db.read(), as_of, policy).await
}

/// Returns the numbers of subscriptions that count at `as_of` but whose amounts are unknown, by currency.
pub async fn unknown_recurring(
    app: &App,
    viewer: &Viewer,
    as_of: DateTime<Utc>,
    policy: DiscountPolicy,
) -> Result<Vec<Unknown>> {
    viewer.require(Permission::AnalyticsRead)?;
    store::unknown(app.db.read(), as_of, policy).await
}

/// Counts the subscriptions in each status at `as_of`.
pub async fn subscriptions_by_status(app: &App, viewer: &Viewer, as_of: DateTime<Utc>) -> Result<Vec<ActiveCount>> {
    viewer.require(Permission::AnalyticsRead)?;
    store::subscriptions_by_status(app.db.read(), as_of).await
}
