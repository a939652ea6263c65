//! What the stand-in holds: objects as Stripe shows them, and the events that told of their changes.

use super::refusal::{Outcome, no_such};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, HashMap};

/// The version of the API that objects and events are in.
const VERSION: &str = "2025-08-27.basil";

static NOTHING: Value = Value::Null;

/// Everything there is at this Stripe.
pub(super) struct State {
    /// The present, in seconds since 1970: the clock's, or the instant whose work is being done late.
    pub(super) now: i64,
    /// Where the pages are, without a slash at the end.
    pub(super) base: String,
    /// What is said in events of the request that brought them about.
    pub(super) request: Value,
    /// Oldest first.
    pub(super) events: Vec<Value>,
    /// How many of the events were taken.
    pub(super) taken: usize,
    seed: String,
    made: u64,
    objects: HashMap<String, Value>,
    /// The ids of each kind, oldest first.
    order: BTreeMap<String, Vec<String>>,
    /// What each object was before each of the changes, so that they can be undone.
    journal: Vec<(String, Option<Value>)>,
}

/// A point to which everything can be set back.
pub(super) struct Mark {
    journal: usize,
    events: usize,
}

impl State {
    /// Nothing yet; `seed` decides the ids.
    pub(super) fn new(seed: &str) -> State {
        State {
            now: 0,
            base: String::new(),
            request: no_request(),
            events: Vec::new(),
            taken: 0,
            seed: seed.to_owned(),
            made: 0,
            objects: HashMap::new(),
            order: BTreeMap::new(),
            journal: Vec::new(),
        }
    }

    /// A new id: the prefix, and letters and digits that look random and come from the seed.
    pub(super) fn new_id(&mut self, prefix: &str) -> String {
        const LETTERS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTVWXYZabcdefghi";
        self.made += 1;
        let digest = Sha256::digest(format!("{}:{}", self.seed, self.made));
        let letters = digest.iter().take(24).map(|byte| char::from(LETTERS[usize::from(byte % 32)]));
        prefix.chars().chain(letters).collect()
    }

    /// The object with this id; null where there is none.
    pub(super) fn get(&self, id: &str) -> &Value {
        self.objects.get(id).unwrap_or(&NOTHING)
    }

    /// The object of this kind with the id that a parameter names; of no parameter where the path names it.
    pub(super) fn find(&self, kind: &str, id: &str, param: &str) -> Outcome<Value> {
        let found = self.get(id);
        if found["object"] == kind && found["deleted"] != true {
            return Ok(found.clone());
        }
        Err(no_such(kind, id, param))
    }

    /// The objects of a kind, oldest first, without those that were deleted.
    pub(super) fn of_kind(&self, kind: &str) -> impl DoubleEndedIterator<Item = &Value> {
        let ids = self.order.get(kind).into_iter().flatten();
        ids.map(|id| self.get(id)).filter(|object| object["deleted"] != true)
    }

    /// Those of a kind of which `field` is `value`, oldest first.
    pub(super) fn with(&self, kind: &str, field: &str, value: &str) -> Vec<Value> {
        self.of_kind(kind).filter(|object| object[field] == value).cloned().collect()
    }

    /// Keeps an object, new or changed, and tells nobody.
    pub(super) fn put(&mut self, object: Value) {
        let id = object["id"].as_str().unwrap_or_default().to_owned();
        let before = self.objects.get(&id).cloned();
        if before.is_none() {
            let kind = object["object"].as_str().unwrap_or_default();
            self.order.entry(kind.to_owned()).or_default().push(id.clone());
        }
        self.journal.push((id.clone(), before));
        self.objects.insert(id, object);
    }

    /// Keeps a new object and tells of it.
    pub(super) fn create(&mut self, event: &str, object: Value) -> Value {
        self.put(object.clone());
        self.emit(event, &object);
        object
    }

    /// Changes an object and tells nobody.
    pub(super) fn edit(&mut self, id: &str, change: impl FnOnce(&mut Value)) {
        let mut object = self.get(id).clone();
        change(&mut object);
        self.put(object);
    }

    /// Changes an object, and tells of it if that made a difference.
    pub(super) fn update(&mut self, id: &str, event: &str, change: impl FnOnce(&mut Value)) -> Value {
        let before = self.get(id).clone();
        self.edit(id, change);
        self.tell_change(event, id, &before);
        self.get(id).clone()
    }

    /// Tells of an object as it is now.
    pub(super) fn tell(&mut self, event: &str, id: &str) {
        let object = self.get(id).clone();
        self.emit(event, &object);
    }

    /// Tells how an object differs from what it was, if it does.
    pub(super) fn tell_change(&mut self, event: &str, id: &str, before: &Value) {
        let now = self.get(id).clone();
        if let Some(previous) = previous(&self.shown(before), &self.shown(&now)) {
            self.push(event, &now, Some(previous));
        }
    }

    /// Tells of an object.
    pub(super) fn emit(&mut self, event: &str, object: &Value) {
        self.push(event, object, None);
    }

    fn push(&mut self, event: &str, object: &Value, previous: Option<Value>) {
        let id = self.new_id("evt_");
        let mut data = json!({"object": self.shown(object)});
        if let Some(previous) = previous {
            data["previous_attributes"] = previous;
        }
        self.events.push(json!({
            "id": id, "object": "event", "api_version": VERSION, "created": self.now, "data": data, "livemode": false,
            "pending_webhooks": 1, "request": self.request, "type": event,
        }));
    }

    /// An object as it is sent: a coupon stands whole in what gives it.
    pub(super) fn shown(&self, object: &Value) -> Value {
        let mut shown = object.clone();
        if let Some(coupon) = object["coupon"].as_str().filter(|_| object["object"] != "checkout.session") {
            shown["coupon"] = self.get(coupon).clone();
        }
        shown
    }

    /// Where it is now, to come back to.
    pub(super) fn mark(&self) -> Mark {
        Mark { journal: self.journal.len(), events: self.events.len() }
    }

    /// Undoes all since the mark.
    pub(super) fn undo(&mut self, mark: &Mark) {
        self.events.truncate(mark.events);
        while self.journal.len() > mark.journal {
            match self.journal.pop() {
                Some((id, Some(before))) => _ = self.objects.insert(id, before),
                Some((id, None)) => {
                    self.objects.remove(&id);
                    self.order.values_mut().for_each(|ids| ids.retain(|known| *known != id));
                }
                None => break,
            }
        }
    }

    /// Forgets how to undo what was done so far.
    pub(super) fn settle(&mut self) {
        self.journal.clear();
    }
}

/// What events say that no request brought about.
pub(super) fn no_request() -> Value {
    json!({"id": null, "idempotency_key": null})
}

/// The values that differ, as they were before; `None` where none does. Lists are told whole.
fn previous(before: &Value, now: &Value) -> Option<Value> {
    let (Value::Object(old), Value::Object(new)) = (before, now) else {
        return (before != now).then(|| before.clone());
    };
    let names = old.keys().chain(new.keys().filter(|name| !old.contains_key(*name)));
    let differing: Map<String, Value> = names
        .filter_map(|name| {
            let was = old.get(name).unwrap_or(&NOTHING);
            Some((name.clone(), previous(was, new.get(name).unwrap_or(&NOTHING))?))
        })
        .collect();
    (!differing.is_empty()).then_some(Value::Object(differing))
}

/// The text of a field; empty where it has none.
pub(super) fn text<'v>(object: &'v Value, field: &str) -> &'v str {
    object[field].as_str().unwrap_or_default()
}

/// The whole number of a field; zero where it has none.
pub(super) fn number(object: &Value, field: &str) -> i64 {
    object[field].as_i64().unwrap_or(0)
}

/// A list's elements; none where it is no list.
pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// An object with the fields of both: in one piece it would be too long for the macro.
pub(super) fn joined(mut object: Value, more: Value) -> Value {
    if let (Value::Object(fields), Value::Object(more)) = (&mut object, more) {
        fields.extend(more);
    }
    object
}
