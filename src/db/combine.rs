//! Operations that share a transaction.
//!
//! A durable commit costs as much for a hundred operations as for one. So operations queue up while the transaction
//! before them commits, and a collector executes all that wait together: it reads their idempotency keys, executes those
//! that are new in the order of their arrival, stores their results under their keys, commits, and answers all callers.
//! A refusal concerns its operation alone. An operation whose caller is gone is executed like the others.

use super::errors::is_conflict;
use super::handle::Db;
use super::idempotency::{self, IdempotencyKey};
use super::turn::Turn;
use super::txn::Txn;
use crate::error::{Error, Result};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesOrdered;
use sea_orm::DbBackend;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use tokio::task::yield_now;
use uuid::Uuid;

/// The maximum number of operations in a queue; further callers wait until there is room.
const MAX_QUEUED: usize = 4_096;
/// The maximum number of operations that share a commit, so that the first of them is answered in time.
const MAX_PER_COMMIT: usize = 512;
/// Collectors on PostgreSQL. The operations of an account always go to the same one, so that they rarely wait for locks.
const POSTGRES_COLLECTORS: usize = 4;
/// Transactions of a collector on SQLite at once. The lane executes them one after the other, and each while those before
/// it are flushed to the disk.
const SQLITE_AT_ONCE: usize = 3;
/// Attempts at a transaction that another node disturbs: by a deadlock, or by the same idempotency key.
const MAX_ATTEMPTS: usize = 5;

/// A kind of operation that is combined.
pub trait Combined: Send + Sync + Sized + 'static {
    /// The result, which is stored under the idempotency key.
    type Outcome: Serialize + DeserializeOwned + Clone + Send + Sync + 'static;

    /// Returns the account whose operations are executed by one collector.
    fn account(&self) -> Uuid;

    /// Executes operations in their order, in one transaction, and returns the result of each. A refused operation
    /// changes nothing; an error rolls all of them back.
    fn execute<'t>(txn: &'t Txn, operations: Vec<&'t Self>) -> BoxFuture<'t, Result<Vec<Result<Self::Outcome>>>>;
}

/// An operation in the queue, and the channel that takes its outcome.
struct Waiting<C: Combined> {
    operation: Arc<C>,
    key: Option<IdempotencyKey>,
    outcome: oneshot::Sender<Result<C::Outcome>>,
}

type Queues<C> = Vec<mpsc::Sender<Waiting<C>>>;

impl Db {
    /// Executes an operation together with those of other callers, and returns its result after a durable commit. A
    /// repetition with the same key returns the first result. A refusal is not stored: the request can be tried again.
    pub async fn combine<C: Combined>(&self, operation: C, key: Option<IdempotencyKey>) -> Result<C::Outcome> {
        let received = self.enqueue(operation, key).await?;
        received.await.map_err(|_| ended())?
    }

    /// Executes operations as [`Db::combine`] does, those of an account in their order, and returns their results in order.
    pub async fn combine_all<C: Combined>(
        &self,
        operations: Vec<(C, Option<IdempotencyKey>)>,
    ) -> Vec<Result<C::Outcome>> {
        let mut queued = Vec::with_capacity(operations.len());
        for (operation, key) in operations {
            queued.push(self.enqueue(operation, key).await);
        }
        let mut outcomes = Vec::with_capacity(queued.len());
        for received in queued {
            outcomes.push(match received {
                Ok(received) => received.await.unwrap_or_else(|_| Err(ended())),
                Err(error) => Err(error),
            });
        }
        outcomes
    }

    /// Adds an operation to the queue of its account, and returns the channel that its outcome comes from.
    async fn enqueue<C: Combined>(
        &self,
        operation: C,
        key: Option<IdempotencyKey>,
    ) -> Result<oneshot::Receiver<Result<C::Outcome>>> {
        let queues = self.queues::<C>();
        let mut hasher = DefaultHasher::new();
        operation.account().hash(&mut hasher);
        let count = u64::try_from(queues.len()).unwrap_or(u64::MAX);
        let queue = &queues[usize::try_from(hasher.finish() % count).unwrap_or_default()];
        let (outcome, received) = oneshot::channel();
        queue.send(Waiting { operation: Arc::new(operation), key, outcome }).await.map_err(|_| ended())?;
        Ok(received)
    }

    fn queues<C: Combined>(&self) -> Arc<Queues<C>> {
        self.collectors.get_or_start::<C, _>(|| self.start::<C>())
    }

    fn start<C: Combined>(&self) -> Queues<C> {
        let (count, at_once) = match self.read().get_database_backend() {
            DbBackend::Postgres => (POSTGRES_COLLECTORS, 1),
            _ => (1, SQLITE_AT_ONCE),
        };
        let start = |_| {
            let (queue, waiting) = mpsc::channel(MAX_QUEUED);
            tokio::spawn(collect(self.for_task(), waiting, at_once));
            queue
        };
        (0..count).map(start).collect()
    }
}

async fn collect<C: Combined>(db: Db, mut queue: mpsc::Receiver<Waiting<C>>, at_once: usize) {
    let mut batch = Vec::with_capacity(MAX_PER_COMMIT);
    let mut running = FuturesOrdered::new();
    loop {
        tokio::select! {
            biased;
            Some(()) = running.next() => {}
            first = queue.recv(), if batch.is_empty() && running.len() < at_once => match first {
                None => break,
                Some(first) => {
                    batch.push(first);
                    // Callers who were answered together come again together: the others are about to queue up.
                    yield_now().await;
                }
            },
            // All who have come by then share the transaction.
            turn = db.turn(), if !batch.is_empty() => {
                while batch.len() < MAX_PER_COMMIT && let Ok(next) = queue.try_recv() {
                    batch.push(next);
                }
                running.push_back(execute_and_answer(&db, std::mem::take(&mut batch), turn));
            }
        }
    }
    while running.next().await.is_some() {}
}

async fn execute_and_answer<C: Combined>(db: &Db, batch: Vec<Waiting<C>>, turn: Option<Turn>) {
    let (requests, outcomes): (Vec<_>, Vec<_>) =
        batch.into_iter().map(|waiting| ((waiting.operation, waiting.key), waiting.outcome)).unzip();
    for (outcome, result) in outcomes.into_iter().zip(execute_all(db, requests, turn).await) {
        // A caller who is gone needs no answer.
        let _ = outcome.send(result);
    }
}

/// An operation, and its idempotency key.
type Request<C> = (Arc<C>, Option<IdempotencyKey>);

/// Executes operations together, or each by itself if they cannot be executed together. Returns their results in order.
async fn execute_all<C: Combined>(db: &Db, requests: Vec<Request<C>>, turn: Option<Turn>) -> Vec<Result<C::Outcome>> {
    let requests: Arc<[Request<C>]> = requests.into();
    match execute_together(db, &requests, turn).await {
        Ok(outcomes) => outcomes,
        Err(error @ Error::Unavailable(..)) => {
            let error = Arc::new(error);
            requests.iter().map(|_| Err(Error::Unavailable("The database", Arc::clone(&error).into()))).collect()
        }
        Err(error) if requests.len() == 1 => vec![Err(error)],
        Err(error) => {
            let cause = format!("{:#}", anyhow::Error::from(error));
            tracing::warn!(cause, count = requests.len(), "operations are executed one by one: one of them fails");
            let mut outcomes = Vec::with_capacity(requests.len());
            for request in requests.iter() {
                let alone = execute_together(db, &[request.clone()].into(), None).await;
                outcomes.push(alone.and_then(|mut outcomes| outcomes.pop().unwrap_or_else(missing)));
            }
            outcomes
        }
    }
}

fn ended() -> Error {
    Error::Unavailable("The database", anyhow::anyhow!("the collector of operations has ended"))
}

fn missing<T>() -> Result<T> {
    Err(Error::internal(anyhow::anyhow!("an operation has no result")))
}

async fn execute_together<C: Combined>(
    db: &Db,
    requests: &Arc<[Request<C>]>,
    mut turn: Option<Turn>,
) -> Result<Vec<Result<C::Outcome>>> {
    let mut attempt = 1;
    loop {
        let requests = Arc::clone(requests);
        let executed =
            db.write_in_turn(turn.take(), move |txn| Box::pin(async move { execute_new(txn, &requests).await }));
        match executed.await {
            // Nothing was committed: another transaction used a key first, or the database ended this one.
            Err(error) if attempt < MAX_ATTEMPTS && is_conflict(&error) => attempt += 1,
            outcome => return outcome,
        }
    }
}

/// The origin of a result.
enum Place {
    /// The response stored under the key, or the error about it.
    Known(Result<Value>),
    /// The new operation of this number.
    New(usize),
}

/// Executes the operations whose keys are new, and stores their results.
async fn execute_new<C: Combined>(txn: &Txn, requests: &[Request<C>]) -> Result<Vec<Result<C::Outcome>>> {
    let keys: Vec<&IdempotencyKey> = requests.iter().filter_map(|(_, key)| key.as_ref()).collect();
    let stored = idempotency::stored_responses(txn, &keys).await?;
    let mut first: HashMap<_, usize> = HashMap::new();
    let mut new: Vec<(&C, Option<&IdempotencyKey>)> = Vec::new();
    let mut places = Vec::with_capacity(requests.len());
    for (operation, key) in requests {
        let key = key.as_ref();
        let place = match key.map(IdempotencyKey::name) {
            Some(name) if stored.contains_key(&name) => Place::Known(stored[&name].response_to(key)),
            Some(name) if first.contains_key(&name) => match new[first[&name]].1.zip(key) {
                Some((earlier, later)) if earlier.is_same_request(later) => Place::New(first[&name]),
                _ => Place::Known(Err(Error::IdempotencyKeyReused)),
            },
            name => {
                first.extend(name.map(|name| (name, new.len())));
                new.push((operation.as_ref(), key));
                Place::New(new.len() - 1)
            }
        };
        places.push(place);
    }
    let operations: Vec<&C> = new.iter().map(|(operation, _)| *operation).collect();
    let outcomes = if operations.is_empty() { Vec::new() } else { C::execute(txn, operations).await? };
    let mut responses = Vec::new();
    for ((_, key), outcome) in new.iter().zip(&outcomes) {
        if let (Some(key), Ok(outcome)) = (key, outcome) {
            responses.push((*key, serde_json::to_value(outcome).map_err(Error::internal)?));
        }
    }
    idempotency::store_responses(txn, responses).await?;
    let outcome = |place| match place {
        Place::Known(response) => response.and_then(|json| serde_json::from_value(json).map_err(Error::internal)),
        Place::New(number) => outcomes.get(number).map_or_else(missing, |outcome| match outcome {
            Ok(outcome) => Ok(outcome.clone()),
            Err(error) => Err(again(error)),
        }),
    };
    Ok(places.into_iter().map(outcome).collect())
}

/// Returns the error of an operation for one of its callers.
fn again(error: &Error) -> Error {
    match error {
        Error::Refused(refusal) => Error::Refused(refusal.clone()),
        Error::BadInput(message) => Error::BadInput(message.clone()),
        Error::NotFound(what) => Error::NotFound(what),
        error => Error::internal(anyhow::anyhow!("an operation failed: {error:?}")),
    }
}
