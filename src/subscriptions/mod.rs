//! An account's plan over time.
//!
//! Invariants: `subscriptions` holds the present state and equals the newest row of `subscription_versions`, which is
//! append-only and from which alone the past is read.

mod project;
mod store;

pub use project::{
    ObservedChange, ObservedDiscount, ObservedItem, ObservedState, ObservedSubscription, project_subscription,
};
pub use store::{History, Holder, Items, ScheduledChanges, Subscriptions, WithPlan, current};
