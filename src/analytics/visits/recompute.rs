//! Makes the rows of marked people and days again, and of everybody.

use super::refresh::{owners, refresh};
use super::session::daily;
use super::store::{self, features, marks};
use crate::analytics::store::{marks::lock, totals};
use crate::analytics::{active, derived};
use crate::app::App;
use crate::db::Txn;
use crate::error::Result;
use chrono::NaiveDate;
use entity::{session_daily, visitor_sessions};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use uuid::Uuid;

/// Marks of people of one transaction. On SQLite nobody else writes meanwhile.
const PEOPLE: usize = 500;
/// Visitors of one transaction who turned out to be users.
const VISITORS: usize = 200;
/// Days of one transaction whose names are counted.
const DAYS: usize = 5;
/// Days of one transaction whose active people are counted.
const ACTIVE_DAYS: usize = 3;

/// The work of a recomputation of sessions and of the use of features.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RecomputedVisits {
    /// Marked people and days that were dealt with.
    pub marks: usize,
    /// Sessions that were missing, or different, or too many.
    pub session_rows: usize,
    /// Rows of daily counts of names that were missing, or different, or too many.
    pub feature_rows: usize,
    /// Rows of active users that were missing, or different, or too many.
    pub active_rows: usize,
    /// Rows of sums of sessions that were wrong although the sessions were right; only known after a rebuild.
    pub total_rows: usize,
}

/// Makes the rows of marked people and of days that are over again, in steps that are committed one by one, until those that
/// were marked at the start are made or `limit` has passed.
pub(in crate::analytics) async fn recompute_marked(app: &App, limit: Duration) -> Result<RecomputedVisits> {
    let start = app.clock.steady();
    let mut done = RecomputedVisits::default();
    while app.clock.steady().saturating_sub(start) < limit && step(app, &mut done).await? {}
    Ok(done)
}

/// Makes all rows again, of everybody, and corrects those that differ. `progress` gets the marks done and those left.
pub(in crate::analytics) async fn rebuild(app: &App, progress: impl Fn(u64, u64) + Send) -> Result<RecomputedVisits> {
    app.db.write(|txn| Box::pin(async move { marks::mark_all(txn).await })).await?;
    let mut done = RecomputedVisits::default();
    loop {
        let left = marks::count(app.db.read(), app.now().date_naive()).await?;
        progress(u64::try_from(done.marks).unwrap_or(u64::MAX), u64::try_from(left).unwrap_or_default());
        if !step(app, &mut done).await? {
            break;
        }
    }
    for day in store::days(app.db.read()).await? {
        done.total_rows += app.db.write(move |txn| Box::pin(sum_day(txn, day))).await?;
    }
    Ok(done)
}

/// Makes the rows of a batch of marks, and returns whether there can be more. A batch that is not full has all that were
/// marked before it.
async fn step(app: &App, done: &mut RecomputedVisits) -> Result<bool> {
    let today = app.now().date_naive();
    let visitors = app
        .db
        .write(|txn| {
            Box::pin(async move {
                lock(txn).await?;
                marks::spread_visitors(txn, VISITORS).await
            })
        })
        .await?;
    let (people, session_rows) = app.db.write(|txn| Box::pin(make_sessions(txn))).await?;
    let (days, feature_rows) = app.db.write(move |txn| Box::pin(make_features(txn, today))).await?;
    let (active, active_rows) = app
        .db
        .write(|txn| {
            Box::pin(async move {
                lock(txn).await?;
                active::make(txn, ACTIVE_DAYS).await
            })
        })
        .await?;
    done.marks += people + days;
    done.active_rows += active_rows;
    done.session_rows += session_rows;
    done.feature_rows += feature_rows;
    Ok(visitors >= VISITORS || people >= PEOPLE || days >= DAYS || active >= ACTIVE_DAYS)
}

async fn make_features(txn: &Txn, today: NaiveDate) -> Result<(usize, usize)> {
    lock(txn).await?;
    let days = marks::take_days(txn, today, DAYS).await?;
    if days.is_empty() {
        return Ok((0, 0));
    }
    active::mark(txn, &days).await?;
    Ok((days.len(), features::make_days(txn, &days).await?))
}

async fn make_sessions(txn: &Txn) -> Result<(usize, usize)> {
    lock(txn).await?;
    let (marks, taken) = marks::take_people(txn, PEOPLE).await?;
    if marks.is_empty() {
        return Ok((0, 0));
    }
    let owners = owners(txn, marks).await?;
    let owners: Vec<_> = owners.iter().collect();
    let refreshed = refresh(txn, &owners).await?;
    let before: Vec<&visitor_sessions::Model> = refreshed.before.iter().collect();
    let after: Vec<&visitor_sessions::Model> = refreshed.after.iter().collect();
    let changes = daily(&after, 1).into_iter().chain(daily(&before, -1)).map(Ok);
    totals::apply::<session_daily::Entity>(txn, derived::collect::<session_daily::Entity>(changes)?).await?;
    let mut wanted: BTreeMap<Uuid, visitor_sessions::Model> =
        refreshed.after.into_iter().map(|session| (session.id, session)).collect();
    let mut gone = BTreeSet::new();
    for session in refreshed.before {
        if wanted.get(&session.id) == Some(&session) {
            wanted.remove(&session.id);
        } else {
            gone.insert(session.id);
        }
    }
    let differing = wanted.len() + gone.iter().filter(|id| !wanted.contains_key(id)).count();
    store::replace(txn, &gone, wanted.into_values().collect()).await?;
    Ok((taken, differing))
}

/// Sums the sessions of a day again, and returns 1 if the sums were wrong.
async fn sum_day(txn: &Txn, day: NaiveDate) -> Result<usize> {
    lock(txn).await?;
    let sessions = store::sessions_of_day(txn, day).await?;
    let wanted = daily(&sessions.iter().collect::<Vec<_>>(), 1).pop();
    let next = day.succ_opt().unwrap_or(day);
    if store::daily(txn, day, next).await?.pop() == wanted {
        return Ok(0);
    }
    store::replace_day(txn, day, wanted).await?;
    Ok(1)
}
