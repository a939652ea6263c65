//! The objects, as Stripe shows them, and the events of their changes.

use crate::error::{StripeResult, not_found};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, HashMap};

/// The API version of objects and events.
const VERSION: &str = "2025-08-27.basil";

static NULL: Value = Value::Null;

/// All objects and events of the account.
pub(crate) struct Store {
    /// The present, in seconds since 1970: the time of the clock, or the due time of the work being caught up on.
    pub(crate) now: i64,
    /// The base URL of the pages, without a slash at the end.
    pub(crate) base_url: String,
    /// The value of `request` in new events.
    pub(crate) request: Value,
    /// The events, oldest first.
    pub(crate) events: Vec<Value>,
    /// The number of events that were delivered.
    pub(crate) delivered: usize,
    seed: String,
    ids: u64,
    objects: HashMap<String, Value>,
    /// The ids of each kind, oldest first.
    order: BTreeMap<String, Vec<String>>,
    /// The objects as they were before each change, for rollbacks.
    journal: Vec<(String, Option<Value>)>,
}

/// A point to roll back to.
pub(crate) struct Savepoint {
    journal: usize,
    events: usize,
}

impl Store {
    /// Creates an empty store whose ids depend on the seed.
    pub(crate) fn new(seed: &str) -> Store {
        Store {
            now: 0,
            base_url: String::new(),
            request: no_request(),
            events: Vec::new(),
            delivered: 0,
            seed: seed.to_owned(),
            ids: 0,
            objects: HashMap::new(),
            order: BTreeMap::new(),
            journal: Vec::new(),
        }
    }

    /// Returns a new id: the prefix, then letters derived from the seed.
    pub(crate) fn new_id(&mut self, prefix: &str) -> String {
        const LETTERS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTVWXYZabcdefghi";
        self.ids += 1;
        let digest = Sha256::digest(format!("{}:{}", self.seed, self.ids));
        let letters = digest.iter().take(24).map(|byte| char::from(LETTERS[usize::from(byte % 32)]));
        prefix.chars().chain(letters).collect()
    }

    /// Returns the object with this id, or null.
    pub(crate) fn get(&self, id: &str) -> &Value {
        self.objects.get(id).unwrap_or(&NULL)
    }

    /// Returns the object of this kind and id. `param` is the parameter that names it, empty if the path does.
    pub(crate) fn find(&self, kind: &str, id: &str, param: &str) -> StripeResult<Value> {
        let found = self.get(id);
        if found["object"] == kind && found["deleted"] != true {
            return Ok(found.clone());
        }
        Err(not_found(kind, id, param))
    }

    /// Returns the objects of a kind that are not deleted, oldest first.
    pub(crate) fn all(&self, kind: &str) -> impl DoubleEndedIterator<Item = &Value> {
        let ids = self.order.get(kind).into_iter().flatten();
        ids.map(|id| self.get(id)).filter(|object| object["deleted"] != true)
    }

    /// Returns the objects of a kind with this value in this field, oldest first.
    pub(crate) fn find_all(&self, kind: &str, field: &str, value: &str) -> Vec<Value> {
        self.all(kind).filter(|object| object[field] == value).cloned().collect()
    }

    /// Inserts or replaces an object without an event.
    pub(crate) fn insert(&mut self, object: Value) {
        let id = object["id"].as_str().unwrap_or_default().to_owned();
        let before = self.objects.get(&id).cloned();
        if before.is_none() {
            let kind = object["object"].as_str().unwrap_or_default();
            self.order.entry(kind.to_owned()).or_default().push(id.clone());
        }
        self.journal.push((id.clone(), before));
        self.objects.insert(id, object);
    }

    /// Inserts a new object with an event.
    pub(crate) fn create(&mut self, event: &str, object: Value) -> Value {
        self.insert(object.clone());
        self.emit_object(event, &object);
        object
    }

    /// Changes an object without an event.
    pub(crate) fn edit(&mut self, id: &str, change: impl FnOnce(&mut Value)) {
        let mut object = self.get(id).clone();
        change(&mut object);
        self.insert(object);
    }

    /// Changes an object, with an event if anything differs.
    pub(crate) fn update(&mut self, id: &str, event: &str, change: impl FnOnce(&mut Value)) -> Value {
        let before = self.get(id).clone();
        self.edit(id, change);
        self.emit_update(event, id, &before);
        self.get(id).clone()
    }

    /// Emits an event about an object.
    pub(crate) fn emit(&mut self, event: &str, id: &str) {
        let object = self.get(id).clone();
        self.emit_object(event, &object);
    }

    /// Emits an event with the attributes that differ from `before`, if any do.
    pub(crate) fn emit_update(&mut self, event: &str, id: &str, before: &Value) {
        let now = self.get(id).clone();
        if let Some(previous) = changed_attributes(&self.render(before), &self.render(&now)) {
            self.push(event, &now, Some(previous));
        }
    }

    /// Emits an event about an object that may not be stored.
    pub(crate) fn emit_object(&mut self, event: &str, object: &Value) {
        self.push(event, object, None);
    }

    fn push(&mut self, event: &str, object: &Value, previous: Option<Value>) {
        let id = self.new_id("evt_");
        let mut data = json!({"object": self.render(object)});
        if let Some(previous) = previous {
            data["previous_attributes"] = previous;
        }
        self.events.push(json!({
            "id": id, "object": "event", "api_version": VERSION, "created": self.now, "data": data, "livemode": false,
            "pending_webhooks": 1, "request": self.request, "type": event,
        }));
    }

    /// Returns an object in the form in which it is sent: with its coupon in full instead of the id, and the items of a
    /// subscription with their prices as plans, too.
    pub(crate) fn render(&self, object: &Value) -> Value {
        let mut rendered = object.clone();
        if let Some(Value::Array(items)) = rendered.pointer_mut("/items/data") {
            items.iter_mut().for_each(|item| item["plan"] = plan_of(&item["price"]));
        }
        if let Some(coupon) = object["coupon"].as_str().filter(|_| object["object"] != "checkout.session") {
            rendered["coupon"] = self.get(coupon).clone();
        }
        rendered
    }

    /// Returns a savepoint.
    pub(crate) fn savepoint(&self) -> Savepoint {
        Savepoint { journal: self.journal.len(), events: self.events.len() }
    }

    /// Reverts all changes and events since the savepoint.
    pub(crate) fn rollback(&mut self, savepoint: &Savepoint) {
        self.events.truncate(savepoint.events);
        while self.journal.len() > savepoint.journal {
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

    /// Executes an action. Rolls it back if it returns an error that says so.
    pub(crate) fn atomically<T>(&mut self, action: impl FnOnce(&mut Store) -> StripeResult<T>) -> StripeResult<T> {
        let savepoint = self.savepoint();
        let result = action(self);
        if result.as_ref().is_err_and(|error| error.rolls_back) {
            self.rollback(&savepoint);
        }
        self.commit();
        result
    }

    /// Makes all changes so far final.
    pub(crate) fn commit(&mut self) {
        self.journal.clear();
    }
}

/// Returns a recurring price in the form of a plan, which it was before there were prices.
fn plan_of(price: &Value) -> Value {
    let recurring = &price["recurring"];
    json!({
        "id": price["id"], "object": "plan", "active": price["active"], "amount": price["unit_amount"],
        "amount_decimal": price["unit_amount_decimal"], "billing_scheme": price["billing_scheme"],
        "created": price["created"], "currency": price["currency"], "interval": recurring["interval"],
        "interval_count": recurring["interval_count"], "livemode": false, "metadata": price["metadata"],
        "meter": recurring["meter"], "nickname": price["nickname"], "product": price["product"],
        "tiers_mode": price["tiers_mode"], "transform_usage": null,
        "trial_period_days": recurring["trial_period_days"], "usage_type": recurring["usage_type"],
    })
}

/// Returns the value of `request` in events that no request caused.
pub(crate) fn no_request() -> Value {
    json!({"id": null, "idempotency_key": null})
}

/// Returns the former values of the attributes that differ, or `None`. Lists are compared as a whole.
fn changed_attributes(before: &Value, now: &Value) -> Option<Value> {
    let (Value::Object(old), Value::Object(new)) = (before, now) else {
        return (before != now).then(|| before.clone());
    };
    let names = old.keys().chain(new.keys().filter(|name| !old.contains_key(*name)));
    let differing: Map<String, Value> = names
        .filter_map(|name| {
            let was = old.get(name).unwrap_or(&NULL);
            Some((name.clone(), changed_attributes(was, new.get(name).unwrap_or(&NULL))?))
        })
        .collect();
    (!differing.is_empty()).then_some(Value::Object(differing))
}

/// Returns a string field, or an empty string.
pub(crate) fn text<'v>(object: &'v Value, field: &str) -> &'v str {
    object[field].as_str().unwrap_or_default()
}

/// Returns an integer field, or zero.
pub(crate) fn number(object: &Value, field: &str) -> i64 {
    object[field].as_i64().unwrap_or(0)
}

/// Returns the elements of a list; none if the value is no list.
pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Returns an object with the fields of both, for literals too long for the macro.
pub(crate) fn merge(mut object: Value, more: Value) -> Value {
    if let (Value::Object(fields), Value::Object(more)) = (&mut object, more) {
        fields.extend(more);
    }
    object
}
