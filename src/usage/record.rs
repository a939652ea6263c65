//! Recording usage: the events that wait are recorded together, in one transaction and a constant number of statements.

use super::batch::Batch;
use super::event::{NewEvent, RecordEvent, Recorded};
use crate::app::App;
use crate::auth::{Permission, Viewer};
use crate::db::{Combined, Txn};
use crate::error::{Error, Result};
use futures_util::future::BoxFuture;
use uuid::Uuid;

/// The maximum number of events in one request.
pub const MAX_EVENTS: usize = 1_000;

/// Records events, each for itself: one that is refused, also as malformed, keeps none of the others from being recorded.
/// Returns the outcomes in the order of the events.
pub async fn record(app: &App, viewer: &Viewer, events: Vec<Result<NewEvent>>) -> Result<Vec<Result<Recorded>>> {
    viewer.require(Permission::CreditsWrite)?;
    if events.len() > MAX_EVENTS {
        let message = "At most 1,000 events can be recorded at once: send the others in another request.";
        return Err(Error::refused("TOO_MANY_EVENTS", &["events"], message));
    }
    let (mut operations, mut malformed) = (Vec::with_capacity(events.len()), Vec::with_capacity(events.len()));
    for event in events {
        let operation = event.map(|event| (RecordEvent { event, actor: viewer.actor().to_owned() }, None));
        malformed.push(operation.map(|operation| operations.push(operation)).err());
    }
    let mut recorded = app.db.combine_all(operations).await.into_iter();
    let missing = || Err(Error::internal(anyhow::anyhow!("An event has no outcome.")));
    malformed
        .into_iter()
        .map(|malformed| malformed.map(Err).or_else(|| recorded.next()).unwrap_or_else(missing))
        .map(|outcome| match outcome {
            // The request can be repeated: the events that were recorded are duplicates then.
            Err(error) if !matches!(error, Error::Refused(_)) => Err(error),
            outcome => Ok(outcome),
        })
        .collect()
}

impl Combined for RecordEvent {
    type Outcome = Recorded;

    fn account(&self) -> Uuid {
        self.event.account_id
    }

    fn execute<'t>(txn: &'t Txn, operations: Vec<&'t Self>) -> BoxFuture<'t, Result<Vec<Result<Recorded>>>> {
        Box::pin(async move {
            let mut batch = Batch::load(txn, &operations).await?;
            let outcomes = operations
                .iter()
                .zip(batch.take_readings())
                .map(|(operation, reading)| batch.record(txn, operation, reading?));
            let outcomes = outcomes.collect();
            batch.write(txn).await?;
            Ok(outcomes)
        })
    }
}
