//! Trials by the month in which they started (metrics v1, section 5).

use super::range::Range;
use super::store::trials::{self as store, Trial};
use super::values::month_of;
use crate::app::App;
use crate::auth::{Permission, Viewer};
use crate::error::{Error, Result};
use crate::subscriptions::{Exact, SubscriptionStatus};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use std::collections::BTreeMap;

/// Microseconds of a day.
const DAY_MICROS: i128 = 86_400_000_000;

/// The trials that started in one month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrialCohort {
    /// The first day of the month.
    pub starts_on: NaiveDate,
    /// Number of trials.
    pub started: i64,
    /// Trials whose customer has paid for a subscription since.
    pub converted: i64,
    /// Of these, the ones that converted within the asked number of days.
    pub converted_in_time: i64,
    /// Trials that go on.
    pub running: i64,
    /// Trials that ended without a payment so far, while the provider goes on trying.
    pub pending_payment: i64,
    /// All others.
    pub lost: i64,
    /// Converted per converted and lost; `None` if there are none of both.
    pub conversion: Option<Exact>,
    /// Median of the days from the start to the first payment; `None` without conversions.
    pub median_days: Option<Exact>,
}

/// Returns the trials that started in the UTC days of `[from, to)` by month, as they were at `as_of`.
pub async fn trial_cohorts(
    app: &App,
    viewer: &Viewer,
    from: NaiveDate,
    to: NaiveDate,
    as_of: DateTime<Utc>,
    within_days: i32,
) -> Result<Vec<TrialCohort>> {
    viewer.require(Permission::AnalyticsRead)?;
    if !(0..=3_700).contains(&within_days) {
        return Err(Error::bad_input("`withinDays` must be between 0 and 3,700."));
    }
    let in_time = TimeDelta::days(within_days.into());
    let mut months: BTreeMap<NaiveDate, Vec<Trial>> = BTreeMap::new();
    for trial in store::trials(app.db.read(), Range::new(from, to)?, as_of).await? {
        months.entry(month_of(trial.trial_start.naive_utc().date())).or_default().push(trial);
    }
    months.into_iter().map(|(starts_on, trials)| cohort(starts_on, &trials, in_time)).collect()
}

fn cohort(starts_on: NaiveDate, trials: &[Trial], in_time: TimeDelta) -> Result<TrialCohort> {
    let mut cohort = TrialCohort {
        starts_on,
        started: 0,
        converted: 0,
        converted_in_time: 0,
        running: 0,
        pending_payment: 0,
        lost: 0,
        conversion: None,
        median_days: None,
    };
    let mut times = Vec::new();
    for trial in trials {
        cohort.started += 1;
        let status = trial.status.as_deref().map(SubscriptionStatus::parse).transpose()?;
        match (trial.converted_at, status) {
            (Some(at), _) => {
                let time = at - trial.trial_start;
                cohort.converted += 1;
                cohort.converted_in_time += i64::from(time <= in_time);
                times.push(i128::from(time.num_microseconds().unwrap_or(i64::MAX)));
            }
            (None, Some(SubscriptionStatus::Trialing)) => cohort.running += 1,
            (None, Some(SubscriptionStatus::PastDue)) => cohort.pending_payment += 1,
            (None, _) => cohort.lost += 1,
        }
    }
    let decided = cohort.converted + cohort.lost;
    cohort.conversion = (decided > 0).then(|| Exact::new(cohort.converted.into(), decided.into()));
    times.sort_unstable();
    if let (Some(one), Some(other)) = (times.get(times.len().saturating_sub(1) / 2), times.get(times.len() / 2)) {
        cohort.median_days = Some(Exact::new(one + other, 2 * DAY_MICROS));
    }
    Ok(cohort)
}
