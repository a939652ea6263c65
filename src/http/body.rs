//! Reading a request body, up to a limit of bytes and of time.

use std::time::Duration;

use axum::{
    body::Body,
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use http_body_util::BodyExt as _;

use super::problem::problem;
use crate::graphql::engine::errors::code;

/// How many times the limit is read of a body that is too long. A connection that is closed while the client still
/// sends is reset, and the client never sees the refusal.
const READ_OF_TOO_LONG: usize = 16;

/// The body, or the reply that refuses it.
pub(super) async fn read(body: Body, headers: &HeaderMap, limit: usize, time: Duration) -> Result<Vec<u8>, Response> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    let announced = announced.unwrap_or_default();
    // A client that asks before sending sees the refusal without having sent anything.
    let asks = headers.contains_key(header::EXPECT);
    if announced > limit && (asks || announced > limit.saturating_mul(READ_OF_TOO_LONG)) {
        return Err(too_long(limit));
    }
    match tokio::time::timeout(time, collect(body, limit, announced)).await {
        Ok(Ok(bytes)) if bytes.len() > limit => Err(too_long(limit)),
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => Err(problem(StatusCode::BAD_REQUEST, code::BAD_REQUEST, "the body broke off")),
        Err(_) => Err(problem(StatusCode::REQUEST_TIMEOUT, code::BAD_REQUEST, "the body took too long to arrive")),
    }
}

/// Keeps at most one frame beyond the limit, and reads over the rest.
async fn collect(mut body: Body, limit: usize, announced: usize) -> Result<Vec<u8>, axum::Error> {
    let mut kept = Vec::with_capacity(announced.min(limit));
    let mut arrived = 0_usize;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        arrived = arrived.saturating_add(data.len());
        if kept.len() <= limit {
            kept.extend_from_slice(&data);
        } else if arrived > limit.saturating_mul(READ_OF_TOO_LONG) {
            break;
        }
    }
    Ok(kept)
}

fn too_long(limit: usize) -> Response {
    let message = format!("the body is longer than the limit of {limit} bytes");
    problem(StatusCode::PAYLOAD_TOO_LARGE, code::BAD_REQUEST, &message)
}
