//! Wakes who waits for new rows, after the commit that holds them.

use tokio::sync::Notify;

/// Sounded after a commit.
#[derive(Debug, Default)]
pub struct Bell {
    heard: Notify,
}

impl Bell {
    /// Waits until it has sounded since the last wait. For one listener.
    pub async fn listen(&self) {
        self.heard.notified().await;
    }

    pub(super) fn sound(&self) {
        self.heard.notify_one();
    }
}
