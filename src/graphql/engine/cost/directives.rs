//! `@cost` and `@listSize` of the GraphQL cost specification (https://ibm.github.io/graphql-specs/cost-spec.html), added
//! to the printed schema by rules instead of by hand.

use std::collections::BTreeMap;

use anyhow::Context as _;
use apollo_compiler::{
    Node,
    ast::{Definition, Document, FieldDefinition, InputValueDefinition, Type},
    parser::SourceSpan,
};

/// The definitions, with the defaults that the specification leaves to the server.
const DEFINITIONS: &str = r#""""
The cost of a field each time it is resolved, or of each value of a type; see "Cost" in the documentation. By default a
field costs nothing by itself, an object 1, a scalar or enum 0.1, and objects of the introspection system less.
"""
directive @cost(weight: String!) on ARGUMENT_DEFINITION | ENUM | FIELD_DEFINITION | INPUT_FIELD_DEFINITION | OBJECT | SCALAR
"""
The size of a list, by which the cost of its items is multiplied: the largest of the `slicingArguments` that are given
(a number, or the number of items of a list), otherwise `assumedSize`. `sizedFields` are the lists below the field that
have this size.
"""
directive @listSize(assumedSize: Int, slicingArguments: [String!], sizedFields: [String!], requireOneSlicingArgument: Boolean = true) on FIELD_DEFINITION
"#;

/// The cost of fields where the general rules do not fit.
#[derive(Debug, Clone, Copy)]
pub struct CostRules {
    /// The number of rows on a page whose size is not given.
    pub page_size: u32,
    /// The length of a list without pages, unless `lengths` has it.
    pub length: u32,
    /// The usual lengths of lists, as `Type.field`.
    pub lengths: &'static [(&'static str, u32)],
    /// The weights of fields and of types that cost more or less than usual, as `Type.field`, `*.field` for all types, or
    /// `Type`; the first that fits is used.
    pub weights: &'static [(&'static str, &'static str)],
    /// The weight of each field of the mutation type.
    pub mutation: &'static str,
}

impl Default for CostRules {
    fn default() -> Self {
        CostRules { page_size: 20, length: 10, lengths: &[], weights: &[], mutation: "10" }
    }
}

/// Adds the directives that follow from `rules` to the text of a schema, and their definitions. The rest of the text
/// stays as it is.
pub fn annotate(sdl: &str, rules: &CostRules) -> anyhow::Result<String> {
    let document = Document::parse(sdl, "schema.graphql").map_err(|error| anyhow::anyhow!("{}", error.errors))?;
    let mut insertions = BTreeMap::new();
    let mut unused: Vec<&str> = rules.lengths.iter().map(|(name, _)| *name).collect();
    let mutation_type = mutation_type(&document);
    for definition in &document.definitions {
        let (name, fields) = match definition {
            Definition::ObjectTypeDefinition(object) => (object.name.as_str(), &object.fields),
            Definition::InterfaceTypeDefinition(interface) => (interface.name.as_str(), &interface.fields),
            Definition::ScalarTypeDefinition(scalar) => {
                let weight = weight(rules, scalar.name.as_str(), None);
                insert(sdl, &mut insertions, scalar.location(), weight.map(cost).unwrap_or_default())?;
                continue;
            }
            _ => continue,
        };
        for field in fields {
            let path = format!("{name}.{}", field.name);
            unused.retain(|name| *name != path);
            let own = weight(rules, name, Some(field.name.as_str()));
            let own = own.or((mutation_type.as_deref() == Some(name)).then_some(rules.mutation));
            let mut text = own.map(cost).unwrap_or_default();
            if let Some(size) = list_size(name, field, rules) {
                text.push_str(&size);
            }
            insert(sdl, &mut insertions, field.location(), text)?;
        }
    }
    anyhow::ensure!(unused.is_empty(), "the rules have lengths of fields that do not exist: {unused:?}");
    let mut annotated = String::with_capacity(sdl.len() * 5 / 4);
    let mut from = 0;
    for (at, text) in insertions {
        annotated.push_str(sdl.get(from..at).unwrap_or_default());
        annotated.push_str(&text);
        from = at;
    }
    annotated.push_str(sdl.get(from..).unwrap_or_default());
    Ok(annotated + DEFINITIONS)
}

fn mutation_type(document: &Document) -> Option<String> {
    let schema = document.definitions.iter().find_map(|definition| match definition {
        Definition::SchemaDefinition(schema) => Some(schema),
        _ => None,
    })?;
    let root = schema.root_operations.iter().find(|root| root.0.to_string() == "mutation")?;
    Some(root.1.to_string())
}

fn weight<'a>(rules: &'a CostRules, ty: &str, field: Option<&str>) -> Option<&'a str> {
    let fits = |name: &str| match (name.split_once('.'), field) {
        (Some((of, named)), Some(field)) => named == field && (of == "*" || of == ty),
        (None, None) => name == ty,
        _ => false,
    };
    rules.weights.iter().find(|(name, _)| fits(name)).map(|(_, weight)| *weight)
}

fn cost(weight: &str) -> String {
    format!(" @cost(weight: \"{weight}\")")
}

/// Returns the `@listSize` of a field: for a connection, for a list of the objects with given ids, and for a list
/// without pages. The lists inside a connection have the size of its page.
fn list_size(ty: &str, field: &FieldDefinition, rules: &CostRules) -> Option<String> {
    let named = |name: &str| field.arguments.iter().any(|argument| argument.name == name);
    if field.ty.inner_named_type().ends_with("Connection") && named("first") && named("last") {
        let size = rules.page_size;
        return Some(format!(
            " @listSize(assumedSize: {size}, slicingArguments: [\"first\", \"last\"], sizedFields: [\"edges\", \"nodes\"], \
             requireOneSlicingArgument: false)"
        ));
    }
    if !field.ty.is_list() || ty.ends_with("Connection") || field.name.starts_with("__") {
        return None;
    }
    if let Some(keys) = field.arguments.iter().find(|argument| is_keys(argument)) {
        return Some(format!(" @listSize(slicingArguments: [\"{}\"])", keys.name));
    }
    let path = format!("{ty}.{}", field.name);
    let length = rules.lengths.iter().find(|(name, _)| *name == path).map_or(rules.length, |(_, length)| *length);
    Some(format!(" @listSize(assumedSize: {length})"))
}

/// Returns whether an argument lists the objects to return: a required list of ids or of representations.
fn is_keys(argument: &Node<InputValueDefinition>) -> bool {
    matches!(&*argument.ty, Type::NonNullList(_)) && matches!(argument.ty.inner_named_type().as_str(), "ID" | "_Any")
}

/// Notes a text to insert after a definition.
fn insert(
    sdl: &str,
    insertions: &mut BTreeMap<usize, String>,
    span: Option<SourceSpan>,
    text: String,
) -> anyhow::Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    let span = span.context("a definition without a position")?;
    let source = sdl.get(span.offset()..span.end_offset()).context("a definition outside the text")?;
    insertions.insert(span.offset() + source.trim_end().len(), text);
    Ok(())
}
