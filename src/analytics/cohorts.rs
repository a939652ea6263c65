//! Retention by the month in which customers first paid (metrics v1, section 4).

use super::derived::{self, arr_change, in_cohort};
use super::range::Range;
use super::store::totals;
use super::values::{DiscountPolicy, month_of};
use super::view::View;
use crate::app::App;
use crate::auth::{Permission, Viewer};
use crate::error::Result;
use crate::money;
use crate::subscriptions::Exact;
use chrono::{Months, NaiveDate};
use entity::mrr_cohorts;
use std::collections::BTreeMap;

/// The customers of one currency who first paid in one month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cohort {
    /// The first day of the month.
    pub starts_on: NaiveDate,
    /// ISO 4217 code.
    pub currency: String,
    /// Number of customers.
    pub customers: i64,
    /// Their annual recurring revenue at the ends of their first days, in minor units.
    pub arr_minor: i64,
    /// The ends of the months, from that of the cohort on.
    pub months: Vec<CohortMonth>,
}

/// The customers of a cohort at the end of a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CohortMonth {
    /// Months since that of the cohort.
    pub number: i32,
    /// Customers who pay.
    pub customers: i64,
    /// Their annual recurring revenue in minor units.
    pub arr_minor: i64,
}

impl Cohort {
    /// Returns the customers who pay in a month, as a part of all.
    pub fn logo_retention(&self, month: &CohortMonth) -> Option<Exact> {
        part(month.customers, self.customers)
    }

    /// Returns the revenue of a month, as a multiple of that at the ends of the first days.
    pub fn revenue_retention(&self, month: &CohortMonth) -> Option<Exact> {
        part(month.arr_minor, self.arr_minor)
    }
}

fn part(value: i64, of: i64) -> Option<Exact> {
    (of != 0).then(|| Exact::new(value.into(), of.into()))
}

/// Returns the cohorts of the months from `from` up to the one before `to`, by month and currency, at the end of each
/// month that is over.
pub async fn cohorts(
    app: &App,
    viewer: &Viewer,
    from: NaiveDate,
    to: NaiveDate,
    policy: DiscountPolicy,
) -> Result<Vec<Cohort>> {
    viewer.require(Permission::AnalyticsRead)?;
    let range = Range::new(month_of(from), to)?;
    let present = month_of(app.now().date_naive());
    let view = View::open(app).await?;
    let stored = totals::cohorts(&view.snapshot, policy, range).await?.into_iter().map(Ok);
    let marked = view.changes(policy).map(|(row, sign)| in_cohort(row, sign, sign * arr_change(row)?));
    let rows = derived::collect::<mrr_cohorts::Entity>(stored.chain(marked))?;
    let mut found: BTreeMap<(NaiveDate, String), BTreeMap<NaiveDate, mrr_cohorts::Model>> = BTreeMap::new();
    for row in rows.into_values().filter(|row| range.contains(row.cohort_on) && row.month_on < present) {
        found.entry((row.cohort_on, row.currency.clone())).or_default().insert(row.month_on, row);
    }
    let cohort = |((starts_on, currency), rows)| cohort(starts_on, currency, rows, present);
    found.into_iter().map(cohort).collect()
}

fn cohort(
    starts_on: NaiveDate,
    currency: String,
    mut rows: BTreeMap<NaiveDate, mrr_cohorts::Model>,
    present: NaiveDate,
) -> Result<Cohort> {
    let mut cohort = Cohort { starts_on, currency, customers: 0, arr_minor: 0, months: Vec::new() };
    let (mut customers, mut arr_minor, mut month_on) = (0, 0, starts_on);
    for number in 0.. {
        if month_on >= present {
            break;
        }
        if let Some(row) = rows.remove(&month_on) {
            cohort.customers += row.started_count;
            cohort.arr_minor = money::add(cohort.arr_minor, row.started_minor)?;
            customers += row.customer_change;
            arr_minor = money::add(arr_minor, row.arr_change_minor)?;
        }
        cohort.months.push(CohortMonth { number, customers, arr_minor });
        month_on = month_on.checked_add_months(Months::new(1)).unwrap_or(present);
    }
    Ok(cohort)
}
