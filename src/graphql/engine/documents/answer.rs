//! The data of a reply in the form that the specification requires. async-graphql returns fields in the order in which
//! their resolvers finish and omits failed ones. Here, fields are put in the order of the document, a failed field
//! becomes null, and null in a non-null position propagates upwards.

use std::sync::Arc;

use apollo_compiler::ast::Type;
use async_graphql::{PathSegment, ServerError, Value};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use super::plan::{Children, Field, Plan, TYPE_KEY};

/// The `data` of a reply; serialises in the order of the document.
#[derive(Debug)]
pub struct Answer {
    plan: Arc<Plan>,
    value: Value,
}

impl Answer {
    /// Completes the data that async-graphql returned, given the errors beside it.
    pub(super) fn new(plan: Arc<Plan>, mut value: Value, errors: &[ServerError]) -> Self {
        if !errors.is_empty() {
            let mut completion = Completion { errors, path: Vec::new() };
            if completion.object(&mut value, &plan.root).is_err() {
                value = Value::Null;
            }
        }
        Answer { plan, value }
    }
}

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Ordered { value: &self.value, children: Some(&self.plan.root) }.serialize(serializer)
    }
}

/// Null in a non-null position.
struct Propagate;

struct Completion<'a> {
    errors: &'a [ServerError],
    path: Vec<PathSegment>,
}

impl Completion<'_> {
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
        self.path.push(segment);
        let completed = complete(self);
        self.path.pop();
        completed
    }

    fn failed_below(&self) -> bool {
        self.errors.iter().any(|error| error.path.len() > self.path.len() && error.path.starts_with(&self.path))
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
}

impl Serialize for Ordered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(children) = self.children else { return self.value.serialize(serializer) };
        match self.value {
            Value::List(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for value in items {
                    list.serialize_element(&Ordered { value, children: self.children })?;
                }
                list.end()
            }
            Value::Object(object) => {
                let fields = fields_of(children, object.get(TYPE_KEY)).unwrap_or_default();
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                for (at, field) in fields.iter().enumerate() {
                    // The field is mostly at the position it has in the document, which saves the look-up.
                    let value = match object.get_index(at) {
                        Some((key, value)) if *key == field.key => value,
                        _ => object.get(&field.key).unwrap_or(&Value::Null),
                    };
                    map.serialize_entry(field.key.as_str(), &Ordered { value, children: field.children.as_ref() })?;
                }
                map.end()
            }
            other => other.serialize(serializer),
        }
    }
}
