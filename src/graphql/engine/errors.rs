//! The final form of every error that a client sees: a code in `extensions.code`, and no internals.

use async_graphql::{ErrorExtensionValues, Pos, ServerError};
use std::any::Any;
use std::sync::Arc;

use crate::error::{Error, INTERNAL_MESSAGE, whole_seconds};

/// The codes of errors about the request as a whole; [`Error::code`] returns those of the features.
pub mod code {
    /// The text is not GraphQL or too long to parse.
    pub const PARSE: &str = "GRAPHQL_PARSE_FAILED";
    /// The document does not fit the schema or exceeds a limit.
    pub const VALIDATION: &str = "GRAPHQL_VALIDATION_FAILED";
    /// Variables or arguments do not have their declared types.
    pub const INPUT: &str = "BAD_USER_INPUT";
    /// The caller sent a hash or an id instead of a text, and the server does not know it.
    pub const PERSISTED_QUERY_NOT_FOUND: &str = "PERSISTED_QUERY_NOT_FOUND";
    /// The caller sent a hash, and the server keeps no documents by hash.
    pub const PERSISTED_QUERY_NOT_SUPPORTED: &str = "PERSISTED_QUERY_NOT_SUPPORTED";
    /// The caller sent a hash that is not that of the text.
    pub const PERSISTED_QUERY_MISMATCH: &str = "PERSISTED_QUERY_MISMATCH";
    /// Only trusted documents run for the caller, and this is none.
    pub const DOCUMENT_NOT_TRUSTED: &str = "DOCUMENT_NOT_TRUSTED";
    /// The operation costs more than it may.
    pub const COST_LIMIT_EXCEEDED: &str = "COST_LIMIT_EXCEEDED";
    /// The caller sends too many requests.
    pub const RATE_LIMITED: &str = "RATE_LIMITED";
    /// The caller read a subscription too slowly and missed changes.
    pub const SUBSCRIPTION_LAGGED: &str = "SUBSCRIPTION_LAGGED";
    /// A dependency is unavailable, or a capacity is exhausted.
    pub const UNAVAILABLE: &str = "SERVICE_UNAVAILABLE";
    /// The operation exceeded the time limit.
    pub const TIMEOUT: &str = "TIMEOUT";
    /// The form of the request is wrong: method, media type, size.
    pub const BAD_REQUEST: &str = "BAD_REQUEST";
    /// The caller is not permitted to do this.
    pub const FORBIDDEN: &str = "FORBIDDEN";
    /// An internal error.
    pub const INTERNAL: &str = "INTERNAL_SERVER_ERROR";
}

/// The extension with the seconds to wait.
const RETRY_AFTER: &str = "retryAfterSeconds";

/// The extension that says whether the change will be made later without the caller.
const RETRIED_LATER: &str = "retriedLater";

/// The longest message that quotes a client, in characters.
const MAX_MESSAGE_CHARS: usize = 500;

/// An error of a request that is not executed.
#[derive(Debug, Clone)]
pub struct RequestError {
    /// A stable code for clients to switch on.
    pub code: &'static str,
    /// The message, for people.
    pub message: String,
    /// The position in the document, if there is one.
    pub position: Option<Pos>,
    /// Figures for `extensions`, by name.
    pub figures: Vec<(&'static str, u64)>,
}

impl RequestError {
    /// Creates an error about the request as a whole.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        RequestError { code, message: shorten(message.into()), position: None, figures: Vec::new() }
    }

    /// Adds a position in the document.
    pub fn at(self, position: Option<Pos>) -> Self {
        RequestError { position, ..self }
    }

    /// Adds a figure for `extensions`.
    pub fn with(mut self, name: &'static str, figure: u64) -> Self {
        self.figures.push((name, figure));
        self
    }
}

impl From<RequestError> for ServerError {
    fn from(error: RequestError) -> Self {
        let mut presented = with_code(ServerError::new(error.message, error.position), error.code);
        for (name, figure) in error.figures {
            presented.extensions.get_or_insert_default().set(name, figure);
        }
        presented
    }
}

/// Converts an error into an error about the request as a whole.
pub fn present(error: &Error, request_id: &str) -> ServerError {
    let mut presented = ServerError::new(error.to_string(), None);
    describe(&mut presented, error, request_id);
    presented
}

/// Gives the errors of an executed operation their final form, and logs the causes of internal errors.
pub(super) fn present_all(errors: &mut Vec<ServerError>, limit: usize, request_id: &str) {
    for error in errors.iter_mut() {
        let source = error.source.take();
        match cause(source.as_deref()) {
            Some(ours) => describe(error, ours, request_id),
            None if has_code(error) => {}
            None if source.is_none() && is_about_input(&error.message) => {
                error.message = shorten(std::mem::take(&mut error.message));
                set_code(error, code::INPUT);
            }
            None => {
                tracing::error!(request_id, path = ?error.path, cause = error.message, "resolver failed");
                mask(error, request_id);
            }
        }
    }
    // In the order of the document, not of the failures.
    errors.sort_by(|one, other| one.locations.cmp(&other.locations));
    errors.truncate(limit);
}

/// Returns our error behind one of async-graphql's. Errors of loaders are shared by all who asked.
pub(super) fn cause(source: Option<&(dyn Any + Send + Sync)>) -> Option<&Error> {
    let source = source?;
    source.downcast_ref::<Error>().or_else(|| source.downcast_ref::<Arc<Error>>().map(Arc::as_ref))
}

/// Returns the seconds to wait before another attempt, if one of the errors has them.
pub(super) fn retry_after_seconds(errors: &[ServerError]) -> Option<u64> {
    let waits = errors.iter().filter_map(|error| match error.extensions.as_ref()?.get(RETRY_AFTER)? {
        async_graphql::Value::Number(seconds) => seconds.as_u64(),
        _ => None,
    });
    waits.max()
}

/// Creates an internal error without its cause.
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
    error.message = INTERNAL_MESSAGE.to_owned();
    error.extensions = None;
    set_code(error, code::INTERNAL);
    error.extensions.get_or_insert_default().set("requestId", request_id);
}

fn with_code(mut error: ServerError, code: &str) -> ServerError {
    set_code(&mut error, code);
    error
}

fn set_code(error: &mut ServerError, code: &str) {
    error.extensions.get_or_insert_with(ErrorExtensionValues::default).set("code", code);
}

fn has_code(error: &ServerError) -> bool {
    error.extensions.as_ref().is_some_and(|extensions| extensions.get("code").is_some())
}

/// Shortens a message, which may quote a long text of the client.
fn shorten(mut message: String) -> String {
    if let Some((end, _)) = message.char_indices().nth(MAX_MESSAGE_CHARS) {
        message.truncate(end);
        message.push('…');
    }
    message
}

/// Returns true for async-graphql's errors about arguments, which carry no type and are known by their wording.
fn is_about_input(message: &str) -> bool {
    message.starts_with("Expected input type") || message.starts_with("Failed to parse")
}
