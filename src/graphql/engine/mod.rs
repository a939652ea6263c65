//! One operation from its text to its reply, for any schema: knows no type of the API.

pub mod batches;
pub mod documents;
pub mod errors;
pub mod execute;
#[cfg(test)]
pub(crate) mod test_schema;
