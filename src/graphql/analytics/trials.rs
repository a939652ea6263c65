//! Trials.

use super::rates::decimal;
use crate::analytics::{self, RATE_PLACES};
use crate::graphql::common::{ContextExt, Date, Instant};
use async_graphql::{Context, Object, Result, SimpleObject};

/// The trials that started in one month.
#[derive(SimpleObject)]
pub struct TrialCohort {
    /// The first day of the month, in UTC.
    starts_on: Date,
    /// The number of trials.
    started_count: i64,
    /// Trials whose account has paid more than zero for a subscription since the start.
    converted_count: i64,
    /// Of these, the ones that did so within `withinDays` days of the start.
    converted_in_time_count: i64,
    /// Trials that go on.
    running_count: i64,
    /// Trials that ended and have not been paid for yet: their subscription is past due.
    pending_payment_count: i64,
    /// All other trials.
    lost_count: i64,
    /// Converted per converted and lost, as a decimal number in a string; null if there are none of both.
    conversion_rate: Option<String>,
    /// The median of the days from the start to the first payment, as a decimal number in a string; null without
    /// conversions.
    median_days_to_convert: Option<String>,
}

/// Trials, over all accounts.
#[derive(Default)]
pub struct TrialFigures;

#[Object]
impl TrialFigures {
    /// Trials by the month in which they started, oldest first, and what became of them. Months without trials have no row.
    async fn trial_cohorts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first day of the range, in UTC.")] from: Date,
        #[graphql(desc = "The day after the range, in UTC; at most 3,700 days after `from`.")] to: Date,
        #[graphql(desc = "The instant at which to look at them; now by default.")] as_of: Option<Instant>,
        #[graphql(desc = "Days of `convertedInTimeCount`, at most 3,700.", default = 30)] within_days: i32,
    ) -> Result<Vec<TrialCohort>> {
        let as_of = as_of.map_or_else(|| ctx.app().now(), |at| at.0);
        let (app, viewer) = (ctx.app(), ctx.viewer());
        let rows = analytics::trial_cohorts(app, viewer, from.0, to.0, as_of, within_days).await?;
        Ok(rows.into_iter().map(TrialCohort::from).collect())
    }
}

impl From<analytics::TrialCohort> for TrialCohort {
    fn from(cohort: analytics::TrialCohort) -> Self {
        TrialCohort {
            starts_on: Date(cohort.starts_on),
            started_count: cohort.started,
            converted_count: cohort.converted,
            converted_in_time_count: cohort.converted_in_time,
            running_count: cohort.running,
            pending_payment_count: cohort.pending_payment,
            lost_count: cohort.lost,
            conversion_rate: decimal(cohort.conversion, RATE_PLACES),
            median_days_to_convert: decimal(cohort.median_days, RATE_PLACES),
        }
    }
}
