//! The one way to change rows.

use super::{Db, Txn, Writer};
use crate::error::Result;
use futures_util::future::BoxFuture;
use sea_orm::TransactionTrait;

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
}
