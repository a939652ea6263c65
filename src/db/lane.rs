//! The write lane of SQLite: one connection, one task, and commits that many callers share.
//!
//! SQLite has one writer at a time, and a durable commit waits for the disk. So the lane opens a transaction, runs the
//! work of every caller who is waiting, each in a savepoint of its own, and commits once. They are answered when the commit
//! is on the disk (`flush.rs`), while the lane goes on with those who came meanwhile. A caller's failure rolls back that
//! caller's savepoint and nobody else's, and so does work that takes too long.
//!
//! Operations that were combined before come as one piece of work that has a turn, of which there is one: it needs no
//! savepoint, which would copy every page that changes, and the next operations are combined when the lane can take them.

use super::flush::{self, Ended};
use super::turn::{Turn, Turns};
use super::watch::Watch;
use super::work::{Done, Work};
use crate::clock::Clock;
use crate::error::{Error, Result};
use sea_orm::{DatabaseConnection, DatabaseTransaction, SqliteTransactionMode, TransactionOptions, TransactionTrait};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// The most callers that share a commit, so that the first of them is answered in time.
const MAX_PER_COMMIT: usize = 512;

/// A caller's work, and the channel that takes its outcome.
struct Task {
    work: Work,
    outcome: oneshot::Sender<Result<Done>>,
}

/// The entrance to the lane.
#[derive(Debug)]
pub(super) struct Lane {
    tasks: mpsc::Sender<Task>,
    connection: DatabaseConnection,
    turns: Turns,
}

impl Lane {
    /// Starts the lane on the only connection that writes to the database in `file`. Work that takes longer than `limit`
    /// is rolled back. It ends when the last sender is dropped.
    pub(super) fn start(
        file: &Path,
        connection: DatabaseConnection,
        (clock, watch): (&Arc<Clock>, &Arc<Watch>),
        limit: Duration,
    ) -> Lane {
        let (tasks, queue) = mpsc::channel(MAX_PER_COMMIT * 2);
        let parts = (Arc::clone(clock), Arc::clone(watch));
        tokio::spawn(run(connection.clone(), queue, flush::start(file), parts, limit));
        Lane { tasks, connection, turns: Turns::new() }
    }

    pub(super) fn connection(&self) -> &DatabaseConnection {
        &self.connection
    }

    /// Waits for a turn.
    pub(super) async fn turn(&self) -> Option<Turn> {
        self.turns.next().await
    }

    /// Runs `work` in a shared transaction, or in one of its own, and returns its outcome after the commit.
    pub(super) async fn write(&self, work: Work) -> Result<Done> {
        let (outcome, received) = oneshot::channel();
        // The cause is in the log: the lane could not begin a transaction, or has stopped.
        let closed = || Error::Unavailable("The database", anyhow::anyhow!("the write lane gave no answer"));
        self.tasks.send(Task { work, outcome }).await.map_err(|_| closed())?;
        // A task that is dropped without an outcome never began; the log says why.
        let not_begun = || Error::Unavailable("The database", anyhow::anyhow!("no transaction for this write"));
        received.await.map_err(|_| not_begun())?
    }
}

async fn run(
    connection: DatabaseConnection,
    mut queue: mpsc::Receiver<Task>,
    committed: mpsc::Sender<Vec<Ended>>,
    (clock, watch): (Arc<Clock>, Arc<Watch>),
    limit: Duration,
) {
    while let Some(first) = queue.recv().await {
        let immediate = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..Default::default()
        };
        match connection.begin_with_options(immediate).await {
            Ok(txn) => {
                let is_committed = match first.work.turn {
                    Some(_) => run_alone(txn, first, &committed, (&clock, limit)).await,
                    None => share(txn, first, &mut queue, &committed, (&clock, limit)).await,
                };
                watch.commits.fetch_add(u64::from(is_committed), Ordering::Relaxed);
                if !is_committed {
                    renew(&connection).await;
                }
            }
            // Dropping the task answers its caller with an error.
            Err(error) => tracing::error!(%error, "the write lane cannot begin a transaction"),
        }
    }
}

/// Closes the connection, so that the next transaction begins on a fresh one.
///
/// SQLite rolls a transaction back by itself where a write to the disk fails. sqlx does not notice, and nests the
/// transactions after it in one that nobody commits.
async fn renew(connection: &DatabaseConnection) {
    let closed = match connection.get_sqlite_connection_pool().acquire().await {
        Ok(held) => held.close().await,
        Err(error) => Err(error),
    };
    if let Err(error) = closed {
        tracing::error!(%error, "the connection of the write lane cannot be renewed");
    }
}

/// Runs `first` and every task that waits behind it, and commits once. Returns false if the commit failed.
async fn share(
    txn: DatabaseTransaction,
    first: Task,
    queue: &mut mpsc::Receiver<Task>,
    committed: &mpsc::Sender<Vec<Ended>>,
    (clock, limit): (&Arc<Clock>, Duration),
) -> bool {
    let mut ended = Vec::new();
    let mut next = Some(first);
    while let Some(Task { work, outcome }) = next {
        ended.push((outcome, in_savepoint(&txn, work, (clock, limit)).await));
        next = if ended.len() < MAX_PER_COMMIT { queue.try_recv().ok() } else { None };
    }
    match txn.commit().await {
        Ok(()) => {
            // The queue ends after the lane.
            let _ = committed.send(ended).await;
            true
        }
        Err(error) => {
            flush::answer(ended, Some(error.into()));
            false
        }
    }
}

/// Runs a task in the transaction and commits. Returns false if that failed. The turn ends with the commit.
async fn run_alone(
    txn: DatabaseTransaction,
    Task { mut work, outcome }: Task,
    committed: &mpsc::Sender<Vec<Ended>>,
    limits: (&Arc<Clock>, Duration),
) -> bool {
    let turn = work.turn.take();
    let result = within_limit(txn, work, limits).await;
    drop(turn);
    let is_committed = result.is_ok();
    match is_committed {
        true => {
            // The queue ends after the lane.
            let _ = committed.send(vec![(outcome, result)]).await;
        }
        false => flush::answer([(outcome, result)], None),
    }
    is_committed
}

/// Runs work in a savepoint, which is rolled back if it fails or takes longer than the limit.
async fn in_savepoint(txn: &DatabaseTransaction, work: Work, limits: (&Arc<Clock>, Duration)) -> Result<Done> {
    within_limit(txn.begin().await?, work, limits).await
}

/// Runs work in a transaction, which is rolled back if it fails or takes longer than the limit.
async fn within_limit(txn: DatabaseTransaction, work: Work, (clock, limit): (&Arc<Clock>, Duration)) -> Result<Done> {
    match timeout(limit, work.run_in(txn, clock)).await {
        Ok(outcome) => outcome,
        Err(_) => {
            let limit_ms = limit.as_millis();
            tracing::error!(limit_ms, "a write is rolled back: it held the write lane for too long");
            Err(Error::Unavailable("The database", anyhow::anyhow!("the write took longer than {limit_ms} ms")))
        }
    }
}
