//! Health checks for orchestrators and load balancers.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode, response::Response};
use serde_json::json;

use super::{respond::json_response, state::Http};
use crate::{app::App, error::Error};

/// Answers that the process is alive. Does not ask the database, so that its loss does not restart the process.
pub(super) async fn healthz() -> Response {
    json_response(StatusCode::OK, &json!({ "status": "ok" }))
}

/// Answers whether requests can be served, or with the reason why not. Requests that come during a check get its result, so
/// that a flood of them, for which no credential is needed, takes one connection to the database.
pub(super) async fn readyz(State(http): State<Arc<Http>>) -> Response {
    let mut last = match http.readiness.try_lock() {
        Ok(mut last) => {
            *last = None;
            last
        }
        Err(_) => http.readiness.lock().await,
    };
    let readiness = match &*last {
        Some(readiness) => readiness.clone(),
        // Also where the request that was checking has gone away.
        None => check(&http.app).await,
    };
    *last = Some(readiness.clone());
    drop(last);
    match readiness {
        Ok(()) => json_response(StatusCode::OK, &json!({ "status": "ok" })),
        Err(reason) => {
            tracing::warn!(reason, "not ready");
            json_response(StatusCode::SERVICE_UNAVAILABLE, &json!({ "status": "unavailable", "reason": reason }))
        }
    }
}

async fn check(app: &App) -> Result<(), String> {
    match app.db.pending_migrations().await {
        Ok(0) => Ok(()),
        Ok(pending) => Err(format!("{pending} migrations are pending. Run `tollgate migrate up`.")),
        Err(Error::Unavailable(what, _)) => Err(format!("{what} does not answer.")),
        Err(_) => Err("The schema of the database belongs to another version of Tollgate.".to_owned()),
    }
}
