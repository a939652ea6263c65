//! The write lane of SQLite: one connection, one task, and commits that many callers share.
//!
//! SQLite has one writer at a time, and a durable commit waits for the disk. So the lane opens a transaction, runs the
//! work of every caller who is waiting, each inside a savepoint of its own, commits once, and only then answers them
//! all. A caller's failure undoes that caller's savepoint and nobody else's.

use crate::error::{Error, Result};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sea_orm::{
    DatabaseConnection, DatabaseTransaction, DbErr, SqliteTransactionMode, TransactionOptions, TransactionTrait,
};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// How many callers share a commit at most, so that the first of them does not wait for ever.
const MOST_PER_COMMIT: usize = 512;

/// Tells a caller the fate of its work once the commit is done.
type Deliver = Box<dyn FnOnce(Option<Arc<DbErr>>) + Send>;
/// A caller's work: runs inside the lane's transaction and gives what delivers its answer.
type Task = Box<dyn for<'c> FnOnce(&'c DatabaseTransaction) -> BoxFuture<'c, Deliver> + Send>;

/// The way in.
#[derive(Debug)]
pub(super) struct Lane {
    tasks: mpsc::Sender<Task>,
    connection: DatabaseConnection,
}

impl Lane {
    /// Starts the lane on the only connection that writes. It ends when the last sender is dropped.
    pub(super) fn start(connection: DatabaseConnection) -> Lane {
        let (tasks, queue) = mpsc::channel(MOST_PER_COMMIT * 2);
        tokio::spawn(run(connection.clone(), queue));
        Lane { tasks, connection }
    }

    pub(super) fn connection(&self) -> &DatabaseConnection {
        &self.connection
    }

    /// Runs `work` in a shared transaction; the answer comes after the commit that holds it.
    pub(super) async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c DatabaseTransaction) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        let (answer, outcome) = oneshot::channel();
        let task: Task = Box::new(move |txn| {
            Box::pin(async move {
                let result = in_savepoint(txn, work).await;
                let deliver: Deliver = Box::new(move |failure| {
                    // A caller who went away meanwhile needs no answer.
                    let _ = answer.send(match failure {
                        Some(error) => result.and(Err(Error::Unavailable("the database", error.into()))),
                        None => result,
                    });
                });
                deliver
            })
        });
        // What is wrong stands in the log: the lane could not begin a transaction, or has stopped.
        let closed = || Error::Unavailable("the database", anyhow::anyhow!("the write lane gave no answer"));
        self.tasks.send(task).await.map_err(|_| closed())?;
        // A task that is dropped without an answer never began; the log says why.
        let not_begun = || Error::Unavailable("the database", anyhow::anyhow!("no transaction for this write"));
        outcome.await.map_err(|_| not_begun())?
    }
}

async fn in_savepoint<T, F>(txn: &DatabaseTransaction, work: F) -> Result<T>
where
    F: for<'c> FnOnce(&'c DatabaseTransaction) -> BoxFuture<'c, Result<T>>,
{
    let savepoint = txn.begin().await?;
    match AssertUnwindSafe(work(&savepoint)).catch_unwind().await {
        Ok(Ok(value)) => savepoint.commit().await.map(|()| value).map_err(Error::from),
        Ok(Err(error)) => savepoint.rollback().await.map_err(Error::from).and(Err(error)),
        Err(_) => {
            savepoint.rollback().await?;
            Err(Error::internal(anyhow::anyhow!("a write panicked")))
        }
    }
}

async fn run(connection: DatabaseConnection, mut queue: mpsc::Receiver<Task>) {
    while let Some(first) = queue.recv().await {
        let immediate = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..Default::default()
        };
        match connection.begin_with_options(immediate).await {
            Ok(txn) => share(txn, first, &mut queue).await,
            // Dropping the task answers its caller with an error; what is wrong goes to the log.
            Err(error) => tracing::error!(%error, "the write lane cannot begin a transaction"),
        }
    }
}

/// Runs `first` and all who wait behind it, commits once, answers them all.
async fn share(txn: DatabaseTransaction, first: Task, queue: &mut mpsc::Receiver<Task>) {
    let mut deliveries = vec![first(&txn).await];
    while deliveries.len() < MOST_PER_COMMIT {
        let Ok(next) = queue.try_recv() else { break };
        deliveries.push(next(&txn).await);
    }
    let failure = txn.commit().await.err().map(Arc::new);
    for deliver in deliveries {
        deliver(failure.clone());
    }
}
