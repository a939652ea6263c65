//! The weights and list sizes of fields, read from the directives in the schema.

use std::sync::Arc;

use apollo_compiler::{
    Schema,
    ast::{DirectiveList, FieldDefinition, Value},
};

use super::OBJECT;

/// The cost of a scalar or enum, in thousandths of an object.
const LEAF: u64 = 100;
/// The costs of objects and scalars of the introspection system, which are in memory. By these the whole introspection
/// query costs about 4,000, and takes some 15 ms: all that may run at once takes a fifth of a second.
const META_OBJECT: u64 = 64;
const META_LEAF: u64 = 16;
/// The length of a list without a `@listSize`.
const UNKNOWN_LENGTH: u64 = 10;

/// The cost of one field, as the schema states it, in thousandths of an object.
#[derive(Debug, Clone)]
pub(in crate::graphql::engine) struct FieldCost {
    /// The cost of each resolution.
    pub call: u64,
    /// The cost of each value that is returned, without the fields below it.
    pub item: u64,
    /// The size of the list that is returned, or of those in `sized` below an object that is returned.
    pub size: Option<Arc<ListSize>>,
}

/// The contents of a `@listSize`.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::graphql::engine) struct ListSize {
    pub assumed: u64,
    pub slicing: Vec<String>,
    pub sized: Vec<String>,
}

/// The mean lengths of the lists of the introspection system, which follow from the schema.
#[derive(Debug)]
pub(in crate::graphql::engine) struct Weights {
    meta: Vec<(&'static str, Arc<ListSize>)>,
}

impl Weights {
    /// Measures the lists of the introspection system of `schema`.
    pub(in crate::graphql::engine) fn new(schema: &Schema) -> Self {
        let types = schema.types.len();
        let (mut fields, mut arguments, mut inputs, mut values, mut interfaces) = (0, 0, 0, 0, 0);
        for ty in schema.types.values() {
            use apollo_compiler::schema::ExtendedType::{Enum, InputObject, Interface, Object, Scalar, Union};
            let definitions = match ty {
                Object(object) => {
                    interfaces += object.implements_interfaces.len();
                    &object.fields
                }
                Interface(interface) => &interface.fields,
                InputObject(object) => {
                    inputs += object.fields.len();
                    continue;
                }
                Enum(of) => {
                    values += of.values.len();
                    continue;
                }
                Scalar(_) | Union(_) => continue,
            };
            fields += definitions.len();
            arguments += definitions.values().map(|field| field.arguments.len()).sum::<usize>();
        }
        let mean = |count: usize, of: usize| Arc::new(ListSize::plain(count.div_ceil(of.max(1))));
        Weights {
            meta: vec![
                ("types", mean(types, 1)),
                ("directives", mean(schema.directive_definitions.len(), 1)),
                ("fields", mean(fields, types)),
                ("args", mean(arguments, fields)),
                ("inputFields", mean(inputs, types)),
                ("enumValues", mean(values, types)),
                ("interfaces", mean(interfaces, types)),
                ("possibleTypes", mean(interfaces, types)),
                ("locations", mean(4, 1)),
            ],
        }
    }

    /// Returns the cost of a field of `parent`.
    pub(in crate::graphql::engine) fn of(&self, schema: &Schema, parent: &str, field: &FieldDefinition) -> FieldCost {
        let returned = field.ty.inner_named_type();
        let ty = schema.types.get(returned);
        let is_leaf = ty.is_none_or(|ty| ty.is_scalar() || ty.is_enum());
        let usual = match (parent.starts_with("__") || returned.starts_with("__"), is_leaf) {
            (true, true) => META_LEAF,
            (true, false) => META_OBJECT,
            (false, true) => LEAF,
            (false, false) => OBJECT,
        };
        let item = ty.and_then(|ty| weight(ty.directives().iter().find(|it| it.name == "cost")?)).unwrap_or(usual);
        let call = field.directives.get("cost").and_then(|it| weight(it)).unwrap_or(0);
        let meta = || {
            let known = self.meta.iter().find(|(name, _)| parent.starts_with("__") && *name == field.name.as_str());
            known.map(|(_, size)| Arc::clone(size))
        };
        let size = declared(&field.directives).map(Arc::new).or_else(meta);
        let size = size.or_else(|| field.ty.is_list().then(|| Arc::new(ListSize::plain(UNKNOWN_LENGTH))));
        FieldCost { call, item, size }
    }
}

impl ListSize {
    fn plain(assumed: impl TryInto<u64>) -> ListSize {
        let assumed = assumed.try_into().unwrap_or(u64::MAX);
        ListSize { assumed, slicing: Vec::new(), sized: Vec::new() }
    }
}

fn declared(directives: &DirectiveList) -> Option<ListSize> {
    let directive = directives.get("listSize")?;
    let names = |argument: &str| match directive.specified_argument_by_name(argument).map(|value| &**value) {
        Some(Value::List(names)) => names.iter().filter_map(|name| name.as_str()).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    let assumed = directive.specified_argument_by_name("assumedSize").and_then(|value| value.to_i32());
    let assumed = assumed.and_then(|size| u64::try_from(size).ok()).unwrap_or(UNKNOWN_LENGTH);
    Some(ListSize { assumed, slicing: names("slicingArguments"), sized: names("sizedFields") })
}

/// Returns the weight in a `@cost`, in thousandths; `None` if it is not a decimal number.
fn weight(directive: &apollo_compiler::ast::Directive) -> Option<u64> {
    let text = directive.specified_argument_by_name("weight")?.as_str()?;
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let thousandths: String = part.chars().chain("000".chars()).take(3).collect();
    Some(whole.parse::<u64>().ok()?.saturating_mul(OBJECT).saturating_add(thousandths.parse().ok()?))
}
