//! Recent changes, recorded in the transaction of the change itself and delivered to watchers on every node.
//!
//! Invariants: a change is delivered after its commit and never before; every watcher gets every change once, or learns
//! that there were too many; without watchers nothing is read.

mod change;
mod feed;
mod purge;
mod record;
mod store;

pub use change::{Change, Kind};
pub use feed::{Feed, Interest, Watcher};
pub use purge::PurgeChanges;
pub use record::{record, record_all};
