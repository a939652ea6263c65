//! How the service is doing, in the text format of Prometheus.

use std::{fmt::Write as _, sync::Arc};

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{Http, problem::problem};
use crate::{
    app::App,
    auth::{Permission, Viewer},
    error::{Error, Result},
    graphql::engine::errors::code,
    inbox, jobs,
    metrics::{FetchOutcome, WebhookOutcome},
    outbox,
    providers::Provider,
};

/// Version 0.0.4 of the format, which every scraper reads.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The figures, for those who may see them.
pub(super) async fn metrics(State(http): State<Arc<Http>>, headers: HeaderMap) -> Response {
    match (http.figures)(&headers).await {
        Ok(text) => {
            let mut response = (StatusCode::OK, text).into_response();
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
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
            tracing::error!(cause = format!("{:#}", anyhow::Error::from(error)), "the metrics cannot be gathered");
            problem(StatusCode::INTERNAL_SERVER_ERROR, code::INTERNAL, "internal error")
        }
    }
}

/// All figures: those that this process has counted, and those that the database knows for all.
pub(super) async fn figures(app: &App, viewer: &Viewer) -> Result<String> {
    viewer.require(Permission::OperationsRead)?;
    let (inbox, outbox, jobs) =
        tokio::try_join!(inbox::backlog(app, viewer), outbox::backlog(app, viewer), jobs::backlog(app.db.read()))?;
    let mut text = String::new();
    family(&mut text, "tollgate_webhooks_total", "counter", "Webhooks that arrived at this process, by their fate.");
    for provider in Provider::ALL {
        for outcome in WebhookOutcome::ALL {
            let labels = format!("provider=\"{}\",outcome=\"{}\"", provider.name(), outcome.name());
            sample(&mut text, "tollgate_webhooks_total", &labels, app.metrics.webhooks(provider, outcome));
        }
    }
    let name = "tollgate_stripe_fetches_total";
    family(&mut text, name, "counter", "Objects that this process asked Stripe for as it applied events, by outcome.");
    for outcome in FetchOutcome::ALL {
        let labels = format!("outcome=\"{}\"", outcome.name());
        sample(&mut text, name, &labels, app.metrics.fetches(outcome));
    }
    family(&mut text, "tollgate_inbox_events", "gauge", "Events that are kept and not applied, by state.");
    let states =
        [("received", inbox.received), ("failed", inbox.failed), ("parked", inbox.parked), ("waiting", inbox.waiting)];
    for (state, count) in states {
        let count = u64::try_from(count).unwrap_or(0);
        sample(&mut text, "tollgate_inbox_events", &format!("state=\"{state}\""), count);
    }
    let name = "tollgate_inbox_oldest_unapplied_seconds";
    family(
        &mut text,
        name,
        "gauge",
        "Age of the oldest event that could be applied and is not; 0 where there is none.",
    );
    let age = inbox.oldest_received_at.map_or(0, |oldest| (app.now() - oldest.to_utc()).num_seconds().max(0));
    sample(&mut text, name, "", u64::try_from(age).unwrap_or(0));
    calls(&mut text, app, &outbox);
    family(&mut text, "tollgate_jobs", "gauge", "Jobs that are to be done, by state; those of schedules aside.");
    for (state, count) in jobs {
        sample(&mut text, "tollgate_jobs", &format!("state=\"{state}\""), count);
    }
    Ok(text)
}

fn calls(text: &mut String, app: &App, outbox: &outbox::Backlog) {
    let name = "tollgate_provider_calls";
    let help = "Changes asked of Stripe that are to be made, and those of the last day that came to nothing, by state.";
    family(text, name, "gauge", help);
    let states = [
        ("pending", outbox.pending),
        ("abandoned", outbox.abandoned),
        ("refused", outbox.refused),
        ("unresolved", outbox.unresolved),
    ];
    for (state, count) in states {
        sample(text, name, &format!("state=\"{state}\""), count);
    }
    let name = "tollgate_provider_calls_oldest_pending_seconds";
    family(text, name, "gauge", "Age of the oldest change that is to be asked of Stripe; 0 where there is none.");
    let age = outbox.oldest_pending_at.map_or(0, |oldest| (app.now() - oldest).num_seconds().max(0));
    sample(text, name, "", u64::try_from(age).unwrap_or(0));
}

fn family(text: &mut String, name: &str, kind: &str, help: &str) {
    _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn sample(text: &mut String, name: &str, labels: &str, value: u64) {
    let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
    _ = writeln!(text, "{name}{labels} {value}");
}
