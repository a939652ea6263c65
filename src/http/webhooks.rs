//! The endpoints for webhooks of the payment providers.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use serde_json::json;

use super::{
    body,
    respond::{internal_error, json_response, not_found, problem},
    state::Http,
};
use crate::{
    error::Error,
    graphql::engine::errors::code,
    inbox::{self, Declined, Delivery},
    providers::Provider,
};

/// Receives an event of Stripe.
pub(super) async fn stripe(State(http): State<Arc<Http>>, request: Request) -> Response {
    receive(&http, Provider::Stripe, request).await
}

/// Receives an event of Paddle.
pub(super) async fn paddle(State(http): State<Arc<Http>>, request: Request) -> Response {
    receive(&http, Provider::Paddle, request).await
}

async fn receive(http: &Http, provider: Provider, request: Request) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
    let (parts, sent) = request.into_parts();
    let body = match body::read(sent, &parts.headers, http.settings.webhook_bytes, http.settings.body_timeout).await {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    let signature = signature(&parts.headers, provider.signature_header());
    match inbox::receive(&http.app, Delivery { provider, signature, body: &body, peer }).await {
        Ok(_) => json_response(StatusCode::OK, &json!({ "received": true })),
        Err(declined) => refusal(declined),
    }
}

/// Returns the header with the signature. Several headers, or one that is not text, count as malformed.
fn signature<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut sent = headers.get_all(name).iter();
    let first = sent.next()?;
    Some(if sent.next().is_none() { first.to_str().unwrap_or_default() } else { "" })
}

/// Creates the response to a refused webhook, which shows the provider whether to send it again and others as little as
/// possible.
fn refusal(declined: Declined) -> Response {
    match declined {
        Declined::NotConfigured => not_found(),
        Declined::Forged => problem(StatusCode::BAD_REQUEST, code::BAD_REQUEST, "The signature is not valid."),
        Declined::Unreadable(lacking) => problem(StatusCode::BAD_REQUEST, code::BAD_REQUEST, lacking),
        Declined::Failed(error @ Error::Unavailable(..)) => {
            let (code, message) = (error.code(), error.to_string());
            tracing::warn!(cause = format!("{:#}", anyhow::Error::from(error)), "a webhook cannot be stored");
            problem(StatusCode::SERVICE_UNAVAILABLE, code, &message)
        }
        Declined::Failed(error) => {
            tracing::error!(cause = format!("{:#}", anyhow::Error::from(error)), "a webhook cannot be stored");
            internal_error()
        }
    }
}
