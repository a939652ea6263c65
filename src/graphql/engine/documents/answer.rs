//! The data of a reply in the form that the specification requires. async-graphql returns fields in the order in which
//! their resolvers finish and omits failed ones. Here, fields are put in the order of the document, a failed field
//! becomes null, and null in a non-null position propagates upwards.

use std::{
    cell::Cell,
    collections::HashSet,
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use apollo_compiler::ast::Type;
use async_graphql::{PathSegment, ServerError, Value};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use super::plan::{Children, Field, Plan, TYPE_KEY};
use crate::graphql::engine::cost::whole;

/// The `data` of a reply; serialises in the order of the document.
#[derive(Debug)]
pub struct Answer {
    plan: Arc<Plan>,
    data: Data,
    /// The cost of the data, in thousandths of an object; known once it is serialised.
    cost: AtomicU64,
}

#[derive(Debug)]
enum Data {
    Objects(Value),
    Json(Box<RawValue>),
}

impl Answer {
    /// Completes the data that async-graphql returned, given the errors beside it.
    pub(super) fn new(plan: Arc<Plan>, mut value: Value, errors: &[ServerError]) -> Self {
        if !errors.is_empty() {
            let mut completion = Completion { failed: failed(errors), path: String::new() };
            if completion.object(&mut value, &plan.root).is_err() {
                value = Value::Null;
            }
        }
        Answer { plan, data: Data::Objects(value), cost: AtomicU64::new(0) }
    }

    /// Serialises the data now and drops its objects, so that serialising the answer only copies a text.
    pub(in crate::graphql::engine) fn encode(self) -> Self {
        match to_raw_value(&self) {
            Ok(json) => Answer { data: Data::Json(json), ..self },
            Err(_) => self, // Writing the reply meets the same error, and reports it.
        }
    }

    /// Returns true if the data is serialised already.
    #[cfg(test)]
    pub(super) fn is_encoded(&self) -> bool {
        matches!(self.data, Data::Json(_))
    }

    /// Returns the cost of the data, in objects, after it was serialised.
    pub(in crate::graphql::engine) fn cost(&self) -> u64 {
        whole(self.cost.load(Ordering::Relaxed))
    }
}

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value = match &self.data {
            Data::Objects(value) => value,
            Data::Json(json) => return json.serialize(serializer),
        };
        let cost = Cell::new(0);
        let root = Ordered { value, children: Some(&self.plan.root), item: 0, cost: &cost };
        let serialized = root.serialize(serializer)?;
        self.cost.store(cost.get(), Ordering::Relaxed);
        Ok(serialized)
    }
}

/// Null in a non-null position.
struct Propagate;

struct Completion {
    /// The paths below which a field failed.
    failed: HashSet<String>,
    /// The path of the value.
    path: String,
}

/// Returns the paths below which a field failed. There can be as many errors as objects, so none is searched for.
fn failed(errors: &[ServerError]) -> HashSet<String> {
    let mut failed = HashSet::new();
    for error in errors {
        let mut path = String::new();
        for segment in &error.path {
            failed.insert(path.clone());
            extend(&mut path, segment);
        }
    }
    failed
}

fn extend(path: &mut String, segment: &PathSegment) {
    // No name contains a slash.
    let _ = match segment {
        PathSegment::Field(name) => write!(path, "/{name}"),
        PathSegment::Index(index) => write!(path, "/{index}"),
    };
}

impl Completion {
    fn value(&mut self, value: &mut Value, ty: &Type, children: Option<&Children>) -> Result<(), Propagate> {
        let completed = match (ty, &mut *value) {
            (Type::List(item) | Type::NonNullList(item), Value::List(items)) => {
                items.iter_mut().enumerate().try_for_each(|(index, value)| {
                    self.below(PathSegment::Index(index), |this| this.value(value, item, children))
                })
            }
            (Type::Named(_) | Type::NonNullNamed(_), value) => {
                children.map_or(Ok(()), |children| self.object(value, children))
            }
            _ => Ok(()),
        };
        if completed.is_err() {
            *value = Value::Null;
        }
        if ty.is_non_null() && *value == Value::Null { Err(Propagate) } else { Ok(()) }
    }

    fn object(&mut self, value: &mut Value, children: &Children) -> Result<(), Propagate> {
        // An object whose fields all failed arrives as null, unless its type was requested.
        if *value == Value::Null && matches!(children, Children::Same(_)) && self.failed_below() {
            *value = Value::Object(Default::default());
        }
        let Value::Object(object) = value else { return Ok(()) };
        let Some(fields) = fields_of(children, object.get(TYPE_KEY)) else { return Ok(()) };
        for field in fields {
            let entry = object.entry(field.key.clone()).or_default();
            self.below(PathSegment::Field(field.key.to_string()), |this| {
                this.value(entry, &field.ty, field.children.as_ref())
            })?;
        }
        Ok(())
    }

    fn below(
        &mut self,
        segment: PathSegment,
        complete: impl FnOnce(&mut Self) -> Result<(), Propagate>,
    ) -> Result<(), Propagate> {
        let length = self.path.len();
        extend(&mut self.path, &segment);
        let completed = complete(self);
        self.path.truncate(length);
        completed
    }

    fn failed_below(&self) -> bool {
        self.failed.contains(&self.path)
    }
}

fn fields_of<'a>(children: &'a Children, type_name: Option<&Value>) -> Option<&'a [Arc<Field>]> {
    match (children, type_name) {
        (Children::Same(fields), _) => Some(fields),
        (Children::ByType { types, .. }, Some(Value::String(name))) => types.get(name).map(|it| it.all.as_slice()),
        _ => None,
    }
}

struct Ordered<'a> {
    value: &'a Value,
    children: Option<&'a Children>,
    /// The cost of each value.
    item: u64,
    /// The cost so far.
    cost: &'a Cell<u64>,
}

impl Ordered<'_> {
    fn count(&self, cost: u64) {
        self.cost.set(self.cost.get().saturating_add(cost));
    }
}

impl Serialize for Ordered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(children) = self.children else {
            let values = if let Value::List(items) = self.value { items.len() } else { 1 };
            self.count(self.item.saturating_mul(u64::try_from(values).unwrap_or(u64::MAX)));
            return self.value.serialize(serializer);
        };
        match self.value {
            Value::List(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for value in items {
                    list.serialize_element(&Ordered { value, ..*self })?;
                }
                list.end()
            }
            Value::Object(object) => {
                self.count(self.item);
                let fields = fields_of(children, object.get(TYPE_KEY)).unwrap_or_default();
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                for (at, field) in fields.iter().enumerate() {
                    self.count(field.cost.call);
                    // The field is mostly at the position it has in the document, which saves the look-up.
                    let value = match object.get_index(at) {
                        Some((key, value)) if *key == field.key => value,
                        _ => object.get(&field.key).unwrap_or(&Value::Null),
                    };
                    let (children, item) = (field.children.as_ref(), field.cost.item);
                    map.serialize_entry(field.key.as_str(), &Ordered { value, children, item, cost: self.cost })?;
                }
                map.end()
            }
            other => other.serialize(serializer),
        }
    }
}
