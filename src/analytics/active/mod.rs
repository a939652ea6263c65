//! Daily, weekly and monthly active users.
//!
//! Invariants: the rows of `active_users_daily` follow from the days on which people have events. What is marked is counted
//! from these days until `RecomputeVisits` has made its rows again.

mod store;

use self::store::Activity;
use crate::analytics::range::Range;
use crate::analytics::threshold::Threshold;
use crate::app::App;
use crate::auth::{Permission, Viewer};
use crate::error::Result;
use crate::subscriptions::Exact;
use chrono::NaiveDate;
use std::collections::BTreeMap;

pub(in crate::analytics) use self::store::{make, mark};

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
    let snapshot = app.db.snapshot().await?;
    let marked = store::marked(&snapshot, range.to).await?;
    let mut activity = store::stored(&snapshot, range.from, range.to, &marked).await?;
    activity.extend(store::counted(&snapshot, &marked).await?);
    let [users, visitors] =
        [false, true].map(|are| counts(activity.iter().filter(|row| row.are_visitors == are), range));
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

/// Returns the number of active people of each day in `range` from the changes of all days before its end.
fn counts<'a>(activity: impl Iterator<Item = &'a Activity>, range: Range) -> Vec<(NaiveDate, Counts)> {
    let (mut by_day, mut counts): (BTreeMap<NaiveDate, &Activity>, _) = (BTreeMap::new(), Counts::default());
    for change in activity {
        match change.day.filter(|day| range.contains(*day)) {
            Some(day) => drop(by_day.insert(day, change)),
            None => counts.add(change),
        }
    }
    let days = range.from.iter_days().take_while(|day| *day < range.to).map(|day| {
        counts.daily = 0;
        by_day.get(&day).into_iter().for_each(|change| counts.add(change));
        (day, counts)
    });
    days.collect()
}

impl Counts {
    fn add(&mut self, change: &Activity) {
        self.daily = change.daily;
        self.weekly += change.weekly_change;
        self.monthly += change.monthly_change;
    }
}
