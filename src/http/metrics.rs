//! The metrics of this process and of the database, in the text format of Prometheus.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use prometheus_client::{
    encoding::prometheus_text,
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};

use super::{
    respond::{internal_error, problem},
    state::Http,
};
use crate::{
    app::App,
    auth::{Permission, Viewer},
    error::{Error, Result},
    inbox, jobs, outbox,
};

/// Serves the metrics to callers with the scope `operations:read`.
pub(super) async fn metrics(State(http): State<Arc<Http>>, headers: HeaderMap) -> Response {
    let text = async { encode(&http.app, &http.sign_in(&headers, None).await?).await };
    match text.await {
        Ok(text) => {
            let mut response = (StatusCode::OK, text).into_response();
            let content_type = HeaderValue::from_static(prometheus_text::CONTENT_TYPE);
            response.headers_mut().insert(header::CONTENT_TYPE, content_type);
            response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
        Err(error) => refusal(error),
    }
}

fn refusal(error: Error) -> Response {
    let (code, message) = (error.code(), error.to_string());
    match error {
        Error::Unauthenticated(_) => {
            let mut response = problem(StatusCode::UNAUTHORIZED, code, &message);
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            response
        }
        Error::Forbidden(_) => problem(StatusCode::FORBIDDEN, code, &message),
        Error::Unavailable(..) => problem(StatusCode::SERVICE_UNAVAILABLE, code, &message),
        error => {
            tracing::error!(cause = format!("{:#}", anyhow::Error::from(error)), "the metrics cannot be collected");
            internal_error()
        }
    }
}

/// Encodes the counters of this process and the gauges of the database.
async fn encode(app: &App, viewer: &Viewer) -> Result<String> {
    viewer.require(Permission::OperationsRead)?;
    let mut registry = Registry::default();
    app.metrics.register(&mut registry);
    add_gauges(&mut registry, app, viewer).await?;
    let mut text = String::new();
    prometheus_text::encode(&mut text, &registry).map_err(Error::internal)?;
    Ok(text)
}

async fn add_gauges(registry: &mut Registry, app: &App, viewer: &Viewer) -> Result<()> {
    let (inbox, outbox, jobs) =
        tokio::try_join!(inbox::backlog(app, viewer), outbox::backlog(app, viewer), jobs::backlog(app.db.read()))?;
    let age = |oldest| app.now().signed_duration_since(oldest).num_seconds().max(0);
    by_state(
        registry,
        "tollgate_inbox_events",
        "Events that are stored and not applied, by state",
        [("received", inbox.received), ("failed", inbox.failed), ("parked", inbox.parked), ("waiting", inbox.waiting)],
    );
    gauge(
        registry,
        "tollgate_inbox_oldest_unapplied_seconds",
        "Age of the oldest event that could be applied and is not; 0 if there is none",
        inbox.oldest_received_at.map_or(0, |oldest| age(oldest.to_utc())),
    );
    by_state(
        registry,
        "tollgate_provider_calls",
        "Requests to Stripe that are pending (blocked: refused because of the API key), and those of the last day that failed, by state",
        [
            ("pending", outbox.pending),
            ("blocked", outbox.blocked),
            ("abandoned", outbox.abandoned),
            ("refused", outbox.refused),
            ("unresolved", outbox.unresolved),
        ],
    );
    gauge(
        registry,
        "tollgate_provider_calls_oldest_pending_seconds",
        "Age of the oldest pending request to Stripe; 0 if there is none",
        outbox.oldest_pending_at.map_or(0, age),
    );
    by_state(registry, "tollgate_jobs", "Queued and parked jobs, without scheduled ones, by state", jobs);
    Ok(())
}

fn gauge(registry: &mut Registry, name: &str, help: &str, value: i64) {
    let gauge: Gauge = Gauge::default();
    gauge.set(value);
    registry.register(name, help, gauge);
}

fn by_state<const N: usize>(
    registry: &mut Registry,
    name: &str,
    help: &str,
    counts: [(&'static str, impl TryInto<i64>); N],
) {
    let family = Family::<[(&str, &str); 1], Gauge>::default();
    for (state, count) in counts {
        family.get_or_create(&[("state", state)]).set(count.try_into().unwrap_or(i64::MAX));
    }
    registry.register(name, help, family);
}
