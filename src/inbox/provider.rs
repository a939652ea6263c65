//! Everything that reads an object and differs between the two providers.

use super::kinds::{KindEntry, ObjectKind, kind_named};
use super::object::{Object, References};
use super::{paddle, stripe};
use crate::providers::Provider;
use serde_json::Value;
use uuid::Uuid;

impl Provider {
    /// Returns the table of the kinds of objects that are mirrored.
    fn kinds(self) -> &'static [KindEntry] {
        match self {
            Provider::Stripe => stripe::KINDS,
            Provider::Paddle => paddle::KINDS,
        }
    }

    /// Returns the entry of a kind; `None` where the provider has no such objects.
    pub(super) fn kind_entry(self, kind: ObjectKind) -> Option<&'static KindEntry> {
        self.kinds().iter().find(|entry| entry.kind == kind)
    }

    /// Returns the kind with this name; `None` for kinds that are not mirrored.
    pub(super) fn kind_named(self, name: &str) -> Option<ObjectKind> {
        kind_named(self.kinds(), name)
    }

    /// Returns the kind of the object of an event; `None` for kinds that are not mirrored.
    pub(super) fn kind_of(self, event_type: &str, object: &Value) -> Option<ObjectKind> {
        match self {
            Provider::Stripe => stripe::kind(object),
            Provider::Paddle => paddle::kind(event_type),
        }
    }

    /// Takes the object out of an event, and the values that it says were different before, where it has them.
    pub(super) fn take_object(self, mut event: Value) -> (Value, Value) {
        match self {
            Provider::Stripe => (event["data"]["object"].take(), event["data"]["previous_attributes"].take()),
            Provider::Paddle => (event["data"].take(), Value::Null),
        }
    }

    /// Returns the references of an object.
    pub(super) fn references(self, kind: ObjectKind, object: &Value) -> References {
        match self {
            Provider::Stripe => stripe::references(kind, object),
            Provider::Paddle => paddle::references(kind, object),
        }
    }

    /// Ranks the state of an object by how near it is to the end of the object's life.
    pub(super) fn progress(self, kind: ObjectKind, object: &Value) -> u8 {
        match self {
            Provider::Stripe => stripe::progress(kind, object),
            Provider::Paddle => u8::from(paddle::is_terminal(kind, object)),
        }
    }

    /// Returns the types of events that say nothing of an object but that it is deleted.
    pub(super) fn bare_deletions(self) -> &'static [&'static str] {
        match self {
            Provider::Stripe => &stripe::BARE_DELETIONS,
            Provider::Paddle => &[],
        }
    }

    /// Returns true for a type of event that says that its object is deleted.
    pub(super) fn is_deletion(self, event_type: &str) -> bool {
        match self {
            Provider::Stripe => stripe::is_deletion(event_type),
            Provider::Paddle => false,
        }
    }

    /// Returns the account that an object names, as objects do that Tollgate created.
    pub(super) fn account(self, object: &Object) -> Option<Uuid> {
        match self {
            Provider::Stripe => stripe::account(&object.payload),
            Provider::Paddle => None,
        }
    }

    /// Returns the user of the host application that an object names.
    pub(super) fn user(self, object: &Object) -> Option<String> {
        match self {
            Provider::Stripe => stripe::user(&object.payload).map(str::to_owned),
            Provider::Paddle => paddle::user(&object.payload),
        }
    }
}
