//! Parsing of operations from a body or a query string, as specified by GraphQL over HTTP.

use serde_json::{Map, Value};
use url::form_urlencoded;

use crate::graphql::engine::{
    errors::{RequestError, code},
    execute::{Operation, Outcome, Reply},
};

/// An operation, or the reply that describes the error.
pub(super) type Decoded = Result<Operation, Box<Reply>>;

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
            "query" | "operationName" => Value::String(value.into_owned()),
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
    let extensions = optional_object(&mut object, "extensions")?;
    let variables = optional_object(&mut object, "variables")?;
    let operation_name = match object.remove("operationName") {
        None | Some(Value::Null) => None,
        Some(Value::String(name)) => Some(name),
        Some(_) => return Err(malformed("\"operationName\" must be a string.")),
    };
    let query = match object.remove("query") {
        Some(Value::String(query)) => query,
        None | Some(Value::Null) if extensions.contains_key("persistedQuery") => {
            let error = RequestError::new(code::PERSISTED_QUERY_NOT_FOUND, "PersistedQueryNotFound");
            return Err(Box::new(Reply::rejected(vec![error])));
        }
        None | Some(Value::Null) => return Err(malformed("The document is missing. Send it in \"query\".")),
        Some(_) => return Err(malformed("\"query\" must be a string.")),
    };
    Ok(Operation { query, operation_name, variables })
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
