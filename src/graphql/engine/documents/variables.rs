//! The variables of one request, checked against the operation's declarations.

use std::fmt::Display;

use apollo_compiler::{
    ExecutableDocument, Node, Schema,
    ast::VariableDefinition,
    executable::Operation,
    request::coerce_variable_values,
    response::{JsonMap, JsonValue},
    validation::Valid,
};
use async_graphql::{Name, Value};
use serde_json::{Map, Value as Json};

use super::{bind::Variables, one_of, position::position};
use crate::graphql::engine::errors::{RequestError, code};

/// Returns the declared variables that have a value, given or by default, or the errors of the others.
pub(super) fn coerce(
    schema: &Valid<Schema>,
    document: &ExecutableDocument,
    operation: &Operation,
    mut given: Map<String, Json>,
) -> Result<Variables, Vec<RequestError>> {
    if operation.variables.is_empty() {
        return Ok(Variables::new());
    }
    let declared: JsonMap = (operation.variables.iter())
        .filter_map(|variable| {
            let (name, value) = given.remove_entry(variable.name.as_str())?;
            Some((name.into(), JsonValue::from(value)))
        })
        .collect();
    let Ok(values) = coerce_variable_values(schema, operation, &declared) else {
        return Err(explain(schema, document, operation, &declared));
    };
    let faults: Vec<RequestError> = (operation.variables.iter())
        .filter_map(|variable| {
            let value = values.get(variable.name.as_str())?;
            let fault = one_of::fault_in_variable(schema, &variable.ty, value)?;
            Some(not_valid(document, variable, fault))
        })
        .collect();
    if !faults.is_empty() {
        return Err(faults);
    }
    let values = values.into_inner().into_iter().map(|(name, value)| (name.as_str().to_owned(), to_value(value)));
    Ok(values.collect())
}

/// Checks the variables one by one, so that each error names its variable.
fn explain(
    schema: &Valid<Schema>,
    document: &ExecutableDocument,
    operation: &Operation,
    given: &JsonMap,
) -> Vec<RequestError> {
    let wrong = operation.variables.iter().filter_map(|variable| {
        let single = Operation {
            operation_type: operation.operation_type,
            name: None,
            variables: vec![variable.clone()],
            directives: Default::default(),
            selection_set: apollo_compiler::executable::SelectionSet::new(operation.selection_set.ty.clone()),
        };
        let error = coerce_variable_values(schema, &single, given).err()?;
        Some(not_valid(document, variable, error.message()))
    });
    wrong.collect()
}

fn not_valid(document: &ExecutableDocument, variable: &Node<VariableDefinition>, why: impl Display) -> RequestError {
    let message = format!("The variable ${} of type {} is not valid: {why}.", variable.name, variable.ty);
    RequestError::new(code::INPUT, message).at(position(variable.location(), &document.sources))
}

fn to_value(json: JsonValue) -> Value {
    match json {
        JsonValue::Null => Value::Null,
        JsonValue::Bool(value) => Value::Boolean(value),
        JsonValue::Number(number) => Value::Number(number),
        JsonValue::String(text) => Value::String(text.as_str().to_owned()),
        JsonValue::Array(items) => Value::List(items.into_iter().map(to_value).collect()),
        JsonValue::Object(fields) => {
            Value::Object(fields.into_iter().map(|(name, value)| (Name::new(name.as_str()), to_value(value))).collect())
        }
    }
}
