//! The reply to an operation.

use std::collections::BTreeMap;

use async_graphql::{ServerError, Value};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::{
    documents::Answer,
    errors::{RequestError, retry_after_seconds},
};

/// The outcome of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It ran; there may be errors beside the data.
    Executed,
    /// It did not run: the request contains no operation.
    Malformed,
    /// It did not run: the document, the variables or the permissions are wrong.
    Rejected,
    /// It did not run: mutations are not accepted over this transport.
    MutationRefused,
    /// It was stopped at the time limit; changes made before may be in force.
    TimedOut,
    /// A resolver panicked; changes made before may be in force.
    Crashed,
}

/// The reply to one operation; serialises to the JSON that clients get.
#[derive(Debug)]
pub struct Reply {
    /// The outcome of the operation.
    pub outcome: Outcome,
    /// The name of the operation, for logs.
    pub operation_name: Option<String>,
    pub(super) data: Option<Answer>,
    pub(super) errors: Vec<ServerError>,
    pub(super) extensions: BTreeMap<String, Value>,
}

impl Reply {
    /// Creates the reply to an operation that did not run.
    pub fn rejected(errors: Vec<RequestError>) -> Self {
        Reply {
            outcome: Outcome::Rejected,
            operation_name: None,
            data: None,
            errors: errors.into_iter().map(ServerError::from).collect(),
            extensions: BTreeMap::new(),
        }
    }

    /// Creates a reply that consists of one error.
    pub fn failed(outcome: Outcome, error: ServerError) -> Self {
        Reply { outcome, errors: vec![error], ..Reply::rejected(Vec::new()) }
    }

    /// Returns the seconds to wait before another attempt, after too many requests.
    pub fn retry_after_seconds(&self) -> Option<u64> {
        retry_after_seconds(&self.errors)
    }

    /// Returns the errors in the form that clients get.
    pub fn errors(&self) -> &(impl Serialize + use<>) {
        &self.errors
    }
}

impl Serialize for Reply {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(data) = &self.data {
            map.serialize_entry("data", data)?;
        }
        if !self.errors.is_empty() {
            map.serialize_entry("errors", &self.errors)?;
        }
        if !self.extensions.is_empty() {
            map.serialize_entry("extensions", &self.extensions)?;
        }
        map.end()
    }
}
