//! Daily, weekly and monthly active users.

use super::store::{self, Activity};
use crate::analytics::range::Range;
use crate::analytics::threshold::Threshold;
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
    /// The number of people with an event on the day; `None` for few.
    pub daily: Option<i64>,
    /// The number of people with an event on the day or the 6 days before; `None` for few.
    pub weekly: Option<i64>,
    /// The number of people with an event on the day or the 29 days before; `None` for few.
    pub monthly: Option<i64>,
    /// Daily per monthly; `None` without monthly ones, or if one of both is hidden.
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
    let activity = store::activity(app.db.read(), first, range.to).await?;
    let [users, visitors] =
        [false, true].map(|are| counts(activity.iter().filter(|row| row.are_visitors == are), first, range));
    let threshold = Threshold::of(app);
    let shown = |users: i64, visitors: i64| match with_visitors {
        false => threshold.group(users),
        // The users are shown elsewhere: without them, the visitors must not be few.
        true => threshold.group(users + visitors).filter(|_| threshold.hides(users) || !threshold.hides(visitors)),
    };
    let days = users.into_iter().zip(visitors).map(|((day, users), (_, visitors))| {
        let daily = shown(users.daily, visitors.daily);
        let weekly = shown(users.weekly, visitors.weekly);
        let monthly = shown(users.monthly, visitors.monthly);
        let of = daily.zip(monthly).filter(|(_, monthly)| *monthly > 0);
        let stickiness = of.map(|(daily, monthly)| Exact::new(daily.into(), monthly.into()));
        ActiveDay { day, daily, weekly, monthly, stickiness }
    });
    Ok(days.collect())
}

/// The number of people who were active up to one day.
#[derive(Clone, Copy, Default)]
struct Counts {
    daily: i64,
    weekly: i64,
    monthly: i64,
}

/// Returns the number of active people of each day in `range` from the activity of the days from `first` on.
fn counts<'a>(
    activity: impl Iterator<Item = &'a Activity>,
    first: NaiveDate,
    range: Range,
) -> Vec<(NaiveDate, Counts)> {
    let by_day: BTreeMap<NaiveDate, &Activity> = activity.map(|activity| (activity.day, activity)).collect();
    let (mut days, mut counts) = (Vec::new(), Counts::default());
    for day in first.iter_days().take_while(|day| *day < range.to) {
        let today = by_day.get(&day);
        let ago = |length: u64| day.checked_sub_days(Days::new(length)).and_then(|day| by_day.get(&day));
        counts.daily = today.map_or(0, |it| it.daily);
        counts.weekly += today.map_or(0, |it| it.weeks_begun) - ago(WEEK).map_or(0, |it| it.weeks_ended);
        counts.monthly += today.map_or(0, |it| it.months_begun) - ago(MONTH).map_or(0, |it| it.months_ended);
        if range.contains(day) {
            days.push((day, counts));
        }
    }
    days
}
