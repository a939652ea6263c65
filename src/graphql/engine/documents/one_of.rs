//! `@oneOf` input objects, which apollo-compiler 1 does not know: the rule for literals and variables, and
//! `__Type.isOneOf`.

use apollo_compiler::{
    Name, Node, Schema,
    ast::{FieldDefinition, Type, Value},
    executable::{ExecutableDocument, Operation, Selection, SelectionSet},
    response::JsonValue,
    schema::{Component, ExtendedType},
    validation::Valid,
};

use super::position::position;
use crate::graphql::engine::errors::{RequestError, code};

/// Adds the field `isOneOf` to `__Type`, so that documents may select it.
pub(super) fn add_introspection_field(schema: &mut Schema) {
    let Some(ExtendedType::Object(ty)) = schema.types.get_mut("__Type") else { return };
    let name = apollo_compiler::name!("isOneOf");
    let field = FieldDefinition {
        description: None,
        name: name.clone(),
        arguments: Vec::new(),
        ty: Type::Named(apollo_compiler::name!("Boolean")),
        directives: Default::default(),
    };
    ty.make_mut().fields.insert(name, Component::new(field));
}

/// Refuses literals of `@oneOf` types that do not have exactly one field, or whose field may be null.
pub(super) fn check(schema: &Valid<Schema>, document: &Valid<ExecutableDocument>) -> Result<(), Vec<RequestError>> {
    let any = schema.types.values().any(|ty| ty.is_input_object() && ty.directives().has("oneOf"));
    if !any {
        return Ok(());
    }
    let mut check = Check { schema, document, errors: Vec::new() };
    for operation in document.operations.iter() {
        for variable in &operation.variables {
            if let Some(default) = &variable.default_value {
                check.literal(default, &variable.ty, None);
            }
        }
        check.selections(&operation.selection_set, Some(operation));
    }
    for fragment in document.fragments.values() {
        check.selections(&fragment.selection_set, None);
    }
    if check.errors.is_empty() { Ok(()) } else { Err(check.errors) }
}

/// Returns the fault of a coerced variable of type `ty` in the `@oneOf` types within it.
pub(super) fn fault_in_variable(schema: &Schema, ty: &Type, value: &JsonValue) -> Option<String> {
    match (value, schema.types.get(ty.inner_named_type())?) {
        (JsonValue::Array(items), _) => items.iter().find_map(|item| fault_in_variable(schema, ty.item_type(), item)),
        (JsonValue::Object(fields), ExtendedType::InputObject(object)) => {
            if object.directives.has("oneOf") && (fields.len() != 1 || fields.values().any(JsonValue::is_null)) {
                return Some(format!("exactly one field of {} must be given, and not be null", object.name));
            }
            let typed = fields.iter().filter_map(|(name, value)| Some((object.fields.get(name.as_str())?, value)));
            typed.into_iter().find_map(|(field, value)| fault_in_variable(schema, &field.ty, value))
        }
        _ => None,
    }
}

struct Check<'a> {
    schema: &'a Schema,
    document: &'a ExecutableDocument,
    errors: Vec<RequestError>,
}

impl Check<'_> {
    fn selections(&mut self, set: &SelectionSet, operation: Option<&Node<Operation>>) {
        for selection in &set.selections {
            match selection {
                Selection::Field(field) => {
                    for argument in &field.arguments {
                        if let Some(definition) = field.definition.argument_by_name(&argument.name) {
                            self.literal(&argument.value, &definition.ty, operation);
                        }
                    }
                    self.selections(&field.selection_set, operation);
                }
                Selection::InlineFragment(inline) => self.selections(&inline.selection_set, operation),
                Selection::FragmentSpread(_) => {}
            }
        }
    }

    fn literal(&mut self, value: &Node<Value>, ty: &Type, operation: Option<&Node<Operation>>) {
        let fields = match &**value {
            Value::List(items) => {
                return items.iter().for_each(|item| self.literal(item, ty.item_type(), operation));
            }
            Value::Object(fields) => fields,
            _ => return,
        };
        let Some(ExtendedType::InputObject(object)) = self.schema.types.get(ty.inner_named_type()) else { return };
        for (name, value) in fields {
            if let Some(definition) = object.fields.get(name) {
                self.literal(value, &definition.ty, operation);
            }
        }
        if !object.directives.has("oneOf") {
            return;
        }
        let message = match fields.as_slice() {
            [(field, value)] if may_be_null(value, operation) => {
                format!("the field {field} of {}, of which exactly one is given, must not be null", object.name)
            }
            [_] => return,
            _ => format!("exactly one field of {} must be given, not {}", object.name, fields.len()),
        };
        self.errors
            .push(RequestError::new(code::VALIDATION, message).at(position(value.location(), &self.document.sources)));
    }
}

fn may_be_null(value: &Value, operation: Option<&Node<Operation>>) -> bool {
    let nullable = |name: &Name| {
        let variable = operation.and_then(|operation| operation.variables.iter().find(|it| it.name == *name));
        variable.is_some_and(|variable| !variable.ty.is_non_null())
    };
    value.is_null() || value.as_variable().is_some_and(nullable)
}
