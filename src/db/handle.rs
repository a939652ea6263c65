//! The handle of a connected database.

use super::collectors::Collectors;
use super::commit_signal::CommitSignal;
use super::lane::Lane;
use super::watch::Watch;
use crate::clock::Clock;
use crate::config::Secret;
use crate::error::Result;
use sea_orm::{
    AccessMode, ConnectionTrait, DatabaseConnection, DatabaseTransaction, IsolationLevel, Statement, TransactionTrait,
};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A connected database.
#[derive(Debug)]
pub struct Db {
    pub(super) reader: DatabaseConnection,
    pub(super) writer: Writer,
    /// The time and the ids of new rows.
    pub(super) clock: Arc<Clock>,
    pub(super) watch: Arc<Watch>,
    /// Sent after commits that enqueued jobs.
    pub(super) worker_signal: Arc<CommitSignal>,
    /// Sent after every commit.
    pub(super) commits: Arc<CommitSignal>,
    /// The queues of operations that share transactions.
    pub(super) collectors: Collectors,
}

#[derive(Debug, Clone)]
pub(super) enum Writer {
    /// SQLite: one connection, whose commits callers share.
    Lane(Arc<Lane>),
    /// PostgreSQL: the pool, with group commit in the server; the URL is for listeners.
    Pool(Secret),
}

impl Db {
    /// Returns a handle of the same database for a task of this one, without its queues: they end with this handle.
    pub(super) fn for_task(&self) -> Db {
        Db {
            reader: self.reader.clone(),
            writer: self.writer.clone(),
            clock: Arc::clone(&self.clock),
            watch: Arc::clone(&self.watch),
            worker_signal: Arc::clone(&self.worker_signal),
            commits: Arc::clone(&self.commits),
            collectors: Collectors::default(),
        }
    }

    /// Returns the connection to read with: a pool of read-only connections on SQLite.
    pub fn read(&self) -> &DatabaseConnection {
        &self.reader
    }

    /// Returns a transaction that reads the database as it was at its first statement, for figures that several
    /// statements make. It must not be kept for long.
    pub async fn snapshot(&self) -> Result<DatabaseTransaction> {
        Ok(match &self.writer {
            Writer::Lane(_) => self.reader.begin().await?,
            Writer::Pool(_) => {
                let (isolation, access) = (IsolationLevel::RepeatableRead, AccessMode::ReadOnly);
                self.reader.begin_with_config(Some(isolation), Some(access)).await?
            }
        })
    }

    /// Returns the connection that may change the schema; for migrations only.
    pub fn schema(&self) -> &DatabaseConnection {
        match &self.writer {
            Writer::Lane(lane) => lane.connection(),
            Writer::Pool(_) => &self.reader,
        }
    }

    /// Returns the signal that is sent after commits that enqueued jobs.
    pub fn worker_signal(&self) -> &CommitSignal {
        &self.worker_signal
    }

    /// Returns the number of statements run since the start.
    pub fn statements(&self) -> u64 {
        self.watch.statements.load(Ordering::Relaxed)
    }

    /// Returns the number of durable commits made through [`Db::write`] since the start. On SQLite several writes may
    /// share one.
    pub fn commits_made(&self) -> u64 {
        self.watch.commits.load(Ordering::Relaxed)
    }

    /// Calls `observer` with every statement that runs from now on. Only the first observer is kept.
    pub fn observe(&self, observer: impl Fn(&Statement) + Send + Sync + 'static) {
        self.watch.observer.get_or_init(|| Box::new(observer));
    }

    /// Fails unless the database answers.
    pub async fn ping(&self) -> Result<()> {
        let statement = Statement::from_string(self.reader.get_database_backend(), "SELECT 1");
        self.reader.query_one_raw(statement).await?;
        Ok(())
    }
}
