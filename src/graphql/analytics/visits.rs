//! Sessions and page views.

use super::rates::decimal;
use crate::analytics::{self, RATE_PLACES};
use crate::graphql::common::{ContextExt, Date};
use async_graphql::{Context, Object, Result, SimpleObject};

/// The sessions that started on one day. All figures are null if few people have one: fewer than the setting
/// `analytics_minimum_group`.
#[derive(SimpleObject)]
pub struct SessionsOfDay {
    /// The day, in UTC.
    day: Date,
    /// The number of sessions.
    session_count: Option<i64>,
    /// The number of users, and of visitors who are not signed in, who have one.
    people_count: Option<i64>,
    /// The number of pages viewed in these sessions.
    page_view_count: Option<i64>,
    /// Sessions of a single event per sessions, as a decimal number in a string.
    bounce_rate: Option<String>,
    /// The mean time from the first to the last event of a session, in seconds, as a decimal number in a string.
    mean_duration_seconds: Option<String>,
}

/// The views of one page.
#[derive(SimpleObject)]
pub struct PageViewsOfPath {
    /// The path of the page, without scheme, host, query string and fragment.
    path: String,
    /// The number of views.
    view_count: i64,
    /// The number of users, and of visitors who are not signed in, who viewed it.
    people_count: Option<i64>,
}

/// Sessions and page views, over all users and visitors.
#[derive(Default)]
pub struct VisitFigures;

#[Object]
impl VisitFigures {
    /// The sessions of each day of a range, oldest first. A session is a run of events of one person without a gap of more than
    /// 30 minutes, and counts on the day of its first event. Days without any have no row.
    async fn sessions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first day of the range, in UTC.")] from: Date,
        #[graphql(desc = "The day after the range, in UTC; at most 3,700 days after `from`.")] to: Date,
    ) -> Result<Vec<SessionsOfDay>> {
        let days = analytics::sessions(ctx.app(), ctx.viewer(), from.0, to.0).await?;
        Ok(days.into_iter().map(SessionsOfDay::from).collect())
    }

    /// The pages that were viewed most in a range, from the events with a `page`. Pages that few people viewed are left out,
    /// because a path can name somebody.
    async fn page_views(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first day of the range, in UTC.")] from: Date,
        #[graphql(desc = "The day after the range, in UTC; at most 3,700 days after `from`.")] to: Date,
        #[graphql(desc = "The number of pages: 1 to 100.", default = 10)] first: i32,
    ) -> Result<Vec<PageViewsOfPath>> {
        let pages = analytics::page_views(ctx.app(), ctx.viewer(), from.0, to.0, first).await?;
        Ok(pages.into_iter().map(PageViewsOfPath::from).collect())
    }
}

impl From<analytics::SessionDay> for SessionsOfDay {
    fn from(day: analytics::SessionDay) -> Self {
        SessionsOfDay {
            day: Date(day.day),
            session_count: day.sessions,
            people_count: day.people,
            page_view_count: day.page_views,
            bounce_rate: decimal(day.bounce_rate, RATE_PLACES),
            mean_duration_seconds: decimal(day.mean_seconds, RATE_PLACES),
        }
    }
}

impl From<analytics::PageViews> for PageViewsOfPath {
    fn from(page: analytics::PageViews) -> Self {
        PageViewsOfPath { path: page.path, view_count: page.views, people_count: Some(page.people) }
    }
}
