//! What is done for each request whatever its path: an id, a line in the log, and an answer even to a panic.

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use axum::{
    extract::{Request, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::Response,
};
use futures_util::FutureExt as _;
use tracing::Instrument as _;

use super::{Http, problem::problem};
use crate::graphql::engine::errors::code;

/// The header that carries the id, in requests and in replies.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Characters of the longest name that a client gives to something in the log.
const LONGEST_ID: usize = 128;

/// What a request is called in logs and errors.
#[derive(Debug, Clone)]
pub(super) struct RequestId(pub(super) Arc<str>);

/// The name of the operation that was executed, left in the reply for the log.
#[derive(Debug, Clone)]
pub(super) struct OperationName(String);

impl OperationName {
    /// Cut to a length that is fit for logs.
    pub(super) fn new(name: &str) -> Self {
        OperationName(name.chars().take(LONGEST_ID).collect())
    }
}

/// Makes ids: a part drawn once for the process, and a count.
pub(super) struct RequestIds {
    process: u64,
    count: AtomicU64,
}

impl RequestIds {
    /// Ids that no other process makes.
    pub(super) fn new() -> Self {
        use rand::TryRng as _;
        // Without randomness ids are less unique, which is no reason not to serve.
        let process = rand::rngs::SysRng.try_next_u64().unwrap_or_default();
        RequestIds { process, count: AtomicU64::new(1) }
    }

    /// The client's own id if it has one that is fit for logs, so that its logs and ours can be put side by side.
    fn of(&self, request: &Request) -> RequestId {
        let sent = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok());
        let fit =
            |id: &&str| !id.is_empty() && id.len() <= LONGEST_ID && id.bytes().all(|byte| byte.is_ascii_graphic());
        match sent.filter(fit) {
            Some(id) => RequestId(id.into()),
            None => {
                let count = self.count.fetch_add(1, Ordering::Relaxed);
                RequestId(format!("{:016x}-{count:x}", self.process).into())
            }
        }
    }
}

/// The outermost layer.
pub(super) async fn observe(
    State((http, ids)): State<(Arc<Http>, Arc<RequestIds>)>,
    mut request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let id = ids.of(&request);
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    request.extensions_mut().insert(id.clone());
    let span = tracing::info_span!("request", request_id = &*id.0);
    let answered = AssertUnwindSafe(next.run(request)).catch_unwind().instrument(span).await;
    let mut response = answered.unwrap_or_else(|_| {
        tracing::error!(request_id = &*id.0, %method, path, "handler panicked");
        problem(StatusCode::INTERNAL_SERVER_ERROR, code::INTERNAL, "internal error")
    });
    if let Ok(value) = HeaderValue::from_str(&id.0) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if http.settings.access_log {
        let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let operation = response.extensions().get::<OperationName>().map(|name| name.0.as_str());
        let status = response.status().as_u16();
        tracing::info!(request_id = &*id.0, %method, path, status, duration_ms, operation, "request");
    }
    response
}
