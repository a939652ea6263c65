//! What one operation will execute, once per document and set of conditions: every response key once per object type,
//! in response order, without fragments and conditions. Both what async-graphql executes (`bind.rs`) and the form of
//! the answer (`answer.rs`) are read from it.

use std::{collections::HashMap, sync::Arc};

use apollo_compiler::{
    Node,
    ast::{Type, Value},
};
use async_graphql::{Name, Pos, Positioned, parser::types::OperationType};

/// The key under which the type of an object is asked for where it decides the form of the answer; it is no name in
/// GraphQL, so no client can have asked for it, and it is left out of the reply.
pub(super) const TYPE_KEY: &str = "#type";

/// A merged operation, ready to be executed with any variables that fit its conditions.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) operation: OperationType,
    pub(super) name: Option<String>,
    pub(super) root: Children,
    /// Whether the operation asks for `__schema` or `__type`.
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
    /// What is asked of the object or objects it returns; none for scalars and enums.
    pub(super) children: Option<Children>,
}

/// An argument as written; variables are put in for each request.
#[derive(Debug)]
pub(super) struct Argument {
    pub(super) name: Positioned<Name>,
    pub(super) value: Node<Value>,
    pub(super) pos: Pos,
}

/// The fields asked of an object.
#[derive(Debug)]
pub(super) enum Children {
    /// Whatever the object's type, these fields.
    Same(Vec<Arc<Field>>),
    /// Fields that differ by the object's type.
    ByType {
        /// Fields that every type has in common; not repeated in the `own` of each.
        shared: Vec<Arc<Field>>,
        types: HashMap<String, TypeFields>,
    },
}

/// The fields asked of objects of one type.
#[derive(Debug, Clone)]
pub(super) struct TypeFields {
    /// Everything in response order, the shared fields among it.
    pub(super) all: Vec<Arc<Field>>,
    /// What is asked of this type beyond the shared fields.
    pub(super) own: Vec<Arc<Field>>,
}
