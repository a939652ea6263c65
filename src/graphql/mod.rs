//! The GraphQL API: from a document to a reply.

pub mod document;
pub mod error;
pub mod execute;
#[cfg(test)]
pub(crate) mod toy;
