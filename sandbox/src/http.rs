//! The API over HTTP, with the faults that were asked for.

use std::io;
use std::sync::PoisonError;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use futures_util::stream;

use super::desk::{self, Reply, SeenRequest};
use super::faults::Fault;
use super::form;
use super::pages;
use super::{Held, Sandbox};

/// The longest body, in bytes.
const MOST_BYTES: usize = 1 << 20;

impl Sandbox {
    /// Its API under `/v1`, and its pages: `/pay/{session}`, `/confirm/{payment_intent}` and `/portal/{session}`; and
    /// `/paid`, for a seller who has no page to go on with.
    pub fn router(&self) -> Router {
        pages::router().route("/v1/{*path}", any(api)).with_state(self.clone())
    }
}

/// Keeps a key in use for as long as its caller waits.
struct InUse(Sandbox, Option<String>);

impl Drop for InUse {
    fn drop(&mut self) {
        if let Some(key) = &self.1 {
            let mut held = self.0.inner.held.lock().unwrap_or_else(PoisonError::into_inner);
            held.desk.in_use.remove(key);
        }
    }
}

async fn api(State(sandbox): State<Sandbox>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MOST_BYTES).await else { return StatusCode::PAYLOAD_TOO_LARGE.into_response() };
    let request = read(&parts, &body);
    let date = sandbox.now().format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let done = |reply: &Reply| with_date(response(reply, &request), &date);
    let fault = {
        let mut held = sandbox.held();
        held.state.base = held.desk.base.clone().unwrap_or_else(|| format!("http://{}", text(&parts.headers, "host")));
        if text(&parts.headers, "authorization") != format!("Bearer {}", sandbox.inner.key) {
            return done(&desk::unauthorized(&mut held));
        }
        if request.method == "GET" {
            return done(&desk::answer(&mut held, &request));
        }
        held.desk.seen.push(request.clone());
        held.desk.next_fault()
    };
    match fault {
        None => done(&desk::answer(&mut sandbox.held(), &request)),
        Some(Fault::RefuseBefore) => broken(""),
        Some(Fault::HangBefore) => {
            let key = request.idempotency_key.clone();
            sandbox.held().desk.in_use.extend(key.clone());
            let _in_use = InUse(sandbox, key);
            std::future::pending().await
        }
        Some(Fault::HangAfter) => {
            desk::answer(&mut sandbox.held(), &request);
            std::future::pending().await
        }
        Some(Fault::CutAfter) => {
            let text = desk::answer(&mut sandbox.held(), &request).body.to_string();
            broken(&text[..text.len().min(5)])
        }
        Some(Fault::Answer { status, should_retry, acted, saved }) => {
            let reply = failing(&mut sandbox.held(), &request, status, acted, saved);
            let mut response = done(&reply);
            let headers = response.headers_mut();
            if let Some(should_retry) = should_retry {
                let word = HeaderValue::from_static(if should_retry { "true" } else { "false" });
                headers.insert("stripe-should-retry", word);
            }
            if status == 429 {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("0"));
            }
            response
        }
    }
}

fn failing(held: &mut Held, request: &SeenRequest, status: u16, acted: bool, saved: bool) -> Reply {
    if acted {
        desk::answer(held, request);
    }
    let reply = desk::failure(held, status);
    if saved {
        desk::save(held, request, &reply);
    }
    reply
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn read(parts: &Parts, body: &Bytes) -> SeenRequest {
    let header = |name: &str| Some(text(&parts.headers, name).to_owned()).filter(|text| !text.is_empty());
    let pairs = if body.is_empty() { parts.uri.query().unwrap_or_default().as_bytes() } else { body };
    SeenRequest {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        params: form::parse(pairs),
        idempotency_key: header("idempotency-key"),
        version: header("stripe-version"),
    }
}

fn response(reply: &Reply, request: &SeenRequest) -> Response {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, reply.body.to_string()).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let mut set = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set("request-id", &reply.request_id);
    if let Some(version) = &request.version {
        set("stripe-version", version);
    }
    if let Some(key) = &request.idempotency_key {
        set("idempotency-key", key);
    }
    if reply.replayed {
        set("idempotent-replayed", "true");
        set("original-request", &reply.request_id);
    }
    response
}

fn with_date(mut response: Response, date: &str) -> Response {
    if let Ok(date) = HeaderValue::from_str(date) {
        response.headers_mut().insert(header::DATE, date);
    }
    response
}

/// An answer that breaks off after a few bytes, which ends the connection.
fn broken(beginning: &str) -> Response {
    let parts = [Ok(Bytes::copy_from_slice(beginning.as_bytes())), Err(io::Error::other("broken off"))];
    Body::from_stream(stream::iter(parts)).into_response()
}
