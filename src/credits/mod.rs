//! The append-only double-entry credit ledger.
//!
//! Invariants: the entries of a transaction add up to zero; a balance equals the sum of its entries and is never
//! negative; `remaining` of a grant is what its entries left of it. The database enforces the first, and that no
//! balance falls below zero; `post` keeps the rest, and the property tests check all of them against a model.

mod grant;
mod post;
mod store;

pub use grant::{NewGrant, grant};
pub use store::{Balances, Entries, Grants};
