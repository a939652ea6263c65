//! Active users, events and funnels.

use super::rates::decimal;
use crate::analytics::{self, Funnel, RATE_PLACES};
use crate::graphql::common::{ContextExt, Date};
use async_graphql::{Context, Object, Result, SimpleObject};
use chrono::TimeDelta;

/// The people who were active up to one day.
#[derive(SimpleObject)]
pub struct ActiveUsersOfDay {
    /// The day, in UTC.
    day: Date,
    /// The number of people with an event on the day; null for few.
    daily_count: Option<i64>,
    /// The number of people with an event on the day or the 6 days before; null for few.
    weekly_count: Option<i64>,
    /// The number of people with an event on the day or the 29 days before; null for few.
    monthly_count: Option<i64>,
    /// Daily per monthly active people, as a decimal number in a string; null without monthly ones, or if one of both
    /// is.
    stickiness: Option<String>,
}

/// The events of one name on one day.
#[derive(SimpleObject)]
pub struct EventsOfDay {
    /// The day, in UTC.
    day: Date,
    /// The name of the events.
    name: String,
    /// The number of events; null if few people have one.
    event_count: Option<i64>,
    /// The number of users, and of visitors who are not signed in, who have one; null for few.
    people_count: Option<i64>,
}

/// The people who came to one step of a funnel.
#[derive(SimpleObject)]
pub struct FunnelStep {
    /// The name of the event.
    name: String,
    /// The number of users, and of visitors who are not signed in, who came to it; each counts once. Null for few, and
    /// where all but few came from the step before.
    people_count: Option<i64>,
    /// Those people per people of the step before, as a decimal number in a string; null for the first step, without any
    /// before, or if one of both is.
    of_previous: Option<String>,
    /// Those people per people of the first step, as a decimal number in a string; null without any, or if one of both
    /// is.
    of_first: Option<String>,
}

/// Activity, over all users and visitors.
#[derive(Default)]
pub struct ActivityFigures;

#[Object]
impl ActivityFigures {
    /// The daily, weekly and monthly active users of each day of a range, oldest first. Counts of few people are null: of
    /// fewer than the setting `analytics_minimum_group`, 5 by default.
    async fn active_users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first day of the range, in UTC.")] from: Date,
        #[graphql(desc = "The day after the range, in UTC; at most 3,700 days after `from`.")] to: Date,
        #[graphql(desc = "Count visitors who are not signed in too.", default = false)] with_visitors: bool,
    ) -> Result<Vec<ActiveUsersOfDay>> {
        let days = analytics::active_users(ctx.app(), ctx.viewer(), from.0, to.0, with_visitors).await?;
        Ok(days.into_iter().map(ActiveUsersOfDay::from).collect())
    }

    /// The events of some names by day, oldest first, such as the use of features. Days without any have no row.
    async fn event_counts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The names of the events: 1 to 20.")] names: Vec<String>,
        #[graphql(desc = "The first day of the range, in UTC.")] from: Date,
        #[graphql(desc = "The day after the range, in UTC; at most 3,700 days after `from`.")] to: Date,
    ) -> Result<Vec<EventsOfDay>> {
        let counts = analytics::event_counts(ctx.app(), ctx.viewer(), names, from.0, to.0).await?;
        Ok(counts.into_iter().map(EventsOfDay::from).collect())
    }

    /// The people who came to each of some steps, one after the other, all within a window from the first. The first step
    /// must be in the range; later ones may follow after it.
    async fn funnel(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The names of the events, in their order: 2 to 10.")] steps: Vec<String>,
        #[graphql(desc = "The longest time from the first step to any other, inclusive: up to 366 days.")]
        window_seconds: i32,
        #[graphql(desc = "The first day of the first step, in UTC.")] from: Date,
        #[graphql(desc = "The day after the last one of the first step, in UTC; at most 3,700 days after `from`.")]
        to: Date,
    ) -> Result<Vec<FunnelStep>> {
        let window = TimeDelta::seconds(window_seconds.into());
        let funnel = Funnel { steps, window, from: from.0, to: to.0 };
        let steps = analytics::funnel(ctx.app(), ctx.viewer(), funnel).await?;
        Ok(steps.into_iter().map(FunnelStep::from).collect())
    }
}

impl From<analytics::ActiveDay> for ActiveUsersOfDay {
    fn from(day: analytics::ActiveDay) -> Self {
        ActiveUsersOfDay {
            day: Date(day.day),
            daily_count: day.daily,
            weekly_count: day.weekly,
            monthly_count: day.monthly,
            stickiness: decimal(day.stickiness, RATE_PLACES),
        }
    }
}

impl From<analytics::EventCount> for EventsOfDay {
    fn from(count: analytics::EventCount) -> Self {
        let (event_count, people_count) = (count.events, count.people);
        EventsOfDay { day: Date(count.day), name: count.name, event_count, people_count }
    }
}

impl From<analytics::FunnelStep> for FunnelStep {
    fn from(step: analytics::FunnelStep) -> Self {
        FunnelStep {
            name: step.name,
            people_count: step.people,
            of_previous: decimal(step.of_previous, RATE_PLACES),
            of_first: decimal(step.of_first, RATE_PLACES),
        }
    }
}
