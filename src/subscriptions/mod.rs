//! An account's plan over time.
//!
//! Invariants: `subscriptions` holds the present state and equals the newest row of `subscription_versions`, which is
//! append-only and from which alone the past is read.

mod project;
mod store;

pub use project::{
    ObservedChange, ObservedDiscount, ObservedItem, ObservedState, ObservedSubscription, note_first_payment,
    project_subscription,
};
pub use store::mirror::mirrored;
pub use store::{History, Holder, Items, Subscriptions, WithPlan, current};
