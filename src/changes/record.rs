//! The recording of changes in the transactions that make them.

use super::change::{CHANNEL, Change};
use super::store;
use crate::db::Txn;
use crate::error::Result;

/// Records that `txn` makes `change`.
pub async fn record(txn: &Txn, change: Change) -> Result<()> {
    record_all(txn, &[change]).await
}

/// Records that `txn` makes these changes.
pub async fn record_all(txn: &Txn, changes: &[Change]) -> Result<()> {
    if changes.is_empty() {
        return Ok(());
    }
    store::insert(txn, changes).await?;
    match changes.iter().all(|change| change.kind().is_frequent()) {
        true => Ok(()),
        false => txn.notify(CHANNEL).await,
    }
}
