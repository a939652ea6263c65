//! Enqueues objects whose events wait for something.
//!
//! The transaction that inserts a user, an owner or an object wakes the events that wait for it. A concurrent
//! transaction that starts to wait may miss this, so a schedule enqueues the events that wait for something that
//! exists.

use super::jobs::{ApplyObject, ReapplyPrice};
use super::json::at;
use super::kinds::ObjectKind;
use super::object::Object;
use super::store::{self, Store};
use super::wait_key::WaitKey;
use crate::app::App;
use crate::db::Txn;
use crate::error::Result;
use crate::providers::Provider;
use crate::subscriptions;
use futures_util::future::BoxFuture;

/// The maximum number of objects that one transaction enqueues: few enough not to block the queue for long.
const MAX_OBJECTS: u64 = 500;

/// Enqueues the objects whose events wait for `key`.
pub(super) async fn wake(txn: &Txn, key: &WaitKey) -> Result<()> {
    enqueue(txn, store::waiting_for(txn, key).await?).await
}

/// Enqueues the job that reapplies the subscriptions to a price.
pub(super) async fn enqueue_price(txn: &Txn, provider: Provider, external_id: &str) -> Result<()> {
    txn.enqueue(&ReapplyPrice { provider, price: external_id.to_owned() }).await
}

/// Enqueues the subscriptions whose amounts depend on an object: a price that is sold in several currencies or in tiers,
/// a coupon, a discount of Paddle.
pub(super) async fn reapply_amounts(store: Store<'_>, object: &Object) -> Result<()> {
    let (txn, provider) = (store.txn, store.provider);
    let terms = provider.terms(object.kind);
    if terms.iter().all(|field| at(&object.payload, field).is_null()) {
        return Ok(());
    }
    if object.kind == ObjectKind::Price {
        return enqueue_price(txn, provider, &object.external_id).await;
    }
    let discounted = subscriptions::discounted_by(txn, provider.name(), &object.external_id).await?;
    let kind = Some(ObjectKind::Subscription);
    enqueue(txn, discounted.into_iter().map(|object_id| ApplyObject { provider, kind, object_id }).collect()).await
}

/// Enqueues the objects that wait for this user of the host application.
pub(super) async fn wake_user(app: &App, user: &str) -> Result<()> {
    let key = WaitKey::User(user.to_owned());
    enqueue_alone(app, move |txn| Box::pin(async move { store::waiting_for(txn, &key).await })).await
}

/// Enqueues the objects that wait for something that exists.
pub(super) async fn wake_all(app: &App) -> Result<()> {
    enqueue_alone(app, |txn| Box::pin(store::waiting_in_vain(txn))).await
}

/// Enqueues the subscriptions that have or had a price: their histories name its plan.
pub(super) async fn reapply_price(app: &App, provider: Provider, price: &str) -> Result<()> {
    let mut after = String::new();
    loop {
        let found = subscriptions::with_price(app.db.read(), provider.name(), price, &after, MAX_OBJECTS).await?;
        let Some(last) = found.last() else { return Ok(()) };
        after.clone_from(last);
        let objects = found
            .into_iter()
            .map(|object_id| ApplyObject { provider, kind: Some(ObjectKind::Subscription), object_id })
            .collect();
        enqueue_alone(app, |_| Box::pin(async { Ok(objects) })).await?;
    }
}

async fn enqueue_alone<F>(app: &App, objects: F) -> Result<()>
where
    F: for<'c> FnOnce(&'c Txn) -> BoxFuture<'c, Result<Vec<ApplyObject>>> + Send + 'static,
{
    app.db.write(move |txn| Box::pin(async move { enqueue(txn, objects(txn).await?).await })).await
}

/// Enqueues objects, in the order of their keys: two transactions that enqueue the same objects would otherwise wait
/// for each other.
pub(super) async fn enqueue(txn: &Txn, mut objects: Vec<ApplyObject>) -> Result<()> {
    objects.sort();
    for job in objects {
        txn.enqueue(&job).await?;
    }
    Ok(())
}
