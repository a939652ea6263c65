//! The admission of expensive operations: those that run at the same time share a limit, which bounds the memory of the
//! process whatever the number of callers.

use std::{sync::Arc, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Operations up to this cost need no permit: they are short, and far more of them fit into memory.
const CHEAP: u64 = 500;

/// A part of the limit, taken until it is dropped.
pub(super) type Permit = OwnedSemaphorePermit;

/// The limit of the cost of running operations.
pub struct Admission {
    permits: Arc<Semaphore>,
    total: u32,
}

impl Admission {
    pub(super) fn new(total: u32) -> Admission {
        let permits = Semaphore::new(usize::try_from(total).unwrap_or(Semaphore::MAX_PERMITS));
        Admission { permits: Arc::new(permits), total }
    }

    /// Waits until an operation of this cost may start. Returns the permit, to be kept as long as its reply is in memory;
    /// fails if the others take longer than `patience`.
    pub(super) async fn enter(&self, cost: u64, patience: Duration) -> Result<Option<Permit>, Busy> {
        if cost <= CHEAP {
            return Ok(None);
        }
        let permits = u32::try_from(cost).unwrap_or(u32::MAX).min(self.total);
        let entering = Arc::clone(&self.permits).acquire_many_owned(permits);
        match tokio::time::timeout(patience, entering).await {
            Ok(Ok(permit)) => Ok(Some(permit)),
            _ => Err(Busy),
        }
    }
}

/// No permit became free in time.
#[derive(Debug)]
pub(super) struct Busy;
