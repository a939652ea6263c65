//! A signal from commits to a task that waits for new rows.

use tokio::sync::Notify;

/// A signal that commits send and one task waits for.
#[derive(Debug, Default)]
pub struct CommitSignal(Notify);

impl CommitSignal {
    /// Waits for a commit since the last wait. For one waiting task.
    pub async fn wait(&self) {
        self.0.notified().await;
    }

    pub(super) fn notify(&self) {
        self.0.notify_one();
    }
}
