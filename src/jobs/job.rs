//! The trait of background jobs.

use crate::app::App;
use crate::error::Result;
use serde::{Serialize, de::DeserializeOwned};

/// The slots that jobs run in: so many jobs of a group run at a time on one node, whatever the others do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slots {
    /// Work within the database.
    Local,
    /// The application of the providers' events.
    Events,
    /// Work that waits for other servers.
    Network,
}

impl Slots {
    pub(super) const ALL: [Slots; 3] = [Slots::Local, Slots::Events, Slots::Network];

    /// Returns the number of jobs of this group that one node runs at a time. A job holds at most one connection of the
    /// pool, and none while it waits for another server.
    pub(super) fn count(self) -> usize {
        match self {
            Slots::Local => 2,
            Slots::Events => 6,
            Slots::Network => 4,
        }
    }
}

/// A piece of work to run later. Its fields are stored as JSON until then.
///
/// A new version must still read the fields that an older version stored.
pub trait Job: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The name in the database and in logs; it never changes.
    const KIND: &'static str;
    /// The slots that it runs in.
    const SLOTS: Slots = Slots::Local;

    /// Returns the key that makes two jobs of this kind one, such as the id of the object they work on; see
    /// [`Txn::enqueue`](crate::db::Txn::enqueue). `None` keeps every job apart.
    fn unique_key(&self) -> Option<String> {
        None
    }

    /// Runs the job. It may run more than once, and is aborted after four minutes: a long job works in steps that are
    /// committed one by one. After an error or a panic it is retried later.
    fn run(self, app: &App) -> impl Future<Output = Result<()>> + Send;
}
