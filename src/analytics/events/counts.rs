//! Events by name and day, such as the use of features.

use super::event::check_names;
use crate::analytics::range::Range;
use crate::analytics::threshold::Threshold;
use crate::analytics::visits::name_days;
use crate::app::App;
use crate::auth::{Permission, Viewer};
use crate::error::{Error, Result};
use chrono::NaiveDate;

/// The maximum number of names in one answer.
const MAX_NAMES: usize = 20;

/// The events of one name on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventCount {
    /// The UTC day.
    pub day: NaiveDate,
    /// The name.
    pub name: String,
    /// The number of events; `None` if few people have one.
    pub events: Option<i64>,
    /// The number of people who have one; `None` for few.
    pub people: Option<i64>,
}

/// Returns the events of these names on the UTC days in `[from, to)`, by day and name. Days without any have no row.
pub async fn event_counts(
    app: &App,
    viewer: &Viewer,
    names: Vec<String>,
    from: NaiveDate,
    to: NaiveDate,
) -> Result<Vec<EventCount>> {
    viewer.require(Permission::AnalyticsRead)?;
    if names.is_empty() || names.len() > MAX_NAMES {
        return Err(Error::bad_input("`names` must have 1 to 20 names of events."));
    }
    check_names(&names)?;
    let range = Range::new(from, to)?;
    let threshold = Threshold::of(app);
    let counts = name_days(app.db.read(), &names, range).await?.into_iter().map(|count| {
        let people = threshold.group(count.people);
        EventCount { day: count.day, name: count.name, events: people.map(|_| count.events), people }
    });
    Ok(counts.collect())
}
