//! Every error that a client sees gets its final form here: a code in `extensions.code`, and nothing internal.

use async_graphql::{ErrorExtensionValues, Pos, ServerError};
use std::any::Any;
use std::sync::Arc;

use crate::error::{Error, whole_seconds};

/// The codes of errors that are about the request as a whole; [`Error::code`] has those of the features.
pub mod code {
    /// The text is not GraphQL, or too long to be read.
    pub const PARSE: &str = "GRAPHQL_PARSE_FAILED";
    /// The document does not fit the schema, or is over a limit.
    pub const VALIDATION: &str = "GRAPHQL_VALIDATION_FAILED";
    /// Variables or arguments are not what was declared.
    pub const INPUT: &str = "BAD_USER_INPUT";
    /// The caller sent a hash in place of a text that the server does not hold.
    pub const PERSISTED_QUERY_NOT_FOUND: &str = "PERSISTED_QUERY_NOT_FOUND";
    /// The caller does too much at once.
    pub const RATE_LIMITED: &str = "RATE_LIMITED";
    /// The caller did not keep up with what it watches, and has missed some of it.
    pub const SUBSCRIPTION_LAGGED: &str = "SUBSCRIPTION_LAGGED";
    /// Something that is needed is away, or there is no room.
    pub const UNAVAILABLE: &str = "SERVICE_UNAVAILABLE";
    /// The operation took longer than allowed.
    pub const TIMEOUT: &str = "TIMEOUT";
    /// The request is refused by its form: method, media type, size.
    pub const BAD_REQUEST: &str = "BAD_REQUEST";
    /// Something that the caller may not do.
    pub const FORBIDDEN: &str = "FORBIDDEN";
    /// A fault of ours.
    pub const INTERNAL: &str = "INTERNAL_SERVER_ERROR";
}

/// Where an error says how many seconds to wait.
const RETRY_AFTER: &str = "retryAfterSeconds";

/// Where an error says whether the change is made later without the caller.
const RETRIED_LATER: &str = "retriedLater";

/// Characters of the longest message that quotes a client.
const LONGEST_MESSAGE: usize = 500;

/// What is wrong with a request that is not executed.
#[derive(Debug, Clone)]
pub struct RequestError {
    /// A stable code for clients to switch on.
    pub code: &'static str,
    /// What is wrong, for people.
    pub message: String,
    /// Where in the document, if it is there.
    pub position: Option<Pos>,
}

impl RequestError {
    /// An error about the request as a whole.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        RequestError { code, message: shortened(message.into()), position: None }
    }

    /// The same error, at a place in the document.
    pub fn at(self, position: Option<Pos>) -> Self {
        RequestError { position, ..self }
    }
}

impl From<RequestError> for ServerError {
    fn from(error: RequestError) -> Self {
        coded(ServerError::new(error.message, error.position), error.code)
    }
}

/// How an error of ours looks to a client, as an error about the request as a whole.
pub fn present(error: &Error, request_id: &str) -> ServerError {
    let mut presented = ServerError::new(error.to_string(), None);
    describe(&mut presented, error, request_id);
    presented
}

/// Gives the errors of an executed operation their final form, and logs the causes of those that are our fault.
pub(super) fn present_all(errors: &mut Vec<ServerError>, limit: usize, request_id: &str) {
    for error in errors.iter_mut() {
        let source = error.source.take();
        match cause(source.as_deref()) {
            Some(ours) => describe(error, ours, request_id),
            None if has_code(error) => {}
            None if source.is_none() && is_about_input(&error.message) => {
                error.message = shortened(std::mem::take(&mut error.message));
                set_code(error, code::INPUT);
            }
            None => {
                tracing::error!(request_id, path = ?error.path, cause = error.message, "resolver failed");
                mask(error, request_id);
            }
        }
    }
    // By the place in the document and not by the time of failing.
    errors.sort_by(|one, other| one.locations.cmp(&other.locations));
    errors.truncate(limit);
}

/// The error of ours behind one of async-graphql's; those of loaders are shared by all who asked.
pub(super) fn cause(source: Option<&(dyn Any + Send + Sync)>) -> Option<&Error> {
    let source = source?;
    source.downcast_ref::<Error>().or_else(|| source.downcast_ref::<Arc<Error>>().map(Arc::as_ref))
}

/// How many seconds to wait before asking again, where one of the errors says so.
pub(super) fn retry_after_seconds(errors: &[ServerError]) -> Option<u64> {
    let waits = errors.iter().filter_map(|error| match error.extensions.as_ref()?.get(RETRY_AFTER)? {
        async_graphql::Value::Number(seconds) => seconds.as_u64(),
        _ => None,
    });
    waits.max()
}

/// A fault of ours, without its cause.
pub(super) fn internal(request_id: &str) -> ServerError {
    let mut error = ServerError::new("", None);
    mask(&mut error, request_id);
    error
}

fn describe(presented: &mut ServerError, error: &Error, request_id: &str) {
    match error {
        Error::Internal(cause) => {
            tracing::error!(request_id, path = ?presented.path, cause = format!("{cause:#}"), "internal error");
            return mask(presented, request_id);
        }
        Error::Unavailable(what, cause) => {
            tracing::warn!(request_id, path = ?presented.path, what, cause = format!("{cause:#}"), "unavailable");
        }
        Error::RateLimited { retry_after } => {
            presented.extensions.get_or_insert_default().set(RETRY_AFTER, whole_seconds(retry_after));
        }
        Error::ProviderUnavailable { will_retry } => {
            presented.extensions.get_or_insert_default().set(RETRIED_LATER, *will_retry);
        }
        _ => {}
    }
    set_code(presented, error.code());
}

fn mask(error: &mut ServerError, request_id: &str) {
    error.message = "internal error".to_owned();
    error.extensions = None;
    set_code(error, code::INTERNAL);
    error.extensions.get_or_insert_default().set("requestId", request_id);
}

fn coded(mut error: ServerError, code: &str) -> ServerError {
    set_code(&mut error, code);
    error
}

fn set_code(error: &mut ServerError, code: &str) {
    error.extensions.get_or_insert_with(ErrorExtensionValues::default).set("code", code);
}

fn has_code(error: &ServerError) -> bool {
    error.extensions.as_ref().is_some_and(|extensions| extensions.get("code").is_some())
}

/// Messages quote what the client sent, which may be long, and there may be many of them.
fn shortened(mut message: String) -> String {
    if let Some((end, _)) = message.char_indices().nth(LONGEST_MESSAGE) {
        message.truncate(end);
        message.push('…');
    }
    message
}

/// async-graphql's own errors carry no type; these are the forms in which it says that an argument does not parse.
fn is_about_input(message: &str) -> bool {
    message.starts_with("Expected input type") || message.starts_with("Failed to parse")
}
