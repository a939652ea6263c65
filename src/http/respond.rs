//! Responses that several handlers send.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::negotiate::Media;
use crate::{
    error::{Error, INTERNAL_MESSAGE},
    graphql::engine::{
        errors::{code, present},
        execute::{Outcome, Reply},
    },
};

/// Creates a response with one error in the form of GraphQL.
pub(super) fn problem(status: StatusCode, code: &str, message: &str) -> Response {
    let body = json!({ "errors": [{ "message": message, "extensions": { "code": code } }] });
    json_response(status, &body)
}

/// Creates the response for a path without a resource.
pub(super) fn not_found() -> Response {
    problem(StatusCode::NOT_FOUND, "NOT_FOUND", "There is nothing at this path.")
}

/// Creates the response for an internal error, whose cause is logged and not shown.
pub(super) fn internal_error() -> Response {
    problem(StatusCode::INTERNAL_SERVER_ERROR, code::INTERNAL, INTERNAL_MESSAGE)
}

/// Creates a JSON response that must not be cached.
pub(super) fn json_response(status: StatusCode, body: &serde_json::Value) -> Response {
    uncached(status, body.to_string(), Media::Json)
}

/// Creates the response with an encoded reply, or with those to a batch.
pub(super) fn write(body: Vec<u8>, status: StatusCode, media: Media) -> Response {
    uncached(status, body, media)
}

/// Creates the response with a short reply: that to an operation that did not run.
pub(super) fn write_reply(reply: &Reply, status: StatusCode, media: Media) -> Response {
    uncached(status, reply.encode(u64::MAX).0, media)
}

fn uncached(status: StatusCode, body: impl IntoResponse, media: Media) -> Response {
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media.content_type()));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Creates the response for a caller whose credential is refused or cannot be checked.
pub(super) fn authentication_failed(error: &Error, request_id: &str, media: Media) -> Response {
    let reply = Reply::failed(Outcome::Rejected, present(error, request_id));
    let mut response = write_reply(&reply, status(Err(error), media), media);
    if matches!(error, Error::Unauthenticated(_)) {
        let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

/// Returns the status of a reply by its outcome, or by the reason why the caller was refused. GraphQL over HTTP is still
/// a draft; this is the one place to change when it does.
pub(super) fn status(result: Result<Outcome, &Error>, media: Media) -> StatusCode {
    match result {
        Ok(Outcome::Executed) => StatusCode::OK,
        Ok(Outcome::Malformed) => StatusCode::BAD_REQUEST,
        Ok(Outcome::Rejected | Outcome::OverBudget) if media == Media::Json => StatusCode::OK,
        Ok(Outcome::Rejected | Outcome::OverBudget) => StatusCode::BAD_REQUEST,
        Ok(Outcome::MutationRefused) => StatusCode::METHOD_NOT_ALLOWED,
        Ok(Outcome::Busy) => StatusCode::SERVICE_UNAVAILABLE,
        Ok(Outcome::TimedOut) => StatusCode::GATEWAY_TIMEOUT,
        Ok(Outcome::Crashed) => StatusCode::INTERNAL_SERVER_ERROR,
        Err(Error::Unauthenticated(_)) => StatusCode::UNAUTHORIZED,
        Err(Error::Forbidden(_)) => StatusCode::FORBIDDEN,
        Err(Error::RateLimited { .. }) => StatusCode::TOO_MANY_REQUESTS,
        Err(Error::Unavailable(..)) => StatusCode::SERVICE_UNAVAILABLE,
        Err(Error::Internal(_)) => StatusCode::INTERNAL_SERVER_ERROR,
        Err(_) => StatusCode::BAD_REQUEST,
    }
}
