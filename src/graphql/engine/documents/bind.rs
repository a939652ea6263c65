//! The document that async-graphql executes, from a [`Plan`] and the variables of one request. Variables are inserted
//! here: async-graphql would take a missing variable for null and so ignore the default of the argument.

use std::{collections::HashMap, sync::Arc};

use apollo_compiler::ast;
use async_graphql::{
    Name, Number, Positioned, Value,
    parser::types::{
        DocumentOperations, ExecutableDocument, Field as BoundField, InlineFragment, OperationDefinition, Selection,
        SelectionSet, TypeCondition,
    },
};

use super::plan::{Children, Field, Plan, TYPE_KEY};

/// Coerced values of the variables that have one.
pub(super) type Variables = HashMap<String, Value>;

/// Builds the document to execute: one operation without fragments, conditions and variables.
pub(super) fn bind(plan: &Plan, variables: &Variables) -> ExecutableDocument {
    let operation = OperationDefinition {
        ty: plan.operation,
        variable_definitions: Vec::new(),
        directives: Vec::new(),
        selection_set: Positioned::new(selection_set(&plan.root, variables), Default::default()),
    };
    ExecutableDocument {
        operations: DocumentOperations::Single(Positioned::new(operation, Default::default())),
        fragments: HashMap::new(),
    }
}

fn selection_set(children: &Children, variables: &Variables) -> SelectionSet {
    let items = match children {
        // async-graphql answers an empty selection with null instead of an empty object.
        Children::Same(fields) if fields.is_empty() => vec![type_name()],
        Children::Same(fields) => fields.iter().map(|it| field(it, variables)).collect(),
        Children::ByType { shared, types } => {
            let mut items = vec![type_name()];
            items.extend(shared.iter().map(|it| field(it, variables)));
            items.extend(types.iter().filter(|(_, fields)| !fields.own.is_empty()).map(|(object, fields)| {
                let condition = TypeCondition { on: Positioned::new(Name::new(object), Default::default()) };
                let items = fields.own.iter().map(|it| field(it, variables)).collect();
                let fragment = InlineFragment {
                    type_condition: Some(Positioned::new(condition, Default::default())),
                    directives: Vec::new(),
                    selection_set: Positioned::new(SelectionSet { items }, Default::default()),
                };
                let fragment = Positioned::new(fragment, Default::default());
                Positioned::new(Selection::InlineFragment(fragment), Default::default())
            }));
            items
        }
    };
    SelectionSet { items }
}

fn field(field: &Arc<Field>, variables: &Variables) -> Positioned<Selection> {
    let arguments = field.arguments.iter().filter_map(|argument| {
        let value = value(&argument.value, variables)?;
        Some((argument.name.clone(), Positioned::new(value.into_value(), argument.pos)))
    });
    let set = field.children.as_ref().map(|children| selection_set(children, variables)).unwrap_or_default();
    let bound = BoundField {
        alias: (field.key != field.name).then(|| Positioned::new(field.key.clone(), field.pos)),
        name: Positioned::new(field.name.clone(), field.pos),
        arguments: arguments.collect(),
        directives: Vec::new(),
        selection_set: Positioned::new(set, field.pos),
    };
    Positioned::new(Selection::Field(Positioned::new(bound, field.pos)), field.pos)
}

fn type_name() -> Positioned<Selection> {
    let field = BoundField {
        alias: Some(Positioned::new(Name::new(TYPE_KEY), Default::default())),
        name: Positioned::new(Name::new("__typename"), Default::default()),
        arguments: Vec::new(),
        directives: Vec::new(),
        selection_set: Positioned::default(),
    };
    Positioned::new(Selection::Field(Positioned::new(field, Default::default())), Default::default())
}

/// Returns the value of a literal; `None` for a variable without a value, whose argument or input field is omitted.
fn value(literal: &ast::Value, variables: &Variables) -> Option<Value> {
    Some(match literal {
        ast::Value::Null => Value::Null,
        ast::Value::Enum(name) => Value::Enum(Name::new(name)),
        ast::Value::Variable(name) => return variables.get(name.as_str()).cloned(),
        ast::Value::String(text) => Value::String(text.clone()),
        ast::Value::Boolean(value) => Value::Boolean(*value),
        ast::Value::Int(int) => number(int.as_str()),
        ast::Value::Float(float) => number(float.as_str()),
        ast::Value::List(items) => {
            Value::List(items.iter().map(|item| value(item, variables).unwrap_or_default()).collect())
        }
        ast::Value::Object(fields) => Value::Object(
            fields.iter().filter_map(|(name, field)| Some((Name::new(name), value(field, variables)?))).collect(),
        ),
    })
}

/// A number that JSON cannot hold stays a text, which the scalar accepts or refuses.
fn number(text: &str) -> Value {
    text.parse::<Number>().map_or_else(|_| Value::String(text.to_owned()), Value::Number)
}
