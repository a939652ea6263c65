//! The credits of an account in one unit, in memory: pure functions from a state and an operation to postings.
//!
//! A wallet is read under the lock of its balance, settled to the present, changed by any number of operations, and
//! written at once. A reader settles it too, and throws it away.

mod grants;
mod holds;
mod post;
mod reverse;
mod settle;
mod spend;
mod state;
#[cfg(test)]
mod tests;
mod transfer;

pub(super) use holds::{HoldEnd, held_parts};
pub(super) use post::Cause;
pub(super) use state::{Moment, RowState, Tracked, Wallet};
