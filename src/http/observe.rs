//! Layers around every handler: a request id, a line in the log, and a response even after a panic.

use std::{any::Any, time::Instant};

use axum::{
    Router,
    extract::Request,
    http::{HeaderName, HeaderValue, header},
    middleware::{Next, from_fn, map_request},
    response::Response,
};
use tower_http::{
    catch_panic::CatchPanicLayer,
    request_id::{MakeRequestUuid, PropagateRequestIdLayer, RequestId, SetRequestIdLayer},
};
use tracing::Instrument as _;

use super::respond::internal_error;

/// The header with the request id, in requests and responses.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Maximum length of names in the log that clients choose.
const MAX_NAME_CHARS: usize = 128;

/// The name of the executed operation, attached to the response for the log.
#[derive(Debug, Clone)]
pub(super) struct OperationName(String);

impl OperationName {
    /// Shortens a name to a length suitable for logs.
    pub(super) fn new(name: &str) -> Self {
        OperationName(name.chars().take(MAX_NAME_CHARS).collect())
    }
}

/// Adds the layers, outermost last.
pub(super) fn observed(router: Router) -> Router {
    router
        .layer(CatchPanicLayer::custom(report_panic))
        .layer(from_fn(log))
        .layer(PropagateRequestIdLayer::new(REQUEST_ID))
        .layer(SetRequestIdLayer::new(REQUEST_ID, MakeRequestUuid))
        .layer(map_request(remove_unsuitable_id))
}

/// Returns a request id as text.
pub(super) fn id_text(id: &RequestId) -> &str {
    id.header_value().to_str().unwrap_or_default()
}

/// Removes a client's request id that is unsuitable for logs. A suitable one is kept, so that the client's logs can be
/// matched with ours.
async fn remove_unsuitable_id(mut request: Request) -> Request {
    let is_suitable = |id: &HeaderValue| {
        !id.is_empty() && id.len() <= MAX_NAME_CHARS && id.as_bytes().iter().all(u8::is_ascii_graphic)
    };
    if !request.headers().get(REQUEST_ID).is_none_or(is_suitable) {
        request.headers_mut().remove(REQUEST_ID);
    }
    request
}

async fn log(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request.extensions().get::<RequestId>().map(id_text).unwrap_or_default().to_owned();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let span = tracing::info_span!("request", request_id = id);
    let mut response = next.run(request).instrument(span).await;
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let operation = response.extensions().get::<OperationName>().map(|name| name.0.as_str());
    let status = response.status().as_u16();
    tracing::info!(request_id = id, %method, path, status, duration_ms, operation, "request");
    response
}

/// The panic itself is reported by the panic hook.
fn report_panic(_: Box<dyn Any + Send>) -> Response {
    tracing::error!("handler panicked");
    internal_error()
}
