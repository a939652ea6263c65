//! An account's plan over time.
//!
//! Invariants: `subscriptions` holds the present state and equals the newest row of `subscription_versions`, which is
//! append-only and from which alone the past is read.

mod store;

pub use store::{History, Holder, Items, Subscriptions, WithPlan, current};
