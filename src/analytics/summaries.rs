//! Movements by period.

use super::derived;
use super::range::Range;
use super::values::{DiscountPolicy, Period};
use super::view::{Standing, View};
use crate::app::App;
use crate::auth::{Permission, Viewer};
use crate::error::Result;
use crate::money;
use chrono::NaiveDate;
use entity::mrr_daily;
use std::collections::BTreeMap;

/// The movements of one kind in a period.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MovementSum {
    /// Change of annual recurring revenue in minor units; negative for contraction and churn.
    pub arr_minor: i64,
    /// Number of movements.
    pub count: i64,
}

/// The movements of a period in one currency, between the recurring revenue before and after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovementSummary {
    /// The first day of the period.
    pub starts_on: NaiveDate,
    /// ISO 4217 code.
    pub currency: String,
    /// At the end of the day before the period, or before the range if the period begins earlier.
    pub start: Standing,
    /// Customers who never paid before.
    pub new: MovementSum,
    /// Paying customers who pay more.
    pub expansion: MovementSum,
    /// Customers who pay again.
    pub reactivation: MovementSum,
    /// Paying customers who pay less, but not nothing.
    pub contraction: MovementSum,
    /// Customers who no longer pay.
    pub churn: MovementSum,
    /// At the end of the last day of the period, or of the range if the period ends later.
    pub end: Standing,
}

/// Returns the movements of the UTC days in `[from, to)`, by period and currency, up to today. Periods without movements
/// have no row.
pub async fn movement_summaries(
    app: &App,
    viewer: &Viewer,
    from: NaiveDate,
    to: NaiveDate,
    period: Period,
    policy: DiscountPolicy,
) -> Result<Vec<MovementSummary>> {
    viewer.require(Permission::AnalyticsRead)?;
    let range = Range::new(from, to)?.until(app.now().date_naive());
    let view = View::open(app).await?;
    let mut standings = view.before(policy, range.from).await?;
    let mut sums: BTreeMap<(NaiveDate, String), mrr_daily::Model> = BTreeMap::new();
    for row in view.daily(policy, range).await? {
        let key = (period.start(row.day, range), row.currency.clone());
        match sums.get_mut(&key) {
            Some(known) => derived::add::<mrr_daily::Entity>(known, row)?,
            None => {
                sums.insert(key, row);
            }
        }
    }
    sums.retain(|_, row| !derived::is_empty::<mrr_daily::Entity>(row));
    let mut found = Vec::with_capacity(sums.len());
    for ((starts_on, currency), row) in sums {
        let standing = standings.entry(currency.clone()).or_default();
        let summary = summary(starts_on, currency, *standing, &row)?;
        *standing = summary.end;
        found.push(summary);
    }
    Ok(found)
}

/// Returns the movements of a period that starts from `start`.
fn summary(starts_on: NaiveDate, currency: String, start: Standing, row: &mrr_daily::Model) -> Result<MovementSummary> {
    let sum = |arr_minor, count| MovementSum { arr_minor, count };
    let mut summary = MovementSummary {
        starts_on,
        currency,
        start,
        new: sum(row.new_minor, row.new_count),
        expansion: sum(row.expansion_minor, row.expansion_count),
        reactivation: sum(row.reactivation_minor, row.reactivation_count),
        contraction: sum(row.contraction_minor, row.contraction_count),
        churn: sum(row.churn_minor, row.churn_count),
        end: start,
    };
    let changes = [summary.new, summary.expansion, summary.reactivation, summary.contraction, summary.churn];
    for change in changes {
        summary.end.arr_minor = money::add(summary.end.arr_minor, change.arr_minor)?;
    }
    summary.end.customers += summary.new.count + summary.reactivation.count - summary.churn.count;
    Ok(summary)
}
