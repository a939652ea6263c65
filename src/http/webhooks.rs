//! Where the payment providers send their events.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use serde_json::json;

use super::{
    Http, body,
    problem::{json_response, problem},
};
use crate::{
    error::Error,
    graphql::engine::errors::code,
    inbox::{Declined, Delivery},
    providers::Provider,
};

/// What Stripe sends.
pub(super) async fn stripe(State(http): State<Arc<Http>>, request: Request) -> Response {
    take(&http, Provider::Stripe, request).await
}

/// What Paddle sends.
pub(super) async fn paddle(State(http): State<Arc<Http>>, request: Request) -> Response {
    take(&http, Provider::Paddle, request).await
}

async fn take(http: &Http, provider: Provider, request: Request) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
    let (parts, sent) = request.into_parts();
    let body = match body::read(sent, &parts.headers, http.settings.webhook_bytes, http.settings.body_time).await {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    let signature = signature(&parts.headers, provider.signature_header());
    match (http.receive)(Delivery { provider, signature, body: &body, peer }).await {
        Ok(_) => json_response(StatusCode::OK, &json!({ "received": true })),
        Err(declined) => refusal(declined),
    }
}

/// The one header with the signature. Several, or one that is no text, are as good as one that is malformed.
fn signature<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut sent = headers.get_all(name).iter();
    let first = sent.next()?;
    Some(if sent.next().is_none() { first.to_str().unwrap_or_default() } else { "" })
}

/// What the sender is told: to a provider whether to send it again, to anyone else as little as possible.
fn refusal(declined: Declined) -> Response {
    match declined {
        Declined::NotConfigured => problem(StatusCode::NOT_FOUND, "NOT_FOUND", "there is nothing at this path"),
        Declined::Forged => problem(StatusCode::BAD_REQUEST, code::BAD_REQUEST, "the signature is not valid"),
        Declined::Unreadable(lacking) => problem(StatusCode::BAD_REQUEST, code::BAD_REQUEST, lacking),
        Declined::Failed(error @ Error::Unavailable(..)) => {
            let (code, message) = (error.code(), error.to_string());
            tracing::warn!(cause = format!("{:#}", anyhow::Error::from(error)), "a webhook cannot be kept");
            problem(StatusCode::SERVICE_UNAVAILABLE, code, &message)
        }
        Declined::Failed(error) => {
            tracing::error!(cause = format!("{:#}", anyhow::Error::from(error)), "a webhook cannot be kept");
            problem(StatusCode::INTERNAL_SERVER_ERROR, code::INTERNAL, "internal error")
        }
    }
}
