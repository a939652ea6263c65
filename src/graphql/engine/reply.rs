//! The reply to an operation.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io,
};

use async_graphql::{ServerError, Value};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::json;

use super::{
    admission::Permit,
    cost::CostReport,
    documents::Answer,
    errors::{RequestError, code, retry_after_seconds},
};
use crate::error::INTERNAL_MESSAGE;

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
    /// It was stopped when it had used more than it may; changes made before may be in force.
    OverBudget,
    /// It did not run: too many others were running.
    Busy,
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
    /// The cost of the operation, if it is to be shown.
    pub(super) cost: Option<CostReport>,
    /// The part of the limit on running operations that is taken while the reply is in memory.
    pub(super) _permit: Option<Permit>,
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
            cost: None,
            _permit: None,
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

    /// Returns the reply as the JSON that clients get, and its outcome: a reply longer than `max_bytes` is replaced by an
    /// error.
    pub fn encode(&self, max_bytes: u64) -> (Vec<u8>, Outcome) {
        let max = usize::try_from(max_bytes).unwrap_or(usize::MAX);
        let mut body = Limited { bytes: Vec::with_capacity(FIRST_BYTES), max };
        match serde_json::to_writer(&mut body, self) {
            Ok(()) => (body.bytes, self.outcome),
            Err(error) if error.is_io() => {
                let advice = "Request fewer objects, or leave out long values. A mutation has taken effect.";
                let reply = Reply::failed(Outcome::OverBudget, too_long(max_bytes, advice).into());
                (serde_json::to_vec(&reply).unwrap_or_default(), Outcome::OverBudget)
            }
            Err(error) => {
                tracing::error!(cause = %error, "the reply cannot be written");
                let error = json!({"message": INTERNAL_MESSAGE, "extensions": {"code": code::INTERNAL}});
                (json!({ "errors": [error] }).to_string().into_bytes(), Outcome::Crashed)
            }
        }
    }

    /// Returns a number that tells whether two replies have the same data; `None` for a reply with errors.
    pub fn fingerprint(&self) -> Option<u64> {
        if self.outcome != Outcome::Executed || !self.errors.is_empty() {
            return None;
        }
        let mut hasher = DefaultHasher::new();
        serde_json::to_vec(&self.data).ok()?.hash(&mut hasher);
        Some(hasher.finish())
    }

    /// Serialises the data now, which takes long where it is large.
    pub(super) fn encode_data(self) -> Reply {
        Reply { data: self.data.map(Answer::encode), ..self }
    }

    /// Returns the errors in the form that clients get.
    pub fn errors(&self) -> &(impl Serialize + use<>) {
        &self.errors
    }
}

/// Creates the error for a reply with too many bytes.
pub(super) fn too_long(limit: u64, advice: &str) -> RequestError {
    let message = format!("The reply is longer than {limit} bytes, which is the limit. {advice}");
    RequestError::new(code::COST_LIMIT_EXCEEDED, message).with("limit", limit)
}

/// The capacity that most replies need.
const FIRST_BYTES: usize = 1024;

/// A buffer that refuses to grow beyond a limit.
struct Limited {
    bytes: Vec<u8>,
    max: usize,
}

impl io::Write for Limited {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        if self.bytes.len().saturating_add(part.len()) > self.max {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
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
        if self.cost.is_some() || !self.extensions.is_empty() {
            // After the data, whose cost is known once it is written.
            let actual = self.data.as_ref().map(Answer::cost);
            let cost = self.cost.map(|cost| CostReport { actual: actual.unwrap_or(cost.actual), ..cost });
            map.serialize_entry("extensions", &Extensions { cost, others: &self.extensions })?;
        }
        map.end()
    }
}

struct Extensions<'a> {
    cost: Option<CostReport>,
    others: &'a BTreeMap<String, Value>,
}

impl Serialize for Extensions<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let cost = self.cost.as_ref().map(|cost| ("cost", cost));
        let mut map = serializer.serialize_map(None)?;
        if let Some((name, cost)) = cost {
            map.serialize_entry(name, cost)?;
        }
        for (name, value) in self.others {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}
