//! Finds the newest of several versions of an object.
//!
//! Deliveries come in any order, and at Stripe many events share one second. Of the versions of the newest instant that
//! the provider sent, these criteria decide, in this order: the version of the object's creation loses; a version wins
//! over those that it says the object was in before (`previous_attributes`); a state nearer to the end of the object's
//! life wins. Versions that remain equal show the same state; their ids decide, so that every order of deliveries ends
//! alike.
//!
//! A version that was fetched within that instant is older than an event which says that the object was as it was
//! fetched. Where the events do not say so, one that shows another state is preferred, unless the fetched state is nearer
//! to the end of the object's life.

use super::fetch::is_same;
use super::version::{Change, ObjectVersion};
use serde_json::Value;
use std::cmp::Reverse;

/// Returns the newest version.
pub(super) fn newest(versions: &[ObjectVersion]) -> Option<&ObjectVersion> {
    let at = versions.iter().map(|version| version.occurred_at).max()?;
    let last: Vec<&ObjectVersion> = versions.iter().filter(|version| version.occurred_at == at).collect();
    let (fetched, sent): (Vec<&ObjectVersion>, Vec<_>) = last.into_iter().partition(|version| version.fetched);
    let event = sent.iter().copied().max_by_key(|version| {
        let followers = sent.iter().filter(|other| is_after(other, version)).count();
        (version.change != Change::Creation, Reverse(followers), version.progress, version.event_external_id.clone())
    });
    let latest = fetched.iter().copied().max_by_key(|version| &version.event_external_id);
    match (event, latest) {
        (Some(event), Some(latest)) if is_news(event, latest, &sent, &fetched) => Some(event),
        (_, Some(latest)) => Some(latest),
        (event, None) => event,
    }
}

/// Returns true if `event`, the newest of those that were sent, happened after the object was fetched as `latest`.
fn is_news(event: &ObjectVersion, latest: &ObjectVersion, sent: &[&ObjectVersion], fetched: &[&ObjectVersion]) -> bool {
    if event.change == Change::Creation {
        return false;
    }
    // The event of a change that an earlier answer showed already, as after two changes within the second.
    let shows = |object: &Value, versions: &[&ObjectVersion]| {
        versions.iter().filter(|version| is_same(object, &version.object)).count()
    };
    let earlier: Vec<&ObjectVersion> = fetched.iter().copied().filter(|it| it.event_id < latest.event_id).collect();
    if (1..=shows(&event.object, &earlier)).contains(&shows(&event.object, sent)) {
        return false;
    }
    if let Some(shown) = sent.iter().find(|version| is_same(&version.object, &latest.object)) {
        return sent.iter().any(|other| is_after(other, shown));
    }
    // The event of a change that was fetched before.
    if fetched.iter().any(|version| is_same(&event.object, &version.object)) {
        return false;
    }
    let mut said = sent.iter().filter_map(|version| was_fetched_before(version, latest)).peekable();
    match said.peek() {
        Some(_) => said.any(|before| before),
        None => event.progress >= latest.progress,
    }
}

/// Returns true if an event says that the object was as it was fetched, before the change; `None` if it does not say.
fn was_fetched_before(event: &ObjectVersion, fetched: &ObjectVersion) -> Option<bool> {
    let Value::Object(previous) = &event.previous else { return None };
    // Fields have other names in other versions of the API.
    let mut comparable = previous.iter().filter(|(name, _)| fetched.object.get(name.as_str()).is_some()).peekable();
    comparable.peek()?;
    Some(comparable.all(|(name, value)| has_values(value, &fetched.object[name.as_str()])))
}

/// Returns true if `later` follows `earlier`, and not the other way round as well.
fn is_after(later: &ObjectVersion, earlier: &ObjectVersion) -> bool {
    follows(later, earlier) && !follows(earlier, later)
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

    fn fetched(id: &str, object: Value) -> ObjectVersion {
        ObjectVersion { fetched: true, ..version(id, "tollgate.fetched", 1, object, Value::Null) }
    }

    fn seats(id: &str, seats: u8, before: Value) -> ObjectVersion {
        version(id, "s.updated", 1, json!({"seats": seats}), before)
    }

    #[test]
    fn an_event_that_follows_the_fetched_state_wins() {
        let before = || fetched("z", json!({"seats": 1}));
        assert_eq!(newest_of(&[before(), seats("a", 2, json!({"seats": 1}))]), "a");
        let chain = [before(), seats("b", 2, json!({"seats": 1})), seats("a", 3, json!({"seats": 2}))];
        assert_eq!(newest_of(&chain), "a");
        assert_eq!(newest_of(&[before(), seats("a", 2, Value::Null)]), "a", "what it was before is not said");
        assert_eq!(newest_of(&[before(), seats("a", 2, json!({"places": 1}))]), "a", "in the words of another version");
    }

    #[test]
    fn a_fetched_state_that_is_newer_than_the_events_wins() {
        let after = || fetched("z", json!({"seats": 3}));
        assert_eq!(newest_of(&[after(), seats("a", 2, json!({"seats": 1}))]), "z");
        assert_eq!(newest_of(&[after(), seats("b", 2, json!({"seats": 1})), seats("a", 3, json!({"seats": 2}))]), "z");
        let once = fetched("y", json!({"seats": 2}));
        assert_eq!(newest_of(&[once, after(), seats("a", 2, Value::Null)]), "z", "the event of an earlier answer");
        // There and back within a second.
        let back = [after(), seats("a", 2, json!({"seats": 3})), seats("b", 3, json!({"seats": 2}))];
        assert_eq!(newest_of(&back), "z");
    }
}
