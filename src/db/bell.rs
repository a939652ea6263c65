//! Wakes who waits for new rows, after the commit that holds them.

use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Notify;

/// Rung inside a transaction, heard after its commit.
#[derive(Debug, Default)]
pub struct Bell {
    rung: AtomicU64,
    heard: Notify,
}

impl Bell {
    /// Asks for the listener to be woken when the transaction at hand is committed, if it is.
    pub fn ring(&self) {
        self.rung.fetch_add(1, Ordering::SeqCst);
    }

    /// Waits until something was committed for which the bell was rung, since the last wait. For one listener.
    pub async fn listen(&self) {
        self.heard.notified().await;
    }

    /// How often it was rung. One write that sees this change over its duration cannot tell its own ringing from that
    /// of another that runs meanwhile, and wakes the listener once too often rather than never.
    pub(super) fn count(&self) -> u64 {
        self.rung.load(Ordering::SeqCst)
    }

    pub(super) fn sound(&self) {
        self.heard.notify_one();
    }
}
