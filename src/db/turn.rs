//! The turns of those who need a transaction of their own in the write lane of SQLite.

use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The turns, one after the other.
#[derive(Debug)]
pub(super) struct Turns(Arc<Semaphore>);

/// The permission to run in a transaction of one's own, until dropped.
pub(super) struct Turn {
    _permit: OwnedSemaphorePermit,
}

impl Turns {
    pub(super) fn new() -> Turns {
        Turns(Arc::new(Semaphore::new(1)))
    }

    /// Waits for a turn; `None` never happens, since the turns are never closed.
    pub(super) async fn next(&self) -> Option<Turn> {
        let permit = Arc::clone(&self.0).acquire_owned().await;
        permit.ok().map(|_permit| Turn { _permit })
    }
}
