//! The one way to change rows, and how to see what a change would be.

use super::{Db, Txn, Writer};
use crate::error::{Error, Result};
use futures_util::future::BoxFuture;
use sea_orm::TransactionTrait;
use std::sync::{Arc, Mutex, PoisonError};

impl Db {
    /// Runs `work` in a transaction and gives its answer after a durable commit; an error undoes all it did.
    ///
    /// No network call belongs inside. A caller who goes away leaves the work either done whole or not done.
    pub async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c Txn) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        let rung = self.bell.count();
        let value = match &self.writer {
            Writer::Lane(lane) => lane.write(work).await?,
            Writer::Pool(_) => {
                let txn = self.reader.begin().await?;
                let value = work(&txn).await?;
                txn.commit().await?;
                value
            }
        };
        self.commits.sound();
        if self.bell.count() != rung {
            self.bell.sound();
        }
        Ok(value)
    }

    /// Runs `work` as [`Db::write`] does, gives its answer, and undoes all it did.
    pub async fn rehearse<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c Txn) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        // Only an error undoes the work, on either engine; so the answer goes another way.
        let answer = Arc::new(Mutex::new(None));
        let told = Arc::clone(&answer);
        let undone = self.write(move |txn| {
            Box::pin(async move {
                let value = work(txn).await?;
                *told.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
                Err::<(), _>(Error::internal(anyhow::anyhow!("a rehearsal is undone")))
            })
        });
        let outcome = undone.await;
        let value = answer.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (value, outcome) {
            (Some(value), _) => Ok(value),
            (None, Err(error)) => Err(error),
            (None, Ok(())) => Err(Error::internal(anyhow::anyhow!("a rehearsal gave no answer"))),
        }
    }
}
