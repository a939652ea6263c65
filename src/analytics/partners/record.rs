//! Reports about the days of partners.

use super::day::{Key, PartnerDay};
use super::store;
use crate::analytics::batch::{check_each, in_order};
use crate::analytics::reported::report_time;
use crate::app::App;
use crate::auth::{Permission, Viewer};
use crate::error::{Error, Result};
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, BTreeSet};

/// The maximum number of days in one request.
const MAX_DAYS: usize = 1_000;

/// The outcome for a day that was not refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reported {
    /// The figures were recorded.
    Recorded,
    /// Newer figures are known, and nothing changed.
    Superseded,
}

/// Records figures of days, each for itself: one that is refused keeps none of the others from being recorded. Figures
/// replace those that were reported earlier. Returns the outcomes in the order of the days.
pub async fn record_partner_stats(app: &App, viewer: &Viewer, days: Vec<PartnerDay>) -> Result<Vec<Result<Reported>>> {
    viewer.require(Permission::EventsWrite)?;
    if days.len() > MAX_DAYS {
        let message = "At most 1,000 days can be recorded at once: send the others in another request.";
        return Err(Error::refused("TOO_MANY_DAYS", &["stats"], message));
    }
    let now = app.now();
    let (checked, refused) = check_each(days, |day| {
        day.check(now)?;
        Ok((report_time(day.reported_at, now)?, day))
    })?;
    let places: Vec<usize> = checked.iter().map(|(place, _)| *place).collect();
    let mut newest: BTreeMap<Key, (usize, DateTime<Utc>, PartnerDay)> = BTreeMap::new();
    for (place, (reported_at, day)) in checked {
        let key = (day.partner.clone(), day.day, day.currency.clone());
        // Of two of one time the later one in the request counts.
        if newest.get(&key).is_none_or(|(_, known, _)| *known <= reported_at) {
            newest.insert(key, (place, reported_at, day));
        }
    }
    let recorded = if newest.is_empty() { BTreeSet::new() } else { record(app, newest).await? };
    let outcome = |place| if recorded.contains(place) { Reported::Recorded } else { Reported::Superseded };
    Ok(in_order(places.iter().map(|place| (*place, Ok(outcome(place)))).collect(), refused))
}

/// Stores the figures of days, and returns the places of those that count.
async fn record(app: &App, newest: BTreeMap<Key, (usize, DateTime<Utc>, PartnerDay)>) -> Result<BTreeSet<usize>> {
    let recorded = app.db.write(move |txn| {
        Box::pin(async move {
            let places: BTreeMap<Key, usize> = newest.iter().map(|(key, (place, ..))| (key.clone(), *place)).collect();
            let rows = newest.into_values().map(|(_, reported_at, day)| (day, reported_at)).collect();
            let keys = store::record(txn, rows).await?;
            Ok(keys.iter().filter_map(|key| places.get(key).copied()).collect())
        })
    });
    recorded.await
}
