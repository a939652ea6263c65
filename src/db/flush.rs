//! Makes the commits of SQLite durable, many at once.
//!
//! A commit writes to the log without waiting for the disk (`synchronous = NORMAL`). Before its callers are answered, the
//! log is flushed here, while the lane executes the transactions that come next. So the processor and the disk work at the
//! same time. After a loss of power the log is read up to the last whole transaction, as always: what was not flushed was
//! not answered.

use super::work::Done;
use crate::error::{Error, Result};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_blocking;

/// The most transactions that wait for a flush; the lane waits until there is room.
const MAX_WAITING: usize = 16;

/// The outcome of a caller's work, and the channel that takes it.
pub(super) type Ended = (oneshot::Sender<Result<Done>>, Result<Done>);

/// Starts the task that flushes the log of the database in `file`, and returns its queue of committed transactions. It
/// ends when the queue is dropped.
pub(super) fn start(file: &Path) -> mpsc::Sender<Vec<Ended>> {
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    let (queue, waiting) = mpsc::channel(MAX_WAITING);
    tokio::spawn(run(PathBuf::from(log), waiting));
    queue
}

async fn run(log: PathBuf, mut queue: mpsc::Receiver<Vec<Ended>>) {
    let mut committed = Vec::with_capacity(MAX_WAITING);
    while queue.recv_many(&mut committed, MAX_WAITING).await > 0 {
        let log = log.clone();
        let flushed = match spawn_blocking(move || flush(&log)).await {
            Ok(flushed) => flushed,
            Err(error) => Err(io::Error::other(error)),
        };
        answer(committed.drain(..).flatten(), flushed.err().map(anyhow::Error::from));
    }
}

/// Waits until everything that was written to the log is on the disk. SQLite holds no lock on this file, which closing it
/// would end.
fn flush(log: &Path) -> io::Result<()> {
    File::options().write(true).open(log)?.sync_data()
}

/// Answers the callers; with an error, in place of success, if their transaction may be lost.
pub(super) fn answer(ended: impl IntoIterator<Item = Ended>, failure: Option<anyhow::Error>) {
    let failure = failure.map(Arc::new);
    if let Some(error) = &failure {
        tracing::error!(%error, "a commit failed");
    }
    for (outcome, result) in ended {
        let result = match &failure {
            Some(error) => result.and(Err(Error::Unavailable("The database", anyhow::anyhow!("{error:#}")))),
            None => result,
        };
        // A caller who was dropped meanwhile needs no answer.
        let _ = outcome.send(result);
    }
}
