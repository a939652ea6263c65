//! The results of partners over a range of days.

use super::store;
use crate::analytics::range::Range;
use crate::app::App;
use crate::auth::{Permission, Viewer};
use crate::error::{Error, Result};
use crate::subscriptions::Exact;
use chrono::NaiveDate;

/// The maximum number of partners in one currency in an answer.
const MAX_PARTNERS: u32 = 100;

/// The results of one partner in one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartnerResult {
    /// The code of the partner.
    pub partner: String,
    /// The currency.
    pub currency: String,
    /// Visits that the partner led to the host application.
    pub visits: i64,
    /// Sales that followed from them.
    pub bookings: i64,
    /// The amount of these sales, in minor units.
    pub revenue_minor: i64,
    /// Sales per visit; `None` without visits.
    pub booking_rate: Option<Exact>,
    /// Revenue per visit, in minor units; `None` without visits.
    pub revenue_per_visit: Option<Exact>,
}

/// Returns the results over the UTC days in `[from, to)` of the `count` partners with the most revenue in each currency, by
/// currency, the most revenue first.
pub async fn partner_results(
    app: &App,
    viewer: &Viewer,
    from: NaiveDate,
    to: NaiveDate,
    count: i32,
) -> Result<Vec<PartnerResult>> {
    viewer.require(Permission::AnalyticsRead)?;
    let range = Range::new(from, to)?;
    let count = u32::try_from(count).ok().filter(|count| *count <= MAX_PARTNERS);
    let count = count.ok_or_else(|| Error::bad_input("`first` must be between 0 and 100."))?;
    let sums = store::sums(app.db.read(), range.from, range.to, count).await?;
    let results = sums.into_iter().map(|row| {
        let per_visit = |figure: i64| (row.visits > 0).then(|| Exact::new(figure.into(), row.visits.into()));
        PartnerResult {
            booking_rate: per_visit(row.bookings),
            revenue_per_visit: per_visit(row.revenue_minor),
            partner: row.partner,
            currency: row.currency,
            visits: row.visits,
            bookings: row.bookings,
            revenue_minor: row.revenue_minor,
        }
    });
    Ok(results.collect())
}
