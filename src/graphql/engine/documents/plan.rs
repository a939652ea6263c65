//! The plan of one operation, per document and set of conditions: every response key once per object type, in response
//! order, without fragments and conditions. Both the document that async-graphql executes (`bind.rs`) and the form of
//! the answer (`answer.rs`) are derived from it.

use std::{collections::HashMap, sync::Arc};

use apollo_compiler::{
    Node,
    ast::{Type, Value},
};
use async_graphql::{Name, Pos, Positioned, parser::types::OperationType};

use crate::graphql::engine::cost::weights::FieldCost;

/// The response key of an object's type, where the form of the answer depends on it. It is no valid name in GraphQL, so
/// no client can have requested it, and it is removed from the reply.
pub(super) const TYPE_KEY: &str = "#type";

/// A merged operation, ready to be executed with any variables that fit its conditions.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) operation: OperationType,
    pub(super) name: Option<String>,
    pub(super) root: Children,
    /// True if the operation selects `__schema`, `__type` or `_service`, which returns the schema to gateways.
    pub(super) introspection: bool,
}

/// One response key of an object.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) key: Name,
    pub(super) name: Name,
    pub(super) pos: Pos,
    pub(super) arguments: Vec<Argument>,
    pub(super) ty: Type,
    pub(super) cost: FieldCost,
    /// The selections on the returned object or objects; `None` for scalars and enums.
    pub(super) children: Option<Children>,
}

/// An argument as written; variables are inserted per request.
#[derive(Debug)]
pub(super) struct Argument {
    pub(super) name: Positioned<Name>,
    pub(super) value: Node<Value>,
    pub(super) pos: Pos,
}

/// The selections on an object.
#[derive(Debug)]
pub(super) enum Children {
    /// Fields that do not depend on the object's type.
    Same(Vec<Arc<Field>>),
    /// Fields that depend on the object's type.
    ByType {
        /// Fields that all types have in common; not repeated in the `own` of each.
        shared: Vec<Arc<Field>>,
        types: HashMap<String, TypeFields>,
    },
}

impl Children {
    /// Returns the fields, of whichever type.
    pub(super) fn fields(&self) -> impl Iterator<Item = &Field> {
        let (shared, types) = match self {
            Children::Same(fields) => (fields, None),
            Children::ByType { shared, types } => (shared, Some(types)),
        };
        let own = types.into_iter().flat_map(HashMap::values).flat_map(|fields| &fields.own);
        shared.iter().chain(own).map(AsRef::as_ref)
    }
}

/// The selections on objects of one type.
#[derive(Debug, Clone)]
pub(super) struct TypeFields {
    /// All fields in response order, including the shared ones.
    pub(super) all: Vec<Arc<Field>>,
    /// The fields of this type beyond the shared ones.
    pub(super) own: Vec<Arc<Field>>,
}
