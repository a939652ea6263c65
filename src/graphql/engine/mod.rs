//! The execution of GraphQL documents for any schema: nothing here knows a type of the API.

pub mod batches;
pub mod documents;
pub mod errors;
pub mod execute;
mod mutations;
mod reply;
#[cfg(test)]
pub(crate) mod test_schema;
