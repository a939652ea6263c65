//! Applies events again that are in the inbox already: those that were parked once their cause is mended, or any that an
//! admin picks. What was applied before changes nothing when it is applied again.

use super::apply::{Apply, Mode, Scope};
use super::drift::Drift;
use super::jobs::ApplyObject;
use super::store::{self, Chosen, Events};
use super::waiting;
use crate::app::App;
use crate::audit::AuditEntry;
use crate::auth::{Permission, Viewer};
use crate::db::{Listing as _, rows_for};
use crate::error::{Error, Result};
use crate::providers::Provider;
use entity::inbox_events::{Column, Entity};
use sea_orm::{ColumnTrait, QueryFilter};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// The most events that one call applies again.
pub const MOST_REPLAYED: u64 = 1_000;

/// What came of applying events again.
#[derive(Debug, Clone, Default)]
pub struct Replay {
    /// How many events are applied again.
    pub events: usize,
    /// Whether there are more that match.
    pub more: bool,
    /// What would change; empty where it is not a rehearsal, as the work is done later.
    pub drift: Drift,
}

/// Has one event applied again; in a rehearsal says what that would change.
pub async fn replay_event(app: &App, viewer: &Viewer, id: Uuid, dry_run: bool) -> Result<Replay> {
    viewer.require(Permission::OperationsWrite)?;
    let rows = rows_for::<Entity>(viewer)?.filter(Column::Id.eq(id));
    let found = store::chosen(app.db.read(), rows, 1).await?;
    if found.is_empty() {
        let message = "there is no such event that can be applied; ignored ones cannot";
        return Err(Error::refused("NOT_FOUND", &["eventId"], message));
    }
    replay(app, viewer, found, false, dry_run).await
}

/// Has the events applied again that match, the oldest first and at most [`MOST_REPLAYED`]; those that failed or are
/// parked where `list` names no state. In a rehearsal says what that would change.
pub async fn replay_events(app: &App, viewer: &Viewer, mut list: Events, dry_run: bool) -> Result<Replay> {
    viewer.require(Permission::OperationsWrite)?;
    if list.states.contains(&"ignored") {
        return Err(Error::refused("STATE_INVALID", &["filter"], "ignored events cannot be applied"));
    }
    if list.states.is_empty() {
        list.states = vec!["failed", "parked"];
    }
    let rows = list.filter(rows_for::<Entity>(viewer)?);
    let mut found = store::chosen(app.db.read(), rows, MOST_REPLAYED + 1).await?;
    let most = usize::try_from(MOST_REPLAYED).unwrap_or(usize::MAX);
    let more = found.len() > most;
    found.truncate(most);
    replay(app, viewer, found, more, dry_run).await
}

async fn replay(app: &App, viewer: &Viewer, found: Vec<Chosen>, more: bool, dry_run: bool) -> Result<Replay> {
    let mut replay = Replay { events: found.len(), more, drift: Drift::default() };
    let objects = by_object(&found);
    if dry_run {
        for (ApplyObject { provider, object_id }, ids) in objects {
            let work = Apply::new(app, provider, &object_id, Scope::Pending).reopening(ids);
            match work.done(app, Mode::Rehearsal).await {
                Ok(differences) => replay.drift.add(differences),
                Err(error) => replay.drift.fail(&object_id, error),
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

fn by_object(found: &[Chosen]) -> BTreeMap<ApplyObject, Vec<Uuid>> {
    let mut objects: BTreeMap<ApplyObject, Vec<Uuid>> = BTreeMap::new();
    for event in found {
        if let Some(provider) = Provider::named(&event.provider) {
            let object = ApplyObject { provider, object_id: event.object_id.clone() };
            objects.entry(object).or_default().push(event.id);
        }
    }
    objects
}
