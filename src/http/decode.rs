//! Parsing of operations from a body or a query string, as specified by GraphQL over HTTP.

use serde_json::{Map, Value};
use url::form_urlencoded;

use super::documents::{DocumentRef, SentOperation, not_supported};
use crate::graphql::engine::{
    errors::{RequestError, code},
    execute::{Outcome, Reply},
};

/// An operation, or the reply that describes the error.
pub(super) type Decoded = Result<SentOperation, Box<Reply>>;

/// The version of automatic persisted queries.
const APQ_VERSION: u64 = 1;

/// The content of a request.
pub(super) enum Payload {
    /// A single operation.
    Single(Decoded),
    /// Several operations, answered in order.
    Batch(Vec<Decoded>),
}

/// Parses a JSON body: an object, or an array of at most `batch_limit` objects.
pub(super) fn body(bytes: &[u8], batch_limit: usize) -> Payload {
    let single = |message: String| Payload::Single(Err(malformed(message)));
    match serde_json::from_slice(bytes) {
        Ok(Value::Array(items)) if items.is_empty() => single("The batch contains no operation.".to_owned()),
        Ok(Value::Array(items)) if items.len() > batch_limit => {
            single(format!("The batch contains {} operations; the limit is {batch_limit}.", items.len()))
        }
        Ok(Value::Array(items)) => Payload::Batch(items.into_iter().map(operation).collect()),
        Ok(value) => Payload::Single(operation(value)),
        // The library has no other sign of it than its words.
        Err(error) if error.to_string().starts_with("recursion limit exceeded") => {
            single("The body is nested too deeply: JSON can have at most 127 levels.".to_owned())
        }
        Err(error) => {
            single(format!("The body is not JSON: error at line {} column {}.", error.line(), error.column()))
        }
    }
}

/// Parses a query string, in which variables and extensions are JSON.
pub(super) fn query_string(text: &str) -> Decoded {
    let mut object = Map::new();
    for (name, value) in form_urlencoded::parse(text.as_bytes()) {
        let value = match &*name {
            "query" | "operationName" | "documentId" => Value::String(value.into_owned()),
            "variables" | "extensions" if value.is_empty() => continue,
            "variables" | "extensions" => {
                serde_json::from_str(&value).map_err(|_| malformed(format!("The parameter {name} is not JSON.")))?
            }
            _ => continue,
        };
        if object.insert(name.to_string(), value).is_some() {
            return Err(malformed(format!("The parameter {name} is given twice.")));
        }
    }
    if object.get("operationName").is_some_and(|name| name == "") {
        object.remove("operationName");
    }
    operation(Value::Object(object))
}

/// Parses a JSON object.
pub(super) fn operation(value: Value) -> Decoded {
    let Value::Object(mut object) = value else {
        return Err(malformed("An operation is a JSON object with the document in \"query\"."));
    };
    let mut extensions = optional_object(&mut object, "extensions")?;
    let variables = optional_object(&mut object, "variables")?;
    let operation_name = optional_text(&mut object, "operationName")?;
    let text = optional_text(&mut object, "query")?;
    let id = optional_text(&mut object, "documentId")?;
    let hash = persisted_hash(&mut extensions)?;
    let document = match (text, id, hash) {
        (Some(text), None, None) => DocumentRef::Text(text),
        (None, Some(id), None) => DocumentRef::Id(id),
        (text, None, Some(hash)) => DocumentRef::Hash(hash, text.filter(|text| !text.is_empty())),
        (None, None, None) => return Err(malformed("The document is missing. Send it in \"query\".")),
        (_, Some(_), _) => return Err(malformed("Send either \"query\" or \"documentId\".")),
    };
    Ok(SentOperation { document, operation_name, variables })
}

/// Returns the hash of an automatic persisted query, if the extensions have one.
fn persisted_hash(extensions: &mut Map<String, Value>) -> Result<Option<String>, Box<Reply>> {
    let mut persisted = optional_object(extensions, "persistedQuery")?;
    if persisted.is_empty() {
        return Ok(None);
    }
    if persisted.get("version").is_none_or(|version| *version != APQ_VERSION) {
        return Err(Box::new(Reply::rejected(vec![not_supported()])));
    }
    match optional_text(&mut persisted, "sha256Hash")? {
        Some(hash) => Ok(Some(hash)),
        None => Err(malformed("\"persistedQuery\" must have a \"sha256Hash\".")),
    }
}

fn optional_text(object: &mut Map<String, Value>, name: &str) -> Result<Option<String>, Box<Reply>> {
    match object.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(malformed(format!("\"{name}\" must be a string."))),
    }
}

fn optional_object(object: &mut Map<String, Value>, name: &str) -> Result<Map<String, Value>, Box<Reply>> {
    match object.remove(name) {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(found)) => Ok(found),
        Some(_) => Err(malformed(format!("\"{name}\" must be an object."))),
    }
}

fn malformed(message: impl Into<String>) -> Box<Reply> {
    Box::new(Reply::failed(Outcome::Malformed, RequestError::new(code::BAD_REQUEST, message).into()))
}
