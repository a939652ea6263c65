//! The execution of GraphQL documents for any schema: nothing here knows a type of the API.

mod accept;
mod admission;
pub mod batches;
pub mod cost;
pub mod documents;
pub mod errors;
pub mod execute;
mod mutations;
mod reply;
mod stopped;
#[cfg(test)]
pub(crate) mod test_schema;
