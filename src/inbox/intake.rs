//! Stores the webhooks that wait for it in one transaction.
//!
//! A durable commit costs as much for a hundred rows as for one. So webhooks queue up while the transaction before them
//! commits, one task stores all that wait, each table in one statement, and each delivery is answered after the commit.
//! A delivery whose sender hangs up is stored like the others. Where the database refuses a row, each delivery is
//! stored by itself, so that only that one fails.

use super::jobs::ApplyObject;
use super::store;
use crate::app::App;
use crate::changes::{self, Change};
use crate::db::Txn;
use crate::error::{Error, Result};
use entity::inbox_events::Model;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// The maximum number of webhooks in the queue; further senders wait until there is room.
const MAX_QUEUED: usize = 1_024;
/// The maximum number of webhooks that share a commit, so that the first of them is answered in time.
const MAX_PER_COMMIT: usize = 128;

/// The entrance for webhooks. It ends when dropped, after all in the queue are stored.
pub struct Intake {
    queue: mpsc::Sender<Waiting>,
}

/// A webhook that is stored: the commit is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

/// A webhook in the queue, and the channel that takes its outcome.
struct Waiting {
    event: NewEvent,
    outcome: oneshot::Sender<Result<Receipt>>,
}

impl Intake {
    /// Starts the task that stores webhooks in the app's database.
    pub fn start(app: &Arc<App>) -> Intake {
        let (queue, waiting) = mpsc::channel(MAX_QUEUED);
        tokio::spawn(run(Arc::clone(app), waiting));
        Intake { queue }
    }

    /// Stores an event and returns the outcome after the commit.
    pub(super) async fn store(&self, event: NewEvent) -> Result<Receipt> {
        let (outcome, received) = oneshot::channel();
        let ended = || Error::Unavailable("The inbox", anyhow::anyhow!("the task that stores webhooks has ended"));
        self.queue.send(Waiting { event, outcome }).await.map_err(|_| ended())?;
        received.await.map_err(|_| ended())?
    }
}

async fn run(app: Arc<App>, mut queue: mpsc::Receiver<Waiting>) {
    let mut batch = Vec::with_capacity(MAX_PER_COMMIT);
    while queue.recv_many(&mut batch, MAX_PER_COMMIT).await > 0 {
        let (events, outcomes): (Vec<_>, Vec<_>) =
            batch.drain(..).map(|waiting| (waiting.event, waiting.outcome)).unzip();
        for (outcome, result) in outcomes.into_iter().zip(store_all(&app, events).await) {
            // A sender that hung up needs no answer.
            let _ = outcome.send(result);
        }
    }
}

/// Stores events together, or each by itself if the database refuses one of them. Returns their outcomes in order.
async fn store_all(app: &App, events: Vec<NewEvent>) -> Vec<Result<Receipt>> {
    let events: Arc<[NewEvent]> = events.into();
    match store_together(app, Arc::clone(&events)).await {
        Ok(receipts) => receipts.into_iter().map(Ok).collect(),
        Err(error @ Error::Unavailable(..)) => {
            let error = Arc::new(error);
            events.iter().map(|_| Err(Error::Unavailable("The database", Arc::clone(&error).into()))).collect()
        }
        Err(error) if events.len() == 1 => vec![Err(error)],
        Err(error) => {
            let cause = format!("{:#}", anyhow::Error::from(error));
            tracing::warn!(cause, count = events.len(), "webhooks are stored one by one: one of them is refused");
            let mut results = Vec::with_capacity(events.len());
            for event in events.iter() {
                let alone = store_together(app, [event.clone()].into()).await;
                results.push(alone.map(|receipts| receipts.first().copied().unwrap_or(Receipt::Duplicate)));
            }
            results
        }
    }
}

async fn store_together(app: &App, events: Arc<[NewEvent]>) -> Result<Vec<Receipt>> {
    app.db.write(move |txn| Box::pin(async move { insert_with_jobs(txn, &events).await })).await
}

/// Inserts the events that do not exist yet, and enqueues their jobs. Returns the outcomes in the order of the events.
pub(super) async fn insert_with_jobs(txn: &Txn, events: &[NewEvent]) -> Result<Vec<Receipt>> {
    // In one order everywhere, so that two transactions never wait for each other.
    let mut rows: Vec<&Model> = events.iter().map(|event| &event.row).collect();
    rows.sort_by(|one, other| (&one.provider, &one.external_id).cmp(&(&other.provider, &other.external_id)));
    let inserted = store::insert_events(txn, &rows).await?;
    let new = || events.iter().filter(|event| inserted.contains(&event.row.id));
    let changes: Vec<Change> = new().map(|event| Change::WebhookEventReceived(event.row.id)).collect();
    let jobs: BTreeSet<&ApplyObject> = new().filter_map(|event| event.job.as_ref()).collect();
    txn.enqueue_all(jobs).await?;
    changes::record_all(txn, &changes).await?;
    let receipt = |event: &NewEvent| match (inserted.contains(&event.row.id), &event.job) {
        (false, _) => Receipt::Duplicate,
        (true, Some(_)) => Receipt::Accepted,
        (true, None) => Receipt::Ignored,
    };
    Ok(events.iter().map(receipt).collect())
}
