//! Derives records from objects.
//!
//! A record is derived from the newest versions of all objects that say something about it. Objects that it refers to
//! may be missing; it is then written without them, and again when they arrive.

mod catalogue;
mod context;
mod discounts;
mod dispatch;
mod money;
mod owner;
mod stream;
mod subscriptions;
mod versions;

pub(super) use context::{Outcome, Policy, Projection};
pub(super) use dispatch::project;
