//! Retention by the month or week in which customers first paid (metrics v1, section 4).

use super::derived::{self, arr_change, in_cohort};
use super::range::Range;
use super::store::totals;
use super::store::weekly::{self, CohortChange};
use super::values::{DiscountPolicy, MovementKind, Period, week_of};
use super::view::{View, customer_change};
use crate::app::App;
use crate::auth::{Permission, Viewer};
use crate::error::{Error, Result};
use crate::money;
use crate::subscriptions::Exact;
use chrono::{Days, Months, NaiveDate};
use entity::{mrr_cohorts, mrr_movements};
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

/// The customers of one currency who first paid in one month or week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cohort {
    /// The first day of the month or week.
    pub starts_on: NaiveDate,
    /// ISO 4217 code.
    pub currency: String,
    /// Number of customers.
    pub customers: i64,
    /// Their annual recurring revenue at the ends of their first days, in minor units.
    pub arr_minor: i64,
    /// The ends of the months or weeks, from that of the cohort on.
    pub periods: Vec<CohortPeriod>,
}

/// The customers of a cohort at the end of a month or week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CohortPeriod {
    /// Months or weeks since that of the cohort.
    pub number: i32,
    /// Customers who pay.
    pub customers: i64,
    /// Their annual recurring revenue in minor units.
    pub arr_minor: i64,
}

impl Cohort {
    /// Returns the customers who pay at the end of a period, as a part of all.
    pub fn logo_retention(&self, period: &CohortPeriod) -> Option<Exact> {
        part(period.customers, self.customers)
    }

    /// Returns the revenue at the end of a period, as a multiple of that at the ends of the first days.
    pub fn revenue_retention(&self, period: &CohortPeriod) -> Option<Exact> {
        part(period.arr_minor, self.arr_minor)
    }
}

fn part(value: i64, of: i64) -> Option<Exact> {
    (of != 0).then(|| Exact::new(value.into(), of.into()))
}

/// Returns the cohorts of the months or weeks from the one of `from` on that begin before `to`, by period and currency, at
/// the end of each period that is over.
pub async fn cohorts(
    app: &App,
    viewer: &Viewer,
    from: NaiveDate,
    to: NaiveDate,
    period: Period,
    policy: DiscountPolicy,
) -> Result<Vec<Cohort>> {
    viewer.require(Permission::AnalyticsRead)?;
    let step = match period {
        Period::Month => Step::Month,
        Period::Week => Step::Week,
        Period::Day | Period::Quarter | Period::Year | Period::Range => {
            return Err(Error::bad_input("Cohorts are by month or by week: choose one of these as `period`."));
        }
    };
    let asked = Range::new(from, to)?;
    let range = Range::new(period.start(from, asked), to)?;
    let present = period.start(app.now().date_naive(), asked);
    let view = View::open(app).await?;
    let rows = match step {
        Step::Month => by_month(&view, policy, range).await?,
        Step::Week => by_week(&view, policy, range).await?,
    };
    let mut found: BTreeMap<(NaiveDate, String), BTreeMap<NaiveDate, Vec<CohortChange>>> = BTreeMap::new();
    for row in rows.into_iter().filter(|row| range.contains(row.cohort_on) && row.period_on < present) {
        let cohort = found.entry((row.cohort_on, row.currency.clone())).or_default();
        cohort.entry(row.period_on).or_default().push(row);
    }
    let cohort = |((starts_on, currency), rows)| cohort(starts_on, currency, rows, (step, present));
    found.into_iter().map(cohort).collect()
}

/// The length of the periods of cohorts.
#[derive(Debug, Clone, Copy)]
enum Step {
    Month,
    Week,
}

impl Step {
    /// Returns the first day of the period after the one that begins on `day`.
    fn next(self, day: NaiveDate) -> Option<NaiveDate> {
        match self {
            Step::Month => day.checked_add_months(Months::new(1)),
            Step::Week => day.checked_add_days(Days::new(7)),
        }
    }
}

/// Returns the changes of cohorts of months, from their table.
async fn by_month(view: &View, policy: DiscountPolicy, range: Range) -> Result<Vec<CohortChange>> {
    let stored = totals::cohorts(&view.snapshot, policy, range).await?.into_iter().map(Ok);
    let marked = view.changes(policy).map(|(row, sign)| in_cohort(row, sign, sign * arr_change(row)?));
    let rows = derived::collect::<mrr_cohorts::Entity>(stored.chain(marked))?;
    let change = |row: mrr_cohorts::Model| CohortChange {
        cohort_on: row.cohort_on,
        period_on: row.month_on,
        currency: row.currency,
        started_count: row.started_count,
        started_minor: row.started_minor,
        customer_change: row.customer_change,
        arr_change_minor: row.arr_change_minor,
    };
    Ok(rows.into_values().map(change).collect())
}

/// Returns the changes of cohorts of weeks: the stored movements of customers who are not marked, and those of the others.
async fn by_week(view: &View, policy: DiscountPolicy, range: Range) -> Result<Vec<CohortChange>> {
    // To the end of the last week that begins in the range.
    let last = week_of(range.to - Days::new(1));
    let mut found =
        weekly::changes(&view.snapshot, policy, Range { from: range.from, to: last + Days::new(7) }).await?;
    let fresh = || view.fresh.values().filter(|row| row.discounts == policy.as_str());
    let mut firsts: HashMap<(Uuid, &str), NaiveDate> = HashMap::new();
    for row in fresh() {
        let first = firsts.entry((row.account_id, &row.currency)).or_insert(row.day);
        *first = row.day.min(*first);
    }
    for row in fresh() {
        if let Some(first) = firsts.get(&(row.account_id, &*row.currency)) {
            found.push(in_week(row, *first)?);
        }
    }
    Ok(found)
}

/// Returns the change that a movement is to the cohort of the week of `first`.
fn in_week(row: &mrr_movements::Model, first: NaiveDate) -> Result<CohortChange> {
    let arr_change_minor = arr_change(row)?;
    let is_new = MovementKind::parse(&row.kind)? == MovementKind::New;
    Ok(CohortChange {
        cohort_on: week_of(first),
        period_on: week_of(row.day),
        currency: row.currency.clone(),
        started_count: i64::from(is_new),
        started_minor: if is_new { arr_change_minor } else { 0 },
        customer_change: customer_change(row)?,
        arr_change_minor,
    })
}

fn cohort(
    starts_on: NaiveDate,
    currency: String,
    mut rows: BTreeMap<NaiveDate, Vec<CohortChange>>,
    (step, present): (Step, NaiveDate),
) -> Result<Cohort> {
    let mut cohort = Cohort { starts_on, currency, customers: 0, arr_minor: 0, periods: Vec::new() };
    let (mut customers, mut arr_minor, mut period_on) = (0, 0, starts_on);
    for number in 0.. {
        if period_on >= present {
            break;
        }
        for row in rows.remove(&period_on).unwrap_or_default() {
            cohort.customers += row.started_count;
            cohort.arr_minor = money::add(cohort.arr_minor, row.started_minor)?;
            customers += row.customer_change;
            arr_minor = money::add(arr_minor, row.arr_change_minor)?;
        }
        cohort.periods.push(CohortPeriod { number, customers, arr_minor });
        period_on = step.next(period_on).unwrap_or(present);
    }
    Ok(cohort)
}
