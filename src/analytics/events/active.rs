//! Daily, weekly and monthly active users.

use super::store::{self, Activity};
use crate::analytics::range::Range;
use crate::app::App;
use crate::auth::{Permission, Viewer};
use crate::error::Result;
use crate::subscriptions::Exact;
use chrono::{Days, NaiveDate};
use std::collections::BTreeMap;

/// The days of the two windows of activity.
const WEEK: u64 = 7;
const MONTH: u64 = 30;

/// The people who were active up to one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActiveDay {
    /// The UTC day.
    pub day: NaiveDate,
    /// The number of people with an event on the day.
    pub daily: i64,
    /// The number of people with an event on the day or the 6 days before.
    pub weekly: i64,
    /// The number of people with an event on the day or the 29 days before.
    pub monthly: i64,
    /// Daily per monthly; `None` without monthly ones.
    pub stickiness: Option<Exact>,
}

/// Returns the active users of each UTC day in `[from, to)`, with `with_visitors` also visitors who are not signed in.
pub async fn active_users(
    app: &App,
    viewer: &Viewer,
    from: NaiveDate,
    to: NaiveDate,
    with_visitors: bool,
) -> Result<Vec<ActiveDay>> {
    viewer.require(Permission::AnalyticsRead)?;
    let range = Range::new(from, to)?;
    let first = range.from.checked_sub_days(Days::new(MONTH - 1)).unwrap_or(range.from);
    let activity = store::activity(app.db.read(), first, range.to, with_visitors).await?;
    let by_day: BTreeMap<NaiveDate, &Activity> = activity.iter().map(|activity| (activity.day, activity)).collect();
    let (mut days, mut weekly, mut monthly) = (Vec::new(), 0, 0);
    for day in first.iter_days().take_while(|day| *day < range.to) {
        let today = by_day.get(&day);
        let ago = |length: u64| day.checked_sub_days(Days::new(length)).and_then(|day| by_day.get(&day));
        weekly += today.map_or(0, |it| it.weeks_begun) - ago(WEEK).map_or(0, |it| it.weeks_ended);
        monthly += today.map_or(0, |it| it.months_begun) - ago(MONTH).map_or(0, |it| it.months_ended);
        if range.contains(day) {
            let daily = today.map_or(0, |it| it.daily);
            let stickiness = (monthly > 0).then(|| Exact::new(daily.into(), monthly.into()));
            days.push(ActiveDay { day, daily, weekly, monthly, stickiness });
        }
    }
    Ok(days)
}
