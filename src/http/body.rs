//! Reading of request bodies with limits of size and time.

use std::time::Duration;

use axum::{
    body::Body,
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use http_body_util::BodyExt as _;

use super::respond::problem;
use crate::graphql::engine::errors::code;

/// The part of an oversized body that is read and discarded, as a multiple of the limit. A connection closed while the
/// client is still sending is reset, and the client would not see the refusal.
const DISCARD_FACTOR: usize = 16;

/// Reads a body of at most `limit` bytes that arrives within `time_limit`; fails with the response that refuses it.
pub(super) async fn read(
    body: Body,
    headers: &HeaderMap,
    limit: usize,
    time_limit: Duration,
) -> Result<Vec<u8>, Response> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    let announced = announced.unwrap_or_default();
    // A client that expects 100-continue sees the refusal before it sends anything.
    let asks = headers.contains_key(header::EXPECT);
    if announced > limit && (asks || announced > limit.saturating_mul(DISCARD_FACTOR)) {
        return Err(too_long(limit));
    }
    match tokio::time::timeout(time_limit, collect(body, limit, announced)).await {
        Ok(Ok(bytes)) if bytes.len() > limit => Err(too_long(limit)),
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => Err(problem(StatusCode::BAD_REQUEST, code::BAD_REQUEST, "The body is incomplete.")),
        Err(_) => Err(problem(StatusCode::REQUEST_TIMEOUT, code::BAD_REQUEST, "The body took too long to arrive.")),
    }
}

/// Keeps at most one frame beyond the limit and discards the rest.
async fn collect(mut body: Body, limit: usize, announced: usize) -> Result<Vec<u8>, axum::Error> {
    let mut kept = Vec::with_capacity(announced.min(limit));
    let mut arrived = 0_usize;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        arrived = arrived.saturating_add(data.len());
        if kept.len() <= limit {
            kept.extend_from_slice(&data);
        } else if arrived > limit.saturating_mul(DISCARD_FACTOR) {
            break;
        }
    }
    Ok(kept)
}

fn too_long(limit: usize) -> Response {
    let message = format!("The body exceeds the limit of {limit} bytes.");
    problem(StatusCode::PAYLOAD_TOO_LARGE, code::BAD_REQUEST, &message)
}
