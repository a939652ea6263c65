//! Facts of the past that only the providers' own events tell.

use crate::providers::stripe::minor_of;
use chrono::{DateTime, Utc};
use std::collections::HashMap;

/// The events of the objects of a record, as far as they tell when something happened. A fetched object is no event:
/// the time at which it was fetched says nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct Past {
    /// The time of the first event by object and type.
    first: HashMap<(String, String), DateTime<Utc>>,
    /// The largest amount that a charge of Stripe was ever shown to have refunded, as Stripe writes it.
    most_refunded: i64,
}

impl Past {
    pub(super) fn new(events: impl IntoIterator<Item = (String, String, DateTime<Utc>)>, most_refunded: i64) -> Past {
        let mut first = HashMap::new();
        for (object_id, event_type, at) in events {
            let known = first.entry((object_id, event_type)).or_insert(at);
            *known = at.min(*known);
        }
        Past { first, most_refunded }
    }

    /// Returns the time of the first event of a type about an object.
    pub(super) fn first(&self, object_id: &str, event_type: &str) -> Option<DateTime<Utc>> {
        self.first.get(&(object_id.to_owned(), event_type.to_owned())).copied()
    }

    /// Returns the largest amount that was ever shown as refunded, in minor units of `currency`.
    pub(super) fn most_refunded(&self, currency: &str) -> i64 {
        minor_of(self.most_refunded, currency).unwrap_or(0)
    }
}
