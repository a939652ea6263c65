//! The execution of mutations, which must not end half-way, whoever waits for it.

use std::{sync::Arc, time::Duration};

use crate::detached::Detached;

/// The way in which mutations run.
pub(super) struct Mutations {
    /// The time that a caller waits.
    pub(super) time_limit: Duration,
    detached: Arc<Detached>,
}

impl Mutations {
    /// Creates the way of mutations whose callers wait for `time_limit`.
    pub(super) fn new(time_limit: Duration, detached: Arc<Detached>) -> Self {
        Mutations { time_limit, detached }
    }

    /// Runs a mutation to its end, even if the wait for it is dropped.
    pub(super) async fn run<T: Send + 'static>(&self, running: impl Future<Output = T> + Send + 'static) -> T {
        self.detached.run(self.time_limit, running).await
    }
}
