//! Events by name and day, such as the use of features.

use super::event::check_names;
use super::store;
use crate::analytics::range::Range;
use crate::app::App;
use crate::auth::{Permission, Viewer};
use crate::error::{Error, Result};
use chrono::NaiveDate;

pub use super::store::EventCount;

/// The maximum number of names in one answer.
const MAX_NAMES: usize = 20;

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
    store::counts(app.db.read(), &names, range.from, range.to).await
}
