//! Open WebSockets and event streams: their maximum number, and their end at shutdown.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// The WebSockets and event streams of this node.
#[derive(Debug)]
pub struct Connections {
    free: Arc<Semaphore>,
    max: u32,
    stopping: watch::Sender<bool>,
}

/// The permit for one connection, returned when it is dropped.
pub(super) struct ConnectionPermit {
    _permit: OwnedSemaphorePermit,
    stopping: watch::Receiver<bool>,
}

impl Connections {
    /// Allows at most `max` connections.
    pub fn new(max: u32) -> Connections {
        let permits = usize::try_from(max).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Connections { free: Arc::new(Semaphore::new(permits)), max, stopping: watch::Sender::new(false) }
    }

    /// Returns a permit if one is free.
    pub(super) fn acquire(&self) -> Option<ConnectionPermit> {
        let permit = Arc::clone(&self.free).try_acquire_owned().ok()?;
        Some(ConnectionPermit { _permit: permit, stopping: self.stopping.subscribe() })
    }

    /// Asks all connections to end and waits until they have.
    pub(super) async fn close_all(&self) {
        self.stopping.send_replace(true);
        // Fails only if the semaphore is closed, which never happens.
        let _ = self.free.acquire_many(self.max).await;
    }
}

impl ConnectionPermit {
    /// Completes when the server is about to stop.
    pub(super) async fn closing(&mut self) {
        let _ = self.stopping.wait_for(|stopping| *stopping).await;
    }
}
