//! For those who start, stop and route to the process.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode, response::Response};
use serde_json::json;

use super::{Http, problem::json_response};

/// The process lives; asks nothing of what is behind it, so that a lost database restarts nothing.
pub(super) async fn healthz() -> Response {
    json_response(StatusCode::OK, &json!({ "status": "ok" }))
}

/// Requests can be answered.
pub(super) async fn readyz(State(http): State<Arc<Http>>) -> Response {
    match (http.ready)().await {
        Ok(()) => json_response(StatusCode::OK, &json!({ "status": "ok" })),
        Err(missing) => {
            tracing::warn!(missing, "not ready");
            json_response(StatusCode::SERVICE_UNAVAILABLE, &json!({ "status": "unavailable", "reason": missing }))
        }
    }
}
