//! The one way to change rows, and the dry run of a change.

use super::handle::{Db, Writer};
use super::turn::Turn;
use super::txn::Txn;
use super::work::{Answer, Work, unbox};
use crate::error::Result;
use futures_util::future::BoxFuture;
use sea_orm::TransactionTrait;
use std::sync::atomic::Ordering;

impl Db {
    /// Runs `work` in a transaction and returns its answer after a durable commit; an error rolls it back.
    ///
    /// No network call belongs inside. If the caller is dropped, the work is either committed whole or rolled back.
    pub async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c Txn) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        self.execute(Work::new(work, false)).await.map(unbox)
    }

    /// Runs `work` as [`Db::write`] does and returns its answer, but rolls everything back.
    pub async fn dry_run<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c Txn) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        self.execute(Work::new(work, true)).await.map(unbox)
    }

    /// Runs `work` as [`Db::write`] does, in the lane of SQLite in a transaction of its own if it has a turn.
    pub(super) async fn write_in_turn<T, F>(&self, turn: Option<Turn>, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c Txn) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        self.execute(Work::new(work, false).in_turn(turn)).await.map(unbox)
    }

    /// Waits for a turn in the lane of SQLite; `None` on PostgreSQL, where nobody waits.
    pub(super) async fn turn(&self) -> Option<Turn> {
        match &self.writer {
            Writer::Lane(lane) => lane.turn().await,
            Writer::Pool(_) => None,
        }
    }

    fn execute(&self, work: Work) -> BoxFuture<'_, Result<Answer>> {
        Box::pin(async move {
            let dry = work.dry;
            let done = match &self.writer {
                Writer::Lane(lane) => lane.write(work).await?,
                Writer::Pool(_) => {
                    let done = work.run_in(self.reader.begin().await?, &self.clock).await?;
                    self.watch.commits.fetch_add(u64::from(!dry), Ordering::Relaxed);
                    done
                }
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
