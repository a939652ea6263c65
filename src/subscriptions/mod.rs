//! Subscriptions: an account's plan over time.
//!
//! Invariants: `subscriptions` holds the present state and equals the newest row of `subscription_versions`, which is
//! append-only and the only source for the past. Of several versions with one effective time the last one counts, by
//! `recorded_at` and by `id` alike; the others record earlier knowledge. The annual value of a state is computed per
//! item and discount, in the subscription's currency, and rounded once; an amount that is not known makes it NULL.

mod exact;
mod metadata;
mod project;
mod store;
mod trials;
mod values;

pub use exact::{Exact, decimal};
pub use metadata::visible_metadata;
pub use project::{
    DiscountOff, DiscountTerms, ObservedChange, ObservedDiscount, ObservedItem, ObservedPlannedItem, ObservedState,
    ObservedSubscription, Package, Pricing, Tier, note_first_payment, project_subscription,
};
pub use store::discounts::{ArrChanges, Discounts, discounted_by, had_discounts};
pub(crate) use store::mirror::scheduled;
pub use store::mirror::{billing_for, by_external_id, by_id, find, find_id, has_plan, item, items_of, with_price};
pub use store::{History, Holder, Items, ScheduledChanges, Subscriptions, WithPlan, current};
pub use trials::{had_trial, trial_available};
pub use values::{DiscountDuration, DiscountScope, ItemKind, ScheduledChangeKind, SubscriptionStatus};
