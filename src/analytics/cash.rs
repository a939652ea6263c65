//! Cash by period.

use super::range::Range;
use super::store::cash::{self as store, CashSums};
use super::values::Period;
use crate::app::App;
use crate::auth::{Permission, Viewer};
use crate::error::Result;
use chrono::NaiveDate;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Cash of one period, currency and stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cash {
    /// The first day of the period.
    pub starts_on: NaiveDate,
    /// ISO 4217 code.
    pub currency: String,
    /// The stream of revenue.
    pub stream: String,
    /// The sums.
    pub sums: CashSums,
}

/// Cash of one period, currency and plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CashOfPlan {
    /// The first day of the period.
    pub starts_on: NaiveDate,
    /// ISO 4217 code.
    pub currency: String,
    /// The plan; `None` for cash that belongs to none.
    pub product_id: Option<Uuid>,
    /// The sums.
    pub sums: CashSums,
}

/// Returns the cash of the UTC days in `[from, to)`, by period, currency and stream. Periods without money have no row.
pub async fn revenue(app: &App, viewer: &Viewer, from: NaiveDate, to: NaiveDate, period: Period) -> Result<Vec<Cash>> {
    viewer.require(Permission::AnalyticsRead)?;
    let range = Range::new(from, to)?;
    let mut found: BTreeMap<(NaiveDate, String, String), CashSums> = BTreeMap::new();
    for part in store::parts(app.db.read(), range).await? {
        let key = (period.start(part.day, range), part.currency, part.stream);
        found.entry(key).or_default().add(&part.sums)?;
    }
    Ok(found
        .into_iter()
        .map(|((starts_on, currency, stream), sums)| Cash { starts_on, currency, stream, sums })
        .collect())
}

/// Returns the cash of the UTC days in `[from, to)`, by period, currency and plan. The plans of a period add up to its
/// [`revenue`].
pub async fn revenue_by_plan(
    app: &App,
    viewer: &Viewer,
    from: NaiveDate,
    to: NaiveDate,
    period: Period,
) -> Result<Vec<CashOfPlan>> {
    viewer.require(Permission::AnalyticsRead)?;
    let range = Range::new(from, to)?;
    let mut found: BTreeMap<(NaiveDate, String, Option<Uuid>), CashSums> = BTreeMap::new();
    for part in store::parts_by_plan(app.db.read(), range).await? {
        let key = (period.start(part.day, range), part.currency, part.product_id);
        found.entry(key).or_default().add(&part.sums)?;
    }
    let row = |((starts_on, currency, product_id), sums)| CashOfPlan { starts_on, currency, product_id, sums };
    Ok(found.into_iter().map(row).collect())
}
