//! CollectFields of the specification, over the selection sets of a valid document.

use std::collections::{HashMap, HashSet};

use apollo_compiler::{
    ExecutableDocument, Name, Node, Schema,
    ast::FieldDefinition,
    executable::{Field as SourceField, Operation, Selection, SelectionSet},
    parser::SourceSpan,
    schema::{ExtendedType, Implementers},
};
use async_graphql::Pos;

use super::{limits::over_limit, position::position};
use crate::graphql::engine::{
    cost::weights::Weights,
    errors::{RequestError, code},
};

/// Merging steps allowed per selection of the limit: enough for a document that selects different fields of many types,
/// and milliseconds at most for one designed to be slow.
const STEPS_PER_SELECTION: usize = 8;

/// The borrowed input of normalisation.
pub(super) struct Source<'a> {
    pub(super) schema: &'a Schema,
    pub(super) implementers: &'a apollo_compiler::collections::HashMap<Name, Implementers>,
    pub(super) document: &'a ExecutableDocument,
    /// The values of the variables in `@skip` and `@include`.
    pub(super) conditions: &'a HashMap<&'a str, bool>,
    pub(super) weights: &'a Weights,
    pub(super) selections_limit: usize,
}

/// Returns the variables in any `@skip` or `@include` of `operation`, each once.
pub(super) fn condition_variables(document: &ExecutableDocument, operation: &Operation) -> Vec<Name> {
    let (mut found, mut seen) = (Vec::new(), HashSet::new());
    let mut open = vec![&operation.selection_set];
    while let Some(set) = open.pop() {
        for selection in &set.selections {
            for directive in selection.directives().iter().filter(|it| matches!(it.name.as_str(), "skip" | "include")) {
                let variable = directive.specified_argument_by_name("if").and_then(|value| value.as_variable());
                if let Some(variable) = variable.filter(|variable| !found.contains(*variable)) {
                    found.push(variable.clone());
                }
            }
            match selection {
                Selection::Field(field) => open.push(&field.selection_set),
                Selection::InlineFragment(inline) => open.push(&inline.selection_set),
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = document.fragments.get(&spread.fragment_name)
                        && seen.insert(&spread.fragment_name)
                    {
                        open.push(&fragment.selection_set);
                    }
                }
            }
        }
    }
    found
}

/// The fields with one response key, in document order.
pub(super) struct Group<'a> {
    pub(super) key: &'a str,
    pub(super) fields: Vec<&'a Node<SourceField>>,
}

impl Group<'_> {
    pub(super) fn same_fields(&self, other: &Group<'_>) -> bool {
        self.fields.len() == other.fields.len()
            && self.fields.iter().zip(&other.fields).all(|(mine, theirs)| std::ptr::eq(*mine, *theirs))
    }
}

/// Response keys in the order of their first field.
#[derive(Default)]
pub(super) struct Groups<'a> {
    pub(super) list: Vec<Group<'a>>,
    index: HashMap<&'a str, usize>,
}

impl<'a> Groups<'a> {
    fn push(&mut self, field: &'a Node<SourceField>) {
        let key = field.response_key().as_str();
        let next = self.list.len();
        let at = *self.index.entry(key).or_insert(next);
        match self.list.get_mut(at) {
            Some(group) => group.fields.push(field),
            None => self.list.push(Group { key, fields: vec![field] }),
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&Group<'a>> {
        self.index.get(key).and_then(|&at| self.list.get(at))
    }
}

/// A reader of selection sets that counts its steps.
pub(super) struct Collector<'s, 'a> {
    pub(super) source: &'s Source<'a>,
    steps: usize,
}

impl<'s, 'a: 's> Collector<'s, 'a> {
    pub(super) fn new(source: &'s Source<'a>) -> Self {
        Collector { source, steps: 0 }
    }

    /// Collects the fields of several selection sets, for an object to which the conditions apply that `applies`
    /// accepts.
    pub(super) fn collect(
        &mut self,
        sets: &[&'a SelectionSet],
        applies: impl Fn(&Name) -> bool,
    ) -> Result<Groups<'a>, RequestError> {
        let mut groups = Groups::default();
        self.walk(sets, &mut |found| match found {
            Found::Field(field) => {
                groups.push(field);
                true
            }
            Found::Condition(condition) => applies(condition),
        })?;
        Ok(groups)
    }

    /// Returns the type conditions in `sets` that only some types of `parent` fulfil.
    pub(super) fn narrowing_conditions(
        &mut self,
        parent: &Name,
        sets: &[&'a SelectionSet],
    ) -> Result<Vec<&'a Name>, RequestError> {
        let mut narrowing = Vec::new();
        if !self.source.is_abstract(parent) {
            return Ok(narrowing);
        }
        self.walk(sets, &mut |found| {
            if let Found::Condition(condition) = found
                && !self.source.always_applies(condition, parent)
                && !narrowing.contains(&condition)
            {
                narrowing.push(condition);
            }
            true
        })?;
        Ok(narrowing)
    }

    /// Visits the fields in `sets` in order, with those of the fragments whose condition `visit` accepts.
    fn walk(
        &mut self,
        sets: &[&'a SelectionSet],
        visit: &mut dyn FnMut(Found<'a>) -> bool,
    ) -> Result<(), RequestError> {
        let mut visited = HashSet::new();
        sets.iter().try_for_each(|set| self.walk_set(set, &mut visited, visit))
    }

    fn walk_set(
        &mut self,
        set: &'a SelectionSet,
        visited: &mut HashSet<&'a str>,
        visit: &mut dyn FnMut(Found<'a>) -> bool,
    ) -> Result<(), RequestError> {
        for selection in &set.selections {
            self.step()?;
            if !self.source.included(selection)? {
                continue;
            }
            match selection {
                Selection::Field(field) => {
                    visit(Found::Field(field));
                }
                Selection::InlineFragment(inline) => {
                    if inline.type_condition.as_ref().is_none_or(|condition| visit(Found::Condition(condition))) {
                        self.walk_set(&inline.selection_set, visited, visit)?;
                    }
                }
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = self.source.document.fragments.get(&spread.fragment_name)
                        && visited.insert(&spread.fragment_name)
                        && visit(Found::Condition(&fragment.selection_set.ty))
                    {
                        self.walk_set(&fragment.selection_set, visited, visit)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Counts a step of merging; fails past the limit.
    pub(super) fn step(&mut self) -> Result<(), RequestError> {
        self.steps += 1;
        let limit = self.source.selections_limit.saturating_mul(STEPS_PER_SELECTION);
        if self.steps > limit { Err(over_limit("selections to merge", self.steps, limit)) } else { Ok(()) }
    }
}

/// An item of a selection set.
enum Found<'a> {
    Field(&'a Node<SourceField>),
    Condition(&'a Name),
}

impl Source<'_> {
    /// Returns true if every value of type `ty` fulfils the type condition `condition`.
    pub(super) fn always_applies(&self, condition: &Name, ty: &Name) -> bool {
        condition == ty || self.schema.is_subtype(condition, ty)
    }

    fn is_abstract(&self, ty: &Name) -> bool {
        self.schema.types.get(ty).is_some_and(|ty| ty.is_interface() || ty.is_union())
    }

    pub(super) fn possible_types(&self, ty: &Name) -> Vec<Name> {
        match self.schema.types.get(ty) {
            Some(ExtendedType::Union(union)) => union.members.iter().map(|member| member.name.clone()).collect(),
            _ => self.implementers.get(ty).into_iter().flat_map(|it| it.objects.iter().cloned()).collect(),
        }
    }

    pub(super) fn field_definition(&self, parent: &Name, field: &Name) -> Option<&FieldDefinition> {
        self.schema.type_field(parent, field).ok().map(|definition| &***definition)
    }

    fn included(&self, selection: &Selection) -> Result<bool, RequestError> {
        Ok(!self.condition(selection, "skip", false)? && self.condition(selection, "include", true)?)
    }

    fn condition(&self, selection: &Selection, directive: &str, default: bool) -> Result<bool, RequestError> {
        let Some(value) = selection.directives().get(directive).and_then(|it| it.specified_argument_by_name("if"))
        else {
            return Ok(default);
        };
        let value = value.to_bool().or_else(|| self.conditions.get(value.as_variable()?.as_str()).copied());
        value.ok_or_else(|| {
            RequestError::new(code::INPUT, format!("The condition of `@{directive}` must be true or false, not null."))
        })
    }

    pub(super) fn pos(&self, span: Option<SourceSpan>) -> Pos {
        position(span, &self.document.sources).unwrap_or_default()
    }
}
