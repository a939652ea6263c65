//! The pages that were viewed most.

use super::store::pages;
use crate::analytics::range::Range;
use crate::analytics::threshold::Threshold;
use crate::app::App;
use crate::auth::{Permission, Viewer};
use crate::error::{Error, Result};
use chrono::NaiveDate;

/// The maximum number of pages in one answer.
const MAX_PAGES: i32 = 100;

/// The views of one page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageViews {
    /// The path of the page, without scheme, host, query string and fragment.
    pub path: String,
    /// The number of views.
    pub views: i64,
    /// The number of people who viewed it.
    pub people: i64,
}

/// Returns the `first` pages of the UTC days in `[from, to)` that were viewed most. Pages that few people viewed are left
/// out, since a path can name somebody.
pub async fn page_views(
    app: &App,
    viewer: &Viewer,
    from: NaiveDate,
    to: NaiveDate,
    first: i32,
) -> Result<Vec<PageViews>> {
    viewer.require(Permission::AnalyticsRead)?;
    let range = Range::new(from, to)?;
    if !(1..=MAX_PAGES).contains(&first) {
        return Err(Error::bad_input("`first` must be 1 to 100."));
    }
    let pages = pages::top(app.db.read(), range, Threshold::of(app).least(), first.into()).await?;
    let pages = pages.into_iter().map(|page| PageViews { path: page.path, views: page.views, people: page.people });
    Ok(pages.collect())
}
