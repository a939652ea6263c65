//! Apollo Federation 2: the root fields with which a gateway reads this subgraph and looks up its entities. They are hidden
//! from the published schema, because clients never use them.

use crate::error::Error;
use crate::graphql::node::{self, Entity};
use anyhow::anyhow;
use apollo_compiler::ast::{
    Argument, Definition, Directive, Document, FieldDefinition, ObjectTypeDefinition, Value as AstValue,
};
use apollo_compiler::{Node, name};
use async_graphql::{Context, InputValueResult, Object, Result, Scalar, ScalarType, Value};
use futures_util::future::join_all;
use std::collections::HashSet;

/// Maximum number of representations in one look-up.
const MAX_REPRESENTATIONS: usize = 1_000;

/// Imports the directives that this subgraph uses.
const LINK: &str =
    "extend schema @link(url: \"https://specs.apollo.dev/federation/v2.3\", import: [\"@key\", \"@shareable\"])";

/// Types that a supergraph cannot have. There, `Subscription` is the name of the root of live subscriptions, whatever a
/// subgraph calls its own, so neither our root nor our entity of that name can take part.
const RESERVED: [&str; 2] = ["Live", "Subscription"];

/// Directives that every implementation of GraphQL defines itself.
const BUILT_IN: [&str; 4] = ["include", "skip", "deprecated", "specifiedBy"];

/// Prints the published schema; part of the schema's data.
pub struct Published(pub fn() -> String);

/// A gateway's reference to an entity: its type and its key.
pub struct Representation(Value);

/// A reference to an entity: an object with `__typename` and the key `id`. Other fields are ignored.
#[Scalar(name = "_Any")]
impl ScalarType for Representation {
    fn parse(value: Value) -> InputValueResult<Self> {
        Ok(Representation(value))
    }

    fn to_value(&self) -> Value {
        self.0.clone()
    }
}

impl Representation {
    /// Returns the type and the id of the entity.
    fn key(&self) -> Result<(&str, &str), Error> {
        let text = |name| match &self.0 {
            Value::Object(fields) => match fields.get(name) {
                Some(Value::String(text)) => Some(text.as_str()),
                _ => None,
            },
            _ => None,
        };
        text("__typename").zip(text("id")).ok_or_else(|| {
            Error::bad_input("A representation must be an object with the strings `__typename` and `id`, the key.")
        })
    }
}

/// This server as a subgraph.
pub struct Subgraph;

/// This server as a subgraph.
#[Object(name = "_Service")]
impl Subgraph {
    /// The schema with the directives of federation.
    async fn sdl(&self, ctx: &Context<'_>) -> Result<String> {
        let Published(sdl) = ctx.data_unchecked::<Published>();
        Ok(subgraph_sdl(&sdl()).map_err(Error::internal)?)
    }
}

/// The query roots for gateways.
#[derive(Default)]
pub struct FederationQuery;

#[Object]
impl FederationQuery {
    /// This server as a subgraph, for the composition of a supergraph. For callers who may use introspection.
    #[graphql(name = "_service", visible = false)]
    async fn service(&self) -> Subgraph {
        Subgraph
    }

    /// Entities by their references, in the order of the references; null for each that does not exist or that the
    /// caller may not see.
    #[graphql(name = "_entities", visible = false)]
    async fn entities(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "References, at most 1000.")] representations: Vec<Representation>,
    ) -> Result<Vec<Option<Result<Entity>>>> {
        if representations.len() > MAX_REPRESENTATIONS {
            let message = format!("At most {MAX_REPRESENTATIONS} representations can be looked up at once.");
            return Err(Error::bad_input(message).into());
        }
        // A faulty representation is an error at its own place. Rows of one type are read together.
        let found = representations.iter().map(async |representation| {
            let (type_name, id) = representation.key()?;
            node::find_entity(ctx, type_name, id).await
        });
        Ok(join_all(found).await.into_iter().map(Result::transpose).collect())
    }
}

/// Returns the published schema with the directives of federation: every type with a global id is an entity.
pub fn subgraph_sdl(published: &str) -> anyhow::Result<String> {
    let parsed = Document::parse(published, "schema.graphql");
    let mut document = parsed.map_err(|faulty| anyhow!("the schema cannot be parsed: {}", faulty.errors))?;
    document.definitions.retain(|definition| match definition {
        Definition::DirectiveDefinition(directive) => !BUILT_IN.contains(&directive.name.as_str()),
        _ => true,
    });
    leave_out(&mut document, RESERVED.map(str::to_owned).into());
    for definition in &mut document.definitions {
        let Definition::ObjectTypeDefinition(object) = definition else { continue };
        if object.implements_interfaces.iter().any(|interface| *interface == "Node") {
            let fields = Argument { name: name!("fields"), value: Node::new(AstValue::String("id".to_owned())) };
            let key = Directive { name: name!("key"), arguments: vec![Node::new(fields)] };
            object.make_mut().directives.0.push(Node::new(key));
        } else if object.name == "PageInfo" {
            object.make_mut().directives.0.push(Node::new(Directive::new(name!("shareable"))));
        }
    }
    Ok(format!("{document}\n{LINK}\n"))
}

/// Removes types with the fields that return them, and the pages whose rows they are.
fn leave_out(document: &mut Document, mut types: HashSet<String>) {
    // Edges first, then connections, which are pages of edges.
    for rows in ["node", "edges"] {
        let pages = document.definitions.iter().filter_map(|definition| match definition {
            Definition::ObjectTypeDefinition(object) => Some(object),
            _ => None,
        });
        let of_these = |object: &&Node<ObjectTypeDefinition>| {
            let mut fields = object.fields.iter();
            fields.any(|field| field.name == rows && types.contains(field.ty.inner_named_type().as_str()))
        };
        let names: Vec<String> = pages.filter(of_these).map(|object| object.name.to_string()).collect();
        types.extend(names);
    }
    document.definitions.retain(|definition| !definition.name().is_some_and(|name| types.contains(name.as_str())));
    for definition in &mut document.definitions {
        match definition {
            Definition::ObjectTypeDefinition(object) => {
                let kept = |field: &Node<FieldDefinition>| !types.contains(field.ty.inner_named_type().as_str());
                object.make_mut().fields.retain(kept);
            }
            Definition::SchemaDefinition(schema) => {
                schema.make_mut().root_operations.retain(|root| !types.contains(root.1.as_str()));
            }
            _ => {}
        }
    }
}
