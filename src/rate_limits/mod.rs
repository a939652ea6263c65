//! Rate limits as data: rules by code, and counters by identifier in fixed windows that are aligned to 1970.
//!
//! Invariants: a window takes at most the rule's number of units, over all nodes and callers; a take that does not fit
//! counts nothing.

mod define;
mod jobs;
mod place;
mod store;
mod take;

pub use define::{NewRateLimit, RateLimitChange, create_rate_limit, update_rate_limit};
pub use jobs::PurgeRateLimits;
pub use store::RateLimits;
pub use take::{NewTake, Taken, take};
