//! Finds the newest of several versions of an object.
//!
//! Deliveries come in any order, and at Stripe many events share one second. Of the versions of the newest instant,
//! these criteria decide, in this order: fetched versions win; the version of the object's creation loses; a version
//! wins over those that it says the object was in before (`previous_attributes`); a state nearer to the end of the
//! object's life wins. Versions that remain equal show the same state; their ids decide, so that every order of
//! deliveries ends alike.

use super::version::{Change, ObjectVersion};
use serde_json::Value;
use std::cmp::Reverse;

/// Returns the newest version.
pub(super) fn newest(versions: &[ObjectVersion]) -> Option<&ObjectVersion> {
    let at = versions.iter().map(|version| version.occurred_at).max()?;
    let last: Vec<&ObjectVersion> = versions.iter().filter(|version| version.occurred_at == at).collect();
    let fetched = last.iter().copied().filter(|version| version.fetched);
    if let Some(latest) = fetched.max_by_key(|version| &version.event_external_id) {
        return Some(latest);
    }
    last.iter().copied().max_by_key(|version| {
        let followers = last.iter().filter(|other| follows(other, version) && !follows(version, other)).count();
        (version.change != Change::Creation, Reverse(followers), version.progress, version.event_external_id.clone())
    })
}

/// Returns true if, according to `later`, the object was as `earlier` shows it and is not any more.
fn follows(later: &ObjectVersion, earlier: &ObjectVersion) -> bool {
    let previous = &later.previous;
    !previous.is_null() && has_values(previous, &earlier.object) && !has_values(previous, &later.object)
}

/// Returns true if `object` has the values that `previous` lists.
fn has_values(previous: &Value, object: &Value) -> bool {
    match (previous, object) {
        (Value::Object(names), object) => names.iter().all(|(name, value)| has_values(value, &object[name])),
        (Value::Array(values), Value::Array(objects)) => {
            values.len() == objects.len() && values.iter().zip(objects).all(|(value, object)| has_values(value, object))
        }
        (previous, object) => previous == object,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;
    use serde_json::json;
    use uuid::Uuid;

    fn version(id: &str, event_type: &str, second: i64, object: Value, previous: Value) -> ObjectVersion {
        ObjectVersion {
            kind: None,
            change: if event_type.ends_with(".created") { Change::Creation } else { Change::Update },
            event_id: Uuid::nil(),
            event_external_id: id.to_owned(),
            event_type: event_type.to_owned(),
            api_version: None,
            occurred_at: DateTime::from_timestamp(second, 0).unwrap(),
            fetched: false,
            applied: false,
            object,
            previous,
            progress: 0,
        }
    }

    /// Returns the id of the newest version, which must be the same in every order.
    fn newest_of(versions: &[ObjectVersion]) -> String {
        let mut found: Vec<String> = Vec::new();
        for start in 0..versions.len() {
            let mut turned = versions.to_vec();
            turned.rotate_left(start);
            found.push(newest(&turned).unwrap().event_external_id.clone());
            turned.reverse();
            found.push(newest(&turned).unwrap().event_external_id.clone());
        }
        found.dedup();
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0)
    }

    #[test]
    fn the_later_second_wins_whatever_it_shows() {
        let early = version("z", "customer.subscription.deleted", 1, json!({"status": "canceled"}), Value::Null);
        let late = version("a", "customer.subscription.updated", 2, json!({"status": "active"}), json!({}));
        assert_eq!(newest_of(&[early, late]), "a");
    }

    #[test]
    fn the_creation_of_an_object_is_never_its_newest_version_in_a_second() {
        let created = version("z", "customer.subscription.created", 1, json!({"status": "incomplete"}), Value::Null);
        let paid = version("a", "customer.subscription.updated", 1, json!({"status": "active"}), Value::Null);
        assert_eq!(newest_of(&[created, paid]), "a");
    }

    #[test]
    fn a_chain_of_previous_values_is_followed_to_its_end() {
        let state =
            |status: &str, seats: u8| json!({"status": status, "items": {"data": [{"seats": seats, "id": "x"}]}});
        let events = [
            version("c", "s.updated", 1, state("active", 1), json!({"status": "incomplete"})),
            version("b", "s.updated", 1, state("active", 2), json!({"items": {"data": [{"seats": 1}]}})),
            version("a", "s.updated", 1, state("past_due", 2), json!({"status": "active"})),
        ];
        assert_eq!(newest_of(&events), "a");
    }

    #[test]
    fn without_a_chain_the_state_nearest_to_the_end_wins() {
        let mut open = version("z", "invoice.finalized", 1, json!({"status": "open"}), Value::Null);
        open.progress = 1;
        let mut paid = version("a", "invoice.paid", 1, json!({"status": "paid"}), Value::Null);
        paid.progress = 2;
        assert_eq!(newest_of(&[open.clone(), paid]), "a");
        open.fetched = true;
        let created = version("zz", "invoice.created", 1, json!({"status": "draft"}), Value::Null);
        assert_eq!(newest_of(&[open, created]), "z");
    }
}
