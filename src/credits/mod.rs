//! The append-only double-entry credit ledger.
//!
//! Invariants: the entries of a transaction add up to zero; a balance equals the sum of its entries and is never
//! negative; `remaining` of a grant is what its entries left of it. The database enforces the first, and that no
//! balance falls below zero; `post` keeps the rest, and the property tests check all of them against a model.
//!
//! Who changes `remaining` of a grant holds the lock of its balance. A grant expires once: what comes back to it later,
//! as from a hold, goes to `expired` in the same posting and never through `available`.

mod expire;
mod grant;
mod jobs;
mod post;
mod purchase;
mod store;
mod values;

pub use expire::expire;
pub use grant::{NewGrant, grant};
pub use jobs::ExpireCredits;
pub use purchase::{ObservedPurchase, kept, project_purchase, taken_back};
pub use store::{Balances, Entries, Grants};
pub use values::{GrantSource, LedgerBucket, LedgerOperation};
