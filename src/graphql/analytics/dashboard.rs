//! The first page of an admin: the figures of a range in one field.

use super::activity::ActiveUsersOfDay;
use super::cash::RevenueSummary;
use super::error_group::ErrorsOfDay;
use super::movements::MovementSummary;
use super::rates::RevenueRates;
use super::summary::{RecurringRevenueSummary, SubscriptionStatusSummary};
use super::trials::TrialCohort;
use crate::analytics::errors::{self, ErrorGroups};
use crate::analytics::{self, DiscountPolicy, Period};
use crate::db;
use crate::graphql::common::{ContextExt, Date};
use async_graphql::{Context, Object, Result};
use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};

/// The days in which a trial that converted counts as converted in time.
const TRIAL_DAYS: i32 = 30;

pub struct Dashboard {
    from: NaiveDate,
    to: NaiveDate,
}

/// The figures of a range of days. Each is the figure of that name under `analytics`, summed over the range, and with the
/// discounts `FOREVER_ONLY`.
#[Object]
impl Dashboard {
    /// Recurring revenue at the end of the range, or now if that is earlier, by currency.
    async fn recurring_revenue(&self, ctx: &Context<'_>) -> Result<Vec<RecurringRevenueSummary>> {
        let rows = analytics::recurring(ctx.app(), ctx.viewer(), self.end(ctx), DiscountPolicy::ForeverOnly).await?;
        Ok(rows.into_iter().map(RecurringRevenueSummary::from).collect())
    }

    /// Movements of recurring revenue, by currency.
    async fn movements(&self, ctx: &Context<'_>) -> Result<Vec<MovementSummary>> {
        let (app, viewer, policy) = (ctx.app(), ctx.viewer(), DiscountPolicy::ForeverOnly);
        let rows = analytics::movement_summaries(app, viewer, self.from, self.to, Period::Range, policy).await?;
        Ok(rows.into_iter().map(MovementSummary::from).collect())
    }

    /// Rates of recurring revenue, by currency.
    async fn rates(&self, ctx: &Context<'_>) -> Result<Vec<RevenueRates>> {
        let (app, viewer, policy) = (ctx.app(), ctx.viewer(), DiscountPolicy::ForeverOnly);
        let rows = analytics::rates(app, viewer, self.from, self.to, policy).await?;
        Ok(rows.into_iter().map(RevenueRates::from).collect())
    }

    /// Cash, by currency and stream.
    async fn revenue(&self, ctx: &Context<'_>) -> Result<Vec<RevenueSummary>> {
        let rows = analytics::revenue(ctx.app(), ctx.viewer(), self.from, self.to, Period::Range).await?;
        rows.into_iter().map(RevenueSummary::try_from).collect::<crate::error::Result<_>>().map_err(Into::into)
    }

    /// Trials by the month in which they started, as they are at the end of the range, or now if that is earlier.
    async fn trial_cohorts(&self, ctx: &Context<'_>) -> Result<Vec<TrialCohort>> {
        let (app, viewer) = (ctx.app(), ctx.viewer());
        let rows = analytics::trial_cohorts(app, viewer, self.from, self.to, self.end(ctx), TRIAL_DAYS).await?;
        Ok(rows.into_iter().map(TrialCohort::from).collect())
    }

    /// The number of subscriptions in each status at the end of the range, or now if that is earlier.
    async fn subscription_counts(&self, ctx: &Context<'_>) -> Result<Vec<SubscriptionStatusSummary>> {
        let rows = analytics::subscriptions_by_status(ctx.app(), ctx.viewer(), self.end(ctx)).await?;
        rows.into_iter().map(SubscriptionStatusSummary::of).collect()
    }

    /// Active users of the last day of the range, or of today if that is earlier.
    async fn active_users(&self, ctx: &Context<'_>) -> Result<Option<ActiveUsersOfDay>> {
        let end = self.to.min(ctx.app().now().date_naive().succ_opt().unwrap_or(self.to));
        let last = end.pred_opt().unwrap_or(end);
        let days = analytics::active_users(ctx.app(), ctx.viewer(), last, end, false).await?;
        Ok(days.into_iter().map(ActiveUsersOfDay::from).next())
    }

    /// The errors of each day, oldest first. Days without errors have no row.
    async fn error_rates(&self, ctx: &Context<'_>) -> Result<Vec<ErrorsOfDay>> {
        let days = errors::error_rates(ctx.app(), ctx.viewer(), self.from, self.to).await?;
        Ok(days.into_iter().map(ErrorsOfDay::from).collect())
    }

    /// The number of groups of errors that are open now.
    async fn open_error_group_count(&self, ctx: &Context<'_>) -> Result<i64> {
        let open = ErrorGroups { is_resolved: Some(false), severity: None };
        Ok(db::count(ctx.app().db.read(), ctx.viewer(), &open).await?)
    }
}

impl Dashboard {
    /// Returns the instant at which the figures of an instant are looked at.
    fn end(&self, ctx: &Context<'_>) -> DateTime<Utc> {
        // The last instant of the last day: the next one belongs to the day after.
        let end = self.to.and_time(NaiveTime::MIN).and_utc() - TimeDelta::microseconds(1);
        end.min(ctx.app().now())
    }
}

/// The figures of the first page of an admin.
#[derive(Default)]
pub struct DashboardFigures;

#[Object]
impl DashboardFigures {
    /// The figures of a range of days, for the first page of an admin.
    async fn dashboard(
        &self,
        #[graphql(desc = "The first day of the range, in UTC.")] from: Date,
        #[graphql(desc = "The day after the range, in UTC; at most 3,700 days after `from`.")] to: Date,
    ) -> Result<Dashboard> {
        analytics::check_range(from.0, to.0)?;
        Ok(Dashboard { from: from.0, to: to.0 })
    }
}
