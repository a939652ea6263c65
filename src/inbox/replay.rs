//! Applies events of the inbox again: parked ones once their cause is fixed, or any that an admin picks. An event that
//! was applied before changes nothing when it is applied again.

use super::apply::{Apply, Mode, Scope};
use super::drift::Drift;
use super::jobs::ApplyObject;
use super::state::EventState;
use super::store::{self, Events, ReplayedEvent};
use super::waiting;
use crate::app::App;
use crate::audit::AuditEntry;
use crate::auth::{Permission, Viewer};
use crate::db::{Listing as _, rows_for};
use crate::error::{Error, Result};
use entity::inbox_events::{Column, Entity};
use sea_orm::{ColumnTrait, QueryFilter};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// The maximum number of events that one call applies again.
pub const MAX_REPLAYED: u64 = 1_000;

/// The outcome of a replay.
#[derive(Debug, Clone, Default)]
pub struct Replay {
    /// The number of events that are applied again.
    pub events: usize,
    /// True if more events match.
    pub more: bool,
    /// The rows that would change in a dry run; empty otherwise, because the worker applies the events later.
    pub drift: Drift,
}

/// Applies one event again, by the worker; a dry run returns the rows that this would change.
pub async fn replay_event(app: &App, viewer: &Viewer, id: Uuid, dry_run: bool) -> Result<Replay> {
    viewer.require(Permission::OperationsWrite)?;
    let rows = rows_for::<Entity>(viewer)?.filter(Column::Id.eq(id));
    let found = store::replayable(app.db.read(), rows, 1).await?;
    if found.is_empty() {
        let message = "No event to apply: it does not exist, or is ignored for the reason in its `note`.";
        return Err(Error::refused("NOT_FOUND", &["webhookEventId"], message));
    }
    replay(app, viewer, found, false, dry_run).await
}

/// Applies the events that match again, by the worker, the oldest first and at most [`MAX_REPLAYED`]; failed and parked
/// ones where `list` names no state. Of ignored events those are applied whose type was unknown and is known now. A dry run returns the rows that this would change.
pub async fn replay_events(app: &App, viewer: &Viewer, mut list: Events, dry_run: bool) -> Result<Replay> {
    viewer.require(Permission::OperationsWrite)?;
    if list.states.is_empty() {
        list.states = vec![EventState::Failed, EventState::Parked];
    }
    let rows = list.filter(rows_for::<Entity>(viewer)?);
    let mut found = store::replayable(app.db.read(), rows, MAX_REPLAYED + 1).await?;
    let limit = usize::try_from(MAX_REPLAYED).unwrap_or(usize::MAX);
    if found.is_empty() && list.states == [EventState::Ignored] {
        let message = "No ignored event to apply: only those can be applied whose type this version knows and the one \
                       that received them did not.";
        return Err(Error::refused("STATE_INVALID", &["filter"], message));
    }
    let more = found.len() > limit;
    found.truncate(limit);
    replay(app, viewer, found, more, dry_run).await
}

async fn replay(app: &App, viewer: &Viewer, found: Vec<ReplayedEvent>, more: bool, dry_run: bool) -> Result<Replay> {
    let mut replay = Replay { events: found.len(), more, drift: Drift::default() };
    let objects = by_object(&found);
    if dry_run {
        for (ApplyObject { provider, kind, object_id }, ids) in objects {
            let Some(kind) = kind else { continue };
            let apply = Apply::new(app, provider, kind, &object_id, Scope::Pending).with_reopened(ids);
            match apply.run(app, Mode::DryRun).await {
                Ok(differences) => replay.drift.add(differences),
                Err(error) => replay.drift.add_failure(&object_id, error),
            }
        }
        return Ok(replay);
    }
    let Some(first) = found.first().map(|event| event.id) else { return Ok(replay) };
    let ids: Vec<Uuid> = found.iter().map(|event| event.id).collect();
    let objects: BTreeSet<ApplyObject> = objects.into_keys().collect();
    let actor = viewer.actor().to_owned();
    app.db
        .write(move |txn| {
            Box::pin(async move {
                store::reopen(txn, &ids).await?;
                let after = json!({"events": ids.len(), "objects": objects.len()});
                waiting::enqueue(txn, objects.into_iter().collect()).await?;
                let entry = AuditEntry::new("webhook_events.replay", "WebhookEvent", first).after(after);
                txn.audit(&actor, entry).await
            })
        })
        .await?;
    Ok(replay)
}

fn by_object(found: &[ReplayedEvent]) -> BTreeMap<ApplyObject, Vec<Uuid>> {
    let mut objects: BTreeMap<ApplyObject, Vec<Uuid>> = BTreeMap::new();
    for event in found {
        if let Some(object) = event.object() {
            objects.entry(object).or_default().push(event.id);
        }
    }
    objects
}
