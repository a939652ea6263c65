//! What the payment providers sent: received, kept whole, and applied to the mirror in any order.
//!
//! Invariants: an event is kept once; what is kept is applied, or waits, or is parked in plain sight; the rows of the
//! mirror are what the newest states of the providers' objects say, whatever order they were told in.

mod answer;
mod apply;
mod backlog;
mod billing;
mod catalogue;
mod clean;
mod drift;
mod envelope;
mod fetch;
mod jobs;
mod json;
mod money;
mod object;
mod order;
mod owner;
mod paddle;
mod reader;
mod rebuild;
mod receive;
mod reconcile;
mod records;
mod replay;
mod store;
mod stripe;
mod waiting;

pub use answer::{refresh, take_answer};
pub use backlog::backlog;
pub use drift::Drift;
pub use jobs::{ApplyObject, ReapplyPrice, WakeWaiting};
pub use rebuild::{Rebuilt, rebuild};
pub use receive::{Declined, Delivery, Receipt, receive};
pub use reconcile::{Comparison, ReconcileEvents, ReconcileList, Reconciled, SweepObjects, reconcile, resync_account};
pub use replay::{MOST_REPLAYED, Replay, replay_event, replay_events};
pub use store::{Backlog, Events};
