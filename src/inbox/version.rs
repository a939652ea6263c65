//! The versions of an object, each as one event shows it.

use super::kinds::ObjectKind;
use super::object::{Object, References};
use super::state::{EventSource, EventState};
use crate::providers::Provider;
use chrono::{DateTime, Utc};
use entity::inbox_events;
use serde_json::Value;
use uuid::Uuid;

/// The change of an object that an event reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Creation,
    Update,
    Deletion,
}

/// An object as one event shows it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ObjectVersion {
    /// The kind of object; `None` for kinds that are not mirrored.
    pub(super) kind: Option<ObjectKind>,
    /// The event in the inbox.
    pub(super) event_id: Uuid,
    /// The event's id at the provider.
    pub(super) event_external_id: String,
    /// The event's type, such as `invoice.paid`.
    pub(super) event_type: String,
    /// The version of the provider's API that the object is in.
    pub(super) api_version: Option<String>,
    /// The provider's time.
    pub(super) occurred_at: DateTime<Utc>,
    /// True if the object was fetched, false if the provider sent it.
    pub(super) fetched: bool,
    /// The change that the event reports.
    pub(super) change: Change,
    /// True if the event was applied before.
    pub(super) applied: bool,
    /// The object.
    pub(super) object: Value,
    /// The previous values of the changed fields; null if the provider does not send them.
    pub(super) previous: Value,
    /// The rank of the state by how near it is to the end of the object's life.
    pub(super) progress: u8,
}

impl ObjectVersion {
    /// Reads an event of the inbox.
    pub(super) fn read(provider: Provider, event: inbox_events::Model) -> ObjectVersion {
        let (object, previous) = provider.take_object(event.payload);
        let kind = provider.kind_of(&event.kind, &object);
        let source = event.source.parse();
        let change = match &event.kind {
            event_type if provider.is_deletion(event_type) => Change::Deletion,
            event_type if event_type.ends_with(".created") => Change::Creation,
            _ => Change::Update,
        };
        ObjectVersion {
            kind,
            change,
            event_id: event.id,
            event_external_id: event.external_id,
            event_type: event.kind,
            api_version: event.api_version,
            occurred_at: event.occurred_at.to_utc(),
            fetched: matches!(source, Ok(EventSource::Fetched | EventSource::Answered)),
            applied: event.state == EventState::Applied.as_str(),
            progress: kind.map_or(0, |kind| provider.progress(kind, &object)),
            object,
            previous,
        }
    }

    /// Returns the object as this version shows it.
    pub(super) fn to_object(&self, kind: ObjectKind, external_id: &str) -> Object {
        Object {
            kind,
            external_id: external_id.to_owned(),
            api_version: self.api_version.clone(),
            payload: self.object.clone(),
            deleted: false,
            occurred_at: self.occurred_at,
            references: References::default(),
        }
    }
}
