//! A piece of work for a transaction, boxed with its answer.
//!
//! Only the conversions at both ends are generic, so that the path to the commit is compiled once and not once for each
//! verb.

use super::turn::Turn;
use super::txn::Txn;
use crate::clock::Clock;
use crate::error::{Error, Result};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sea_orm::DatabaseTransaction;
use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

/// The answer of a piece of work, of any type.
pub(super) type Answer = Box<dyn Any + Send>;

type Run = dyn for<'c> FnOnce(&'c Txn) -> BoxFuture<'c, Result<Answer>> + Send;

/// A piece of work to run in a transaction of its own.
pub(super) struct Work {
    run: Box<Run>,
    pub(super) dry: bool,
    /// The turn in the lane, of work that has a transaction of its own there.
    pub(super) turn: Option<Turn>,
}

/// A piece of work that is done, but for the commit.
pub(super) struct Done {
    pub(super) answer: Answer,
    pub(super) is_armed: bool,
}

impl Work {
    /// Boxes `work`, which is rolled back after it if `dry`.
    pub(super) fn new<T, F>(work: F, dry: bool) -> Work
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c Txn) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        Work { run: Box::new(move |txn| Box::pin(work(txn).map(|result| result.map(boxed)))), dry, turn: None }
    }

    /// Returns the same work with a turn in the lane.
    pub(super) fn in_turn(self, turn: Option<Turn>) -> Work {
        Work { turn, ..self }
    }

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

/// Returns the value in `answer`, of the type that [`Work::new`] boxed.
pub(super) fn unbox<T: 'static>(answer: Answer) -> T {
    *answer.downcast().expect("the answer has the type that the work returned")
}

fn boxed<T: Send + 'static>(value: T) -> Answer {
    Box::new(value)
}
