//! Sessions and page views of users and visitors, and the daily use of features.
//!
//! Invariants: the rows of `visitor_sessions`, `session_daily` and `feature_daily` follow from the events alone. Triggers
//! mark the people and days that an event touches, and the visitor whom an alias touches, in its transaction. What is marked
//! is computed from the events until `RecomputeVisits` has made its rows again. Days that are not over are always counted
//! from the events.

mod pages;
mod recompute;
mod refresh;
mod session;
mod sessions;
mod store;

pub use pages::{PageViews, page_views};
pub use recompute::RecomputedVisits;
pub(in crate::analytics) use recompute::{rebuild, recompute_marked};
pub use sessions::{SessionDay, sessions};
pub(in crate::analytics) use store::features::name_days;
