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

/// Records events, each for itself: one that is refused keeps none of the others from being recorded. Returns the
/// outcomes in the order of the events.
pub async fn record(app: &App, viewer: &Viewer, events: Vec<NewEvent>) -> Result<Vec<Result<Recorded>>> {
    viewer.require(Permission::CreditsWrite)?;
    if events.len() > MAX_EVENTS {
        let message = "At most 1,000 events can be recorded at once: send the others in another request.";
        return Err(Error::refused("TOO_MANY_EVENTS", &["events"], message));
    }
    let record = |event| (RecordEvent { event, actor: viewer.actor().to_owned() }, None);
    let outcomes = app.db.combine_all(events.into_iter().map(record).collect()).await;
    outcomes
        .into_iter()
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
