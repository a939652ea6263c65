//! Recent changes, recorded in the transaction of the change itself and delivered to watchers on every node.
//!
//! Invariants: a change is delivered after its commit and never before; every watcher gets every change once, or learns
//! that there were too many; of a kind that is frequent, several changes of one subject are delivered as one, no earlier
//! than the last of them; without watchers nothing is read.

mod change;
mod feed;
mod mailbox;
mod purge;
mod record;
mod store;
mod upcoming;

pub use change::{Change, Kind};
pub use feed::{Feed, Interest, Watcher};
pub use purge::PurgeChanges;
pub use record::{record, record_all};
pub use upcoming::Upcoming;
