//! Stores webhooks: those that wait share a transaction, each table is written by one statement, and each delivery is
//! answered after the commit. A delivery whose sender hangs up is stored like the others.

use super::jobs::ApplyObject;
use super::store;
use crate::app::App;
use crate::changes::{self, Change};
use crate::db::{Combined, Txn};
use crate::error::Result;
use entity::inbox_events::Model;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use uuid::Uuid;

/// A webhook that is stored: the commit is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Receipt {
    /// A new event, which will be applied.
    Accepted,
    /// A new event without effect.
    Ignored,
    /// An event that was stored before.
    Duplicate,
}

/// An event to store, with the job that applies it; without a job where it has no effect.
#[derive(Debug, Clone)]
pub(super) struct NewEvent {
    pub(super) row: Model,
    pub(super) job: Option<ApplyObject>,
}

/// Stores an event and returns the outcome after the commit.
pub(super) async fn store(app: &App, event: NewEvent) -> Result<Receipt> {
    app.db.combine(event, None).await
}

impl Combined for NewEvent {
    type Outcome = Receipt;

    /// Returns an id for the object, whose events and job one collector writes.
    fn account(&self) -> Uuid {
        let object = self.row.object_id.as_ref().unwrap_or(&self.row.external_id);
        let digest = Sha256::new().chain_update(&self.row.provider).chain_update([0]).chain_update(object).finalize();
        Uuid::from_slice(&digest[..16]).unwrap_or_default()
    }

    fn execute<'t>(txn: &'t Txn, events: Vec<&'t Self>) -> BoxFuture<'t, Result<Vec<Result<Receipt>>>> {
        Box::pin(async move { Ok(insert_with_jobs(txn, &events).await?.into_iter().map(Ok).collect()) })
    }
}

/// Inserts the events that do not exist yet, and enqueues their jobs. Returns the outcomes in the order of the events.
pub(super) async fn insert_with_jobs(txn: &Txn, events: &[&NewEvent]) -> Result<Vec<Receipt>> {
    // In one order everywhere, so that two transactions never wait for each other.
    let mut rows: Vec<&Model> = events.iter().map(|event| &event.row).collect();
    rows.sort_by(|one, other| (&one.provider, &one.external_id).cmp(&(&other.provider, &other.external_id)));
    let inserted = store::insert_events(txn, &rows).await?;
    let new = || events.iter().filter(|event| inserted.contains(&event.row.id));
    let changes: Vec<Change> = new().map(|event| Change::WebhookEventReceived(event.row.id)).collect();
    let jobs: BTreeSet<&ApplyObject> = new().filter_map(|event| event.job.as_ref()).collect();
    txn.enqueue_all(jobs).await?;
    changes::record_all(txn, &changes).await?;
    let receipt = |event: &&NewEvent| match (inserted.contains(&event.row.id), &event.job) {
        (false, _) => Receipt::Duplicate,
        (true, Some(_)) => Receipt::Accepted,
        (true, None) => Receipt::Ignored,
    };
    Ok(events.iter().map(receipt).collect())
}
