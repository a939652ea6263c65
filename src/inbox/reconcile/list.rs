//! The lists of Stripe that are compared with the mirror.

use crate::inbox::kinds::{ObjectKind, Sweep};
use crate::inbox::stripe;
use serde::{Deserialize, Serialize};

/// Stripe's name for events.
const EVENT: &str = "event";

/// A list of Stripe: its events, or the objects of a kind. Jobs store Stripe's name for these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum List {
    /// The events of the last 30 days.
    Events,
    /// The objects of a kind.
    Objects(ObjectKind),
}

impl List {
    /// Returns the lists of objects that are compared, in the order in which the objects refer to each other.
    pub(super) fn swept() -> impl Iterator<Item = List> {
        let entries = stripe::KINDS.iter().filter(|entry| entry.sweep != Sweep::Never);
        entries.map(|entry| List::Objects(entry.kind))
    }

    /// Returns Stripe's name for the objects of the list.
    pub(super) fn name(self) -> &'static str {
        match self {
            List::Events => EVENT,
            List::Objects(kind) => stripe::entry(kind).map_or("", |entry| entry.name),
        }
    }

    /// Returns the path of the list.
    pub(super) fn collection(self) -> &'static str {
        match self {
            List::Events => "events",
            List::Objects(kind) => stripe::entry(kind).and_then(|entry| entry.collection).unwrap_or_default(),
        }
    }

    /// Returns the filters that every request for the list has.
    pub(super) fn filters(self) -> &'static [(&'static str, &'static str)] {
        match self {
            List::Events => &[],
            List::Objects(kind) => stripe::entry(kind).map_or(&[], |entry| entry.list_filters),
        }
    }

    /// Returns true if only objects created in the span are compared, false if all are.
    pub(super) fn is_by_creation(self) -> bool {
        match self {
            List::Events => true,
            List::Objects(kind) => stripe::entry(kind).is_some_and(|entry| entry.sweep == Sweep::Created),
        }
    }
}

impl From<List> for String {
    fn from(list: List) -> String {
        list.name().to_owned()
    }
}

impl TryFrom<String> for List {
    type Error = String;

    fn try_from(name: String) -> Result<List, String> {
        if name == EVENT {
            return Ok(List::Events);
        }
        List::swept().find(|list| list.name() == name).ok_or(format!("`{name}` is not a list that is compared."))
    }
}
