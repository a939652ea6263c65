//! A [`Plan`] from a valid document: CollectFields and MergeSelectionSets of the specification, carried out once for
//! all types instead of at each object.

use std::{collections::HashMap, sync::Arc};

use apollo_compiler::{
    Name,
    executable::{Operation, OperationType as SourceOperationType, SelectionSet},
};
use async_graphql::{Positioned, parser::types::OperationType};

use super::{
    collect::{Collector, Group, Groups, Source},
    plan::{Argument, Children, Field, Plan, TypeFields},
};
use crate::graphql::engine::errors::{RequestError, code};

/// Merges `operation` into a plan, under the conditions in `source`.
pub(super) fn plan(source: &Source<'_>, operation: &Operation) -> Result<Plan, RequestError> {
    let mut merger = Merger { collector: Collector::new(source) };
    let root = merger.children(operation.object_type(), &[&operation.selection_set])?;
    let introspection = match &root {
        Children::Same(fields) => {
            fields.iter().any(|field| matches!(field.name.as_str(), "__schema" | "__type" | "_service"))
        }
        Children::ByType { .. } => false,
    };
    let operation_type = match operation.operation_type {
        SourceOperationType::Query => OperationType::Query,
        SourceOperationType::Mutation => OperationType::Mutation,
        SourceOperationType::Subscription => OperationType::Subscription,
    };
    Ok(Plan { operation: operation_type, name: operation.name.as_ref().map(Name::to_string), root, introspection })
}

struct Merger<'s, 'a> {
    collector: Collector<'s, 'a>,
}

impl<'s, 'a: 's> Merger<'s, 'a> {
    /// Returns the merged selections of `sets` on a value of type `parent`.
    fn children(&mut self, parent: &Name, sets: &[&'a SelectionSet]) -> Result<Children, RequestError> {
        let source = self.collector.source;
        let narrowing = self.collector.narrowing_conditions(parent, sets)?;
        if narrowing.is_empty() {
            let groups = self.collector.collect(sets, |condition| source.always_applies(condition, parent))?;
            let fields = groups.list.iter().map(|group| self.field(parent, group)).collect::<Result<_, _>>()?;
            return Ok(Children::Same(fields));
        }
        self.children_by_type(parent, sets, &narrowing)
    }

    fn children_by_type(
        &mut self,
        parent: &Name,
        sets: &[&'a SelectionSet],
        narrowing: &[&Name],
    ) -> Result<Children, RequestError> {
        let source = self.collector.source;
        // Types that fulfil the same conditions have the same fields.
        let mut classes: Vec<(Vec<bool>, Vec<Name>, Groups<'a>)> = Vec::new();
        for object in source.possible_types(parent) {
            let fulfilled: Vec<bool> =
                narrowing.iter().map(|condition| source.always_applies(condition, &object)).collect();
            match classes.iter_mut().find(|(class, ..)| *class == fulfilled) {
                Some((_, members, _)) => members.push(object),
                None => {
                    let groups = self.collector.collect(sets, |condition| source.always_applies(condition, &object))?;
                    classes.push((fulfilled, vec![object], groups));
                }
            }
        }
        let mut shared: Vec<Arc<Field>> = Vec::new();
        if let Some((_, _, first)) = classes.first() {
            for group in &first.list {
                let everywhere = classes
                    .iter()
                    .all(|(_, _, groups)| groups.get(group.key).is_some_and(|other| other.same_fields(group)));
                let declared =
                    group.fields.first().is_some_and(|it| source.field_definition(parent, &it.name).is_some());
                if everywhere && declared {
                    shared.push(self.field(parent, group)?);
                }
            }
        }
        let mut types = HashMap::new();
        for (_, members, groups) in &classes {
            for object in members {
                types.insert(object.to_string(), self.type_fields(object, groups, &shared)?);
            }
        }
        Ok(Children::ByType { shared, types })
    }

    fn type_fields(
        &mut self,
        object: &Name,
        groups: &Groups<'a>,
        shared: &[Arc<Field>],
    ) -> Result<TypeFields, RequestError> {
        let mut fields = TypeFields { all: Vec::new(), own: Vec::new() };
        for group in &groups.list {
            let field = match shared.iter().find(|field| field.key.as_str() == group.key) {
                Some(shared) => Arc::clone(shared),
                None => {
                    let own = self.field(object, group)?;
                    fields.own.push(Arc::clone(&own));
                    own
                }
            };
            fields.all.push(field);
        }
        Ok(fields)
    }

    fn field(&mut self, parent: &Name, group: &Group<'a>) -> Result<Arc<Field>, RequestError> {
        self.collector.step()?;
        let source = self.collector.source;
        let Some(first) = group.fields.first() else {
            return Err(RequestError::new(code::INTERNAL, "a response key without a field"));
        };
        let definition = source.field_definition(parent, &first.name).unwrap_or(&first.definition);
        let ty = definition.ty.clone();
        let cost = source.weights.of(source.schema, parent, definition);
        let children = if first.selection_set.is_empty() {
            None
        } else {
            let sets: Vec<&SelectionSet> = group.fields.iter().map(|field| &field.selection_set).collect();
            Some(self.children(ty.inner_named_type(), &sets)?)
        };
        let arguments = first.arguments.iter().map(|argument| Argument {
            name: Positioned::new(async_graphql::Name::new(&argument.name), source.pos(argument.location())),
            value: argument.value.clone(),
            pos: source.pos(argument.value.location()),
        });
        Ok(Arc::new(Field {
            key: async_graphql::Name::new(group.key),
            name: async_graphql::Name::new(&first.name),
            pos: source.pos(first.location()),
            arguments: arguments.collect(),
            ty,
            cost,
            children,
        }))
    }
}
