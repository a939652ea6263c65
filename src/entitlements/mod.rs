//! Entitlements: what the plan of an account, its add-ons and its overrides let it use, and how much is left.
//!
//! Invariants: the answer is a pure function of loaded facts; a use is checked and counted in all windows of its feature
//! in one transaction, so that no window is overrun by several callers; an account has at most one override in force for
//! each feature and window.

mod consume;
mod decide;
mod evaluate;
mod overrides;
mod read;
mod refusals;
mod store;
mod unlock;
mod upcoming;
mod values;

pub use consume::{Consumed, NewConsumption, consume};
pub use decide::WindowUse;
pub use evaluate::Entitlement;
pub use overrides::{NewOverride, revoke_override, set_override};
pub use read::{Answer, Asked, read};
pub use store::Overrides;
pub use unlock::{Offer, offers, unlocks};
pub use upcoming::next_change;
pub use values::EntitlementReason;
