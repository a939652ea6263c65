//! The one way to change rows, and the dry run of a change.
//!
//! Only the outermost calls are generic. What they run is boxed, with its answer, so that the path to the commit is
//! compiled once and not once for each verb.

use super::{Db, Txn, Writer};
use crate::clock::Clock;
use crate::error::{Error, Result};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sea_orm::{DatabaseTransaction, TransactionTrait};
use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

/// The answer of a piece of work, of any type.
type Answer = Box<dyn Any + Send>;

/// A piece of work to run in a transaction of its own.
pub(super) struct Work {
    run: Box<dyn for<'c> FnOnce(&'c Txn) -> BoxFuture<'c, Result<Answer>> + Send>,
    dry: bool,
}

/// A piece of work that is done, but for the commit.
pub(super) struct Done {
    answer: Answer,
    is_armed: bool,
}

impl Db {
    /// Runs `work` in a transaction and returns its answer after a durable commit; an error rolls it back.
    ///
    /// No network call belongs inside. If the caller is dropped, the work is either committed whole or rolled back.
    pub async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c Txn) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        self.execute(boxed(work, false)).await.map(unboxed)
    }

    /// Runs `work` as [`Db::write`] does and returns its answer, but rolls everything back.
    pub async fn dry_run<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c Txn) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        self.execute(boxed(work, true)).await.map(unboxed)
    }

    fn execute(&self, work: Work) -> BoxFuture<'_, Result<Answer>> {
        Box::pin(async move {
            let dry = work.dry;
            let done = match &self.writer {
                Writer::Lane(lane) => lane.write(work).await?,
                Writer::Pool(_) => work.run_in(self.reader.begin().await?, &self.clock).await?,
            };
            if !dry {
                self.commits.notify();
                if done.is_armed {
                    self.worker_signal.notify();
                }
            }
            Ok(done.answer)
        })
    }
}

impl Work {
    /// Runs the work in `inner` and ends that transaction: by a commit, or by a rollback after an error, a panic or a
    /// dry run.
    pub(super) async fn run_in(self, inner: DatabaseTransaction, clock: &Arc<Clock>) -> Result<Done> {
        let txn = Txn::new(inner, clock);
        match AssertUnwindSafe((self.run)(&txn)).catch_unwind().await {
            Ok(Ok(answer)) => {
                let is_armed = txn.is_armed();
                if self.dry {
                    txn.rollback().await?
                } else {
                    txn.commit().await?
                }
                Ok(Done { answer, is_armed })
            }
            Ok(Err(error)) => txn.rollback().await.and(Err(error)),
            Err(_) => {
                txn.rollback().await?;
                Err(Error::internal(anyhow::anyhow!("a write panicked")))
            }
        }
    }
}

fn boxed<T, F>(work: F, dry: bool) -> Work
where
    T: Send + 'static,
    F: for<'c> FnOnce(&'c Txn) -> BoxFuture<'c, Result<T>> + Send + 'static,
{
    Work { run: Box::new(move |txn| Box::pin(work(txn).map(|result| result.map(answer)))), dry }
}

fn answer<T: Send + 'static>(value: T) -> Answer {
    Box::new(value)
}

fn unboxed<T: 'static>(answer: Answer) -> T {
    *answer.downcast().expect("the answer has the type that the work returned")
}
