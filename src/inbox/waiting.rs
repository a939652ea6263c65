//! Events that cannot be applied before something else is here.
//!
//! What an event waits for is a key: `user:…` in the words of the host application; `customer:…` and `object:…` by ids at
//! the provider; `owner:…` where nothing says yet whose an object is. Whoever brings it wakes those that wait. As two
//! transactions may pass each other unseen, one bringing and one beginning to wait, a schedule looks for those that wait
//! for what is already here.

use super::jobs::{ApplyObject, ReapplyPrice};
use super::store::{self, Store};
use crate::app::App;
use crate::db::Txn;
use crate::error::Result;
use crate::providers::Provider;
use crate::subscriptions;

/// How many objects one transaction has applied: few enough that it does not keep others from the queue for long.
const AT_ONCE: u64 = 500;

/// Wakes what waits, in the transaction that brings what is waited for.
pub(super) struct Waiting<'a> {
    pub(super) store: Store<'a>,
}

impl Waiting<'_> {
    /// Has the objects applied whose events wait for `key`.
    pub(super) async fn wake(&self, key: &str) -> Result<()> {
        let objects = store::waiting_for(self.store.txn, key).await?;
        enqueue(self.store.txn, objects).await
    }

    /// Has the subscriptions applied again that bill for a price.
    pub(super) async fn price_changed(&self, external_id: &str) -> Result<()> {
        let job = ReapplyPrice { provider: self.store.provider, price: external_id.to_owned() };
        self.store.txn.enqueue(&job).await
    }
}

/// Has everything applied that waits for this user of the host application.
pub(super) async fn wake_user(app: &App, user: &str) -> Result<()> {
    let key = format!("user:{user}");
    enqueue_in_one(app, move |txn| Box::pin(async move { store::waiting_for(txn, &key).await })).await
}

/// Has everything applied that waits for what is here.
pub(super) async fn wake_all(app: &App) -> Result<()> {
    enqueue_in_one(app, |txn| Box::pin(store::waiting_in_vain(txn))).await
}

/// Applies the subscriptions again that bill for a price.
pub(super) async fn reapply_price(app: &App, provider: Provider, price: &str) -> Result<()> {
    let mut after = String::new();
    loop {
        let found = subscriptions::billing_for(app.db.read(), provider.name(), price, &after, AT_ONCE).await?;
        let Some(last) = found.last() else { return Ok(()) };
        after.clone_from(last);
        let objects = found.into_iter().map(|object_id| ApplyObject { provider, object_id }).collect();
        enqueue_in_one(app, |_| Box::pin(async { Ok(objects) })).await?;
    }
}

async fn enqueue_in_one<F>(app: &App, objects: F) -> Result<()>
where
    F: for<'c> FnOnce(&'c Txn) -> futures_util::future::BoxFuture<'c, Result<Vec<ApplyObject>>> + Send + 'static,
{
    app.db.write(move |txn| Box::pin(async move { enqueue(txn, objects(txn).await?).await })).await
}

/// In the order of their keys, as two transactions that have the same objects applied would else wait for each other.
pub(super) async fn enqueue(txn: &Txn, mut objects: Vec<ApplyObject>) -> Result<()> {
    objects.sort();
    for job in objects {
        txn.enqueue(&job).await?;
    }
    Ok(())
}
