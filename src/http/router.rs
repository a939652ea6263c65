//! The routes.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use axum::{
    Router,
    http::{HeaderValue, Method, StatusCode},
    middleware::from_fn_with_state,
    response::Response,
    routing::{any, get, post},
};
use tower_http::{
    compression::{
        CompressionLayer, Predicate as _,
        predicate::{DefaultPredicate, NotForContentType},
    },
    cors::{AllowHeaders, AllowOrigin, CorsLayer},
};

use super::{
    assets, graphql, health, metrics,
    observe::{REQUEST_ID, observed},
    pages::admit_pages,
    respond::{not_found, problem},
    state::{Http, Settings},
    webhooks,
};
use crate::graphql::engine::errors::code;

/// Time for which browsers may cache the response to a preflight.
const PREFLIGHT_MAX_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// Responses in parts, which would wait in the compression until there are more. Event streams are excluded by default.
const UNCOMPRESSED: NotForContentType = NotForContentType::const_new("multipart/mixed");

/// Creates the router of all paths. Fails if a configured origin is not one.
pub fn router(http: Http) -> anyhow::Result<Router> {
    let cors = cors(&http.settings)?;
    let graphiql = match http.settings.graphiql {
        true => Router::new()
            .route("/assets/graphiql.js", get(assets::script))
            .route("/assets/graphiql.css", get(assets::styles)),
        false => Router::new(),
    };
    let http = Arc::new(http);
    // For machines, which need neither CORS nor compression.
    let machines = Router::new()
        .route("/webhooks/stripe", post(webhooks::stripe))
        .route("/webhooks/paddle", post(webhooks::paddle))
        .route("/metrics", get(metrics::metrics))
        .method_not_allowed_fallback(wrong_method)
        .with_state(Arc::clone(&http));
    let router = Router::new()
        .route("/graphql", any(graphql::endpoint))
        .route("/schema.graphql", get(assets::schema))
        .merge(graphiql)
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .method_not_allowed_fallback(wrong_method)
        .fallback(async || not_found())
        .with_state(Arc::clone(&http))
        .layer(CompressionLayer::new().compress_when(DefaultPredicate::new().and(UNCOMPRESSED)))
        .layer(cors)
        .layer(from_fn_with_state(http, admit_pages))
        .merge(machines);
    Ok(observed(router))
}

async fn wrong_method() -> Response {
    problem(StatusCode::METHOD_NOT_ALLOWED, code::BAD_REQUEST, "This path does not support that method.")
}

/// Creates the CORS rules. Credentials are headers that a page sets itself, so cookies are not allowed.
fn cors(settings: &Settings) -> anyhow::Result<CorsLayer> {
    let origins = if settings.origins.iter().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else {
        let origins = settings
            .origins
            .iter()
            .map(|origin| HeaderValue::from_str(origin).with_context(|| format!("{origin:?} is not an origin")));
        AllowOrigin::list(origins.collect::<anyhow::Result<Vec<_>>>()?)
    };
    Ok(CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([REQUEST_ID, axum::http::header::RETRY_AFTER, axum::http::header::WWW_AUTHENTICATE])
        .max_age(PREFLIGHT_MAX_AGE))
}
