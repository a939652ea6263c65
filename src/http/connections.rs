//! Connections that stay open: how many there may be, and their end with the process.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// The WebSockets and event streams of this node.
#[derive(Debug)]
pub struct Connections {
    free: Arc<Semaphore>,
    most: u32,
    stopping: watch::Sender<bool>,
}

/// One of them, until dropped.
pub(super) struct Guest {
    _place: OwnedSemaphorePermit,
    stopping: watch::Receiver<bool>,
}

impl Connections {
    /// Room for so many.
    pub fn new(most: u32) -> Connections {
        let places = usize::try_from(most).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Connections { free: Arc::new(Semaphore::new(places)), most, stopping: watch::Sender::new(false) }
    }

    /// A place, if one is free.
    pub(super) fn enter(&self) -> Option<Guest> {
        let place = Arc::clone(&self.free).try_acquire_owned().ok()?;
        Some(Guest { _place: place, stopping: self.stopping.subscribe() })
    }

    /// Tells all of them to end, and waits until they have.
    pub(super) async fn dismiss(&self) {
        self.stopping.send_replace(true);
        // Nobody closes it; and if somebody did, there would be nothing to wait for.
        let _ = self.free.acquire_many(self.most).await;
    }
}

impl Guest {
    /// Completes when the process is about to stop.
    pub(super) async fn dismissed(&mut self) {
        let _ = self.stopping.wait_for(|stopping| *stopping).await;
    }
}
