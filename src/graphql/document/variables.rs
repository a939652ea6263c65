//! The variables of one request, checked against what the operation declares.

use apollo_compiler::{
    ExecutableDocument, Schema,
    executable::Operation,
    request::coerce_variable_values,
    response::{JsonMap, JsonValue},
    validation::Valid,
};
use async_graphql::{Name, Value};
use serde_json::{Map, Value as Json};

use super::{RequestError, bind::Variables, code, position};

/// The declared variables that have a value, given or by default; or what is wrong with each of the others.
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
    match coerce_variable_values(schema, operation, &declared) {
        Ok(values) => {
            Ok(values.into_inner().into_iter().map(|(name, value)| (name.as_str().to_owned(), to_value(value))).collect())
        }
        Err(_) => Err(explain(schema, document, operation, &declared)),
    }
}

/// Tries the variables one by one, so that each error names its variable.
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
        let message = format!("variable ${} of type {} is not valid: {}", variable.name, variable.ty, error.message());
        Some(RequestError::new(code::INPUT, message).at(position(variable.location(), &document.sources)))
    });
    wrong.collect()
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
