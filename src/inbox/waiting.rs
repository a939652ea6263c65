//! Events that cannot be applied before something else is here.
//!
//! What an event waits for is a key: `user:…` in the words of the host application, `customer:…` and `object:…` by ids at
//! the provider. Whoever brings it wakes those that wait. As two transactions may pass each other unseen, one bringing
//! and one beginning to wait, a schedule looks for those that wait for what is already here.

use super::jobs::{ApplyObject, ReapplyPrice};
use super::store::Store;
use crate::clock::Clock;
use crate::db::Bell;
use crate::error::Result;
use crate::jobs::NewJob;
use std::sync::Arc;

/// Wakes what waits, in the transaction that brings what is waited for.
pub(super) struct Waiting<'a> {
    pub(super) store: Store<'a>,
    pub(super) clock: &'a Clock,
    pub(super) bell: Arc<Bell>,
}

impl Waiting<'_> {
    /// Has the objects applied whose events wait for `key`.
    pub(super) async fn wake(&self, key: &str) -> Result<()> {
        for (provider, object_id) in self.store.waiting_for(key).await? {
            let job = ApplyObject { provider, object_id };
            let unique = job.unique_key();
            NewJob::with(self.clock, &self.bell, &job)?.unique(unique).enqueue(self.store.txn).await?;
        }
        Ok(())
    }

    /// Has the subscriptions applied again that bill for a price.
    pub(super) async fn price_changed(&self, external_id: &str) -> Result<()> {
        let job = ReapplyPrice { provider: self.store.provider.name().to_owned(), price: external_id.to_owned() };
        let unique = format!("{}:{external_id}", job.provider);
        NewJob::with(self.clock, &self.bell, &job)?.unique(unique).enqueue(self.store.txn).await?;
        Ok(())
    }
}
