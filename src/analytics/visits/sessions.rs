//! Sessions by day.

use super::refresh::{owners, refresh};
use super::session::{daily, empty_day};
use super::store::{self, marks};
use crate::analytics::derived;
use crate::analytics::person::Person;
use crate::analytics::range::Range;
use crate::analytics::threshold::Threshold;
use crate::app::App;
use crate::auth::{Permission, Viewer};
use crate::error::Result;
use crate::subscriptions::Exact;
use chrono::NaiveDate;
use entity::session_daily;
use std::collections::{BTreeMap, BTreeSet};

/// People of one statement.
const BATCH: usize = 500;

/// The sessions that started on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionDay {
    /// The UTC day.
    pub day: NaiveDate,
    /// The number of sessions; `None` if few people have one, as the other figures.
    pub sessions: Option<i64>,
    /// The number of people who have one.
    pub people: Option<i64>,
    /// The number of pages viewed in them.
    pub page_views: Option<i64>,
    /// Sessions of one event per sessions.
    pub bounce_rate: Option<Exact>,
    /// The mean time from the first to the last event, in seconds.
    pub mean_seconds: Option<Exact>,
}

/// Returns the sessions of the UTC days in `[from, to)`. Days without any have no row.
pub async fn sessions(app: &App, viewer: &Viewer, from: NaiveDate, to: NaiveDate) -> Result<Vec<SessionDay>> {
    viewer.require(Permission::AnalyticsRead)?;
    let range = Range::new(from, to)?;
    let snapshot = app.db.snapshot().await?;
    let stored = store::daily(&snapshot, range.from, range.to).await?;
    let mut days: BTreeMap<NaiveDate, session_daily::Model> = stored.into_iter().map(|row| (row.day, row)).collect();
    // An event changes sessions that start up to half an hour after it.
    let first = range.from.pred_opt().unwrap_or(range.from);
    let owners = owners(&snapshot, marks::people(&snapshot, first).await?).await?;
    let owners: Vec<(&Person, &BTreeSet<NaiveDate>)> = owners.iter().collect();
    for batch in owners.chunks(BATCH) {
        let refreshed = refresh(&snapshot, batch).await?;
        let before = daily(&refreshed.before.iter().collect::<Vec<_>>(), -1);
        let after = daily(&refreshed.after.iter().collect::<Vec<_>>(), 1);
        for change in before.into_iter().chain(after).filter(|change| range.contains(change.day)) {
            let row = days.entry(change.day).or_insert_with(|| empty_day(change.day));
            derived::add::<session_daily::Entity>(row, change)?;
        }
    }
    let threshold = Threshold::of(app);
    Ok(days.into_values().filter(|row| row.session_count > 0).map(|row| shown(&row, threshold)).collect())
}

fn shown(row: &session_daily::Model, threshold: Threshold) -> SessionDay {
    let people = threshold.group(row.people_count);
    let per_session =
        |sum: i64, scale: i128| people.map(|_| Exact::new(sum.into(), scale * i128::from(row.session_count)));
    SessionDay {
        day: row.day,
        sessions: people.map(|_| row.session_count),
        people,
        page_views: people.map(|_| row.page_view_count),
        bounce_rate: per_session(row.bounce_count, 1),
        mean_seconds: per_session(row.duration_us, 1_000_000),
    }
}
