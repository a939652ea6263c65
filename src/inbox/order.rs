//! Which of several events tells the newest state of an object.
//!
//! Deliveries come in any order, and at Stripe many events share one second. So of the events of the newest instant
//! that one wins which, in this order: was fetched, is not the making of the object, follows the others by what it says
//! the object was before (`previous_attributes`), tells a state nearer to the object's end. What is left are events
//! that tell the same state, of which any will do; the ids decide, so that every delivery ends alike.

use chrono::{DateTime, Utc};
use serde_json::Value;
use std::cmp::Reverse;
use uuid::Uuid;

/// What an event says about an object.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sighting {
    /// The event in the inbox.
    pub(super) event_id: Uuid,
    /// Its id at the provider.
    pub(super) external_id: String,
    /// The kind of event.
    pub(super) kind: String,
    /// The version of the provider's API that it is in.
    pub(super) api_version: Option<String>,
    /// The provider's time.
    pub(super) occurred_at: DateTime<Utc>,
    /// Whether we asked for the object, rather than being told of it.
    pub(super) fetched: bool,
    /// Whether it was applied before.
    pub(super) applied: bool,
    /// The object's state.
    pub(super) object: Value,
    /// The values that changed, as they were before; `Value::Null` where the provider does not say.
    pub(super) previous: Value,
    /// How near the state is to the object's end; see `progress` of each provider.
    pub(super) progress: u8,
}

/// The sighting that tells the newest state.
pub(super) fn newest(sightings: &[Sighting]) -> Option<&Sighting> {
    let at = sightings.iter().map(|sighting| sighting.occurred_at).max()?;
    let last: Vec<&Sighting> = sightings.iter().filter(|sighting| sighting.occurred_at == at).collect();
    // What we asked for is true whatever was told, and of several answers the last.
    let asked = last.iter().copied().filter(|sighting| sighting.fetched);
    if let Some(latest) = asked.max_by_key(|sighting| &sighting.external_id) {
        return Some(latest);
    }
    last.iter().copied().max_by_key(|sighting| {
        let followers = last.iter().filter(|other| follows(other, sighting) && !follows(sighting, other)).count();
        let making = sighting.kind.ends_with(".created");
        (!making, Reverse(followers), sighting.progress, sighting.external_id.clone())
    })
}

/// Whether `later` says that before it the object was what `earlier` shows, and is not so any more.
fn follows(later: &Sighting, earlier: &Sighting) -> bool {
    let previous = &later.previous;
    !previous.is_null() && was(previous, &earlier.object) && !was(previous, &later.object)
}

/// Whether `object` has the values that `previous` names.
fn was(previous: &Value, object: &Value) -> bool {
    match (previous, object) {
        (Value::Object(names), object) => names.iter().all(|(name, value)| was(value, &object[name])),
        (Value::Array(values), Value::Array(objects)) => {
            values.len() == objects.len() && values.iter().zip(objects).all(|(value, object)| was(value, object))
        }
        (previous, object) => previous == object,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn sighting(external_id: &str, kind: &str, second: i64, object: Value, previous: Value) -> Sighting {
        Sighting {
            event_id: Uuid::nil(),
            external_id: external_id.to_owned(),
            kind: kind.to_owned(),
            api_version: None,
            occurred_at: DateTime::from_timestamp(second, 0).unwrap(),
            fetched: false,
            applied: false,
            object,
            previous,
            progress: 0,
        }
    }

    /// The id of the newest in every order of `sightings`, which must be one and the same.
    fn newest_of(sightings: &[Sighting]) -> String {
        let mut found: Vec<String> = Vec::new();
        for start in 0..sightings.len() {
            let mut turned = sightings.to_vec();
            turned.rotate_left(start);
            found.push(newest(&turned).unwrap().external_id.clone());
            turned.reverse();
            found.push(newest(&turned).unwrap().external_id.clone());
        }
        found.dedup();
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0)
    }

    #[test]
    fn the_later_second_wins_whatever_it_tells() {
        let early = sighting("z", "customer.subscription.deleted", 1, json!({"status": "canceled"}), Value::Null);
        let late = sighting("a", "customer.subscription.updated", 2, json!({"status": "active"}), json!({}));
        assert_eq!(newest_of(&[early, late]), "a");
    }

    #[test]
    fn the_making_of_an_object_is_never_its_newest_state_in_a_second() {
        let made = sighting("z", "customer.subscription.created", 1, json!({"status": "incomplete"}), Value::Null);
        let paid = sighting("a", "customer.subscription.updated", 1, json!({"status": "active"}), Value::Null);
        assert_eq!(newest_of(&[made, paid]), "a");
    }

    #[test]
    fn a_chain_of_previous_values_is_followed_to_its_end() {
        let state =
            |status: &str, seats: u8| json!({"status": status, "items": {"data": [{"seats": seats, "id": "x"}]}});
        let events = [
            sighting("c", "s.updated", 1, state("active", 1), json!({"status": "incomplete"})),
            sighting("b", "s.updated", 1, state("active", 2), json!({"items": {"data": [{"seats": 1}]}})),
            sighting("a", "s.updated", 1, state("past_due", 2), json!({"status": "active"})),
        ];
        assert_eq!(newest_of(&events), "a");
    }

    #[test]
    fn without_a_chain_the_state_nearest_to_the_end_wins() {
        let mut open = sighting("z", "invoice.finalized", 1, json!({"status": "open"}), Value::Null);
        open.progress = 1;
        let mut paid = sighting("a", "invoice.paid", 1, json!({"status": "paid"}), Value::Null);
        paid.progress = 2;
        assert_eq!(newest_of(&[open.clone(), paid]), "a");
        open.fetched = true;
        let made = sighting("zz", "invoice.created", 1, json!({"status": "draft"}), Value::Null);
        assert_eq!(newest_of(&[open, made]), "z");
    }
}
