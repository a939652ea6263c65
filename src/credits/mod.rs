//! The append-only double-entry credit ledger.
//!
//! Invariants: the entries of a transaction add up to zero; a balance equals the sum of its entries and is never
//! negative; `remaining` of a grant is its amount less its entries. The database enforces the first, and that no
//! balance falls below zero; `post` ensures the rest, and the property tests check all of them against a model.
//!
//! Every change of `remaining` of a grant happens under the lock of its balance. A grant expires once: credits returned
//! to it later, for example from a hold, go to `expired` in the same posting and never through `available`.

mod expire;
mod grant;
mod jobs;
mod post;
mod posting;
mod purchase;
mod store;
mod values;

pub use expire::expire;
pub use grant::{NewGrant, grant};
pub use jobs::ExpireCredits;
pub use purchase::{ObservedPurchase, Purchase, credits_kept, find_purchase, project_purchase};
pub use store::{Balances, Entries, Grants};
pub use values::{GrantSource, LedgerBucket, LedgerOperation};
