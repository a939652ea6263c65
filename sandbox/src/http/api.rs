//! The API over HTTP, with the faults that the caller has ordered.

use std::io;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use futures_util::stream;

use crate::http::faults::Fault;
use crate::http::idempotency;
use crate::http::pages;
use crate::http::requests::{Reply, SeenRequest};
use crate::params;
use crate::sandbox::{Sandbox, World};

const MAX_BODY_BYTES: usize = 1 << 20;

impl Sandbox {
    /// Returns the routes: the API under `/v1`, the pages `/pay/{session}`, `/confirm/{payment_intent}` and
    /// `/portal/{session}`, and `/paid` as the success page of sellers without one.
    pub fn router(&self) -> Router {
        pages::router().route("/v1/{*path}", any(respond)).with_state(self.clone())
    }
}

/// A key that is in use as long as its caller waits.
struct KeyInUse(Sandbox, Option<String>);

impl Drop for KeyInUse {
    fn drop(&mut self) {
        if let Some(key) = &self.1 {
            let mut world = self.0.lock_as_is();
            world.requests.in_use.remove(key);
        }
    }
}

async fn respond(State(sandbox): State<Sandbox>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY_BYTES).await else { return StatusCode::PAYLOAD_TOO_LARGE.into_response() };
    let request = read(&parts, &body);
    let date = sandbox.now().format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let done = |reply: &Reply| with_date(response(reply, &request), &date);
    let fault = {
        let mut world = sandbox.lock();
        world.store.base_url =
            world.requests.base_url.clone().unwrap_or_else(|| format!("http://{}", text(&parts.headers, "host")));
        if text(&parts.headers, "authorization") != format!("Bearer {}", sandbox.key()) {
            return done(&idempotency::unauthorized(&mut world));
        }
        if request.method == "GET" {
            return done(&idempotency::reply(&mut world, &request));
        }
        world.requests.seen.push(request.clone());
        world.requests.next_fault()
    };
    match fault {
        None => done(&idempotency::reply(&mut sandbox.lock(), &request)),
        Some(Fault::RefuseBefore) => broken(""),
        Some(Fault::HangBefore) => {
            let key = request.idempotency_key.clone();
            sandbox.lock().requests.in_use.extend(key.clone());
            let _in_use = KeyInUse(sandbox, key);
            std::future::pending().await
        }
        Some(Fault::HangAfter) => {
            idempotency::reply(&mut sandbox.lock(), &request);
            std::future::pending().await
        }
        Some(Fault::CutAfter) => {
            let text = idempotency::reply(&mut sandbox.lock(), &request).body.to_string();
            broken(&text[..text.len().min(5)])
        }
        Some(Fault::Answer { status, should_retry, acted, saved }) => {
            let reply = error_reply(&mut sandbox.lock(), &request, status, acted, saved);
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

fn error_reply(world: &mut World, request: &SeenRequest, status: u16, acted: bool, saved: bool) -> Reply {
    if acted {
        idempotency::reply(world, request);
    }
    let reply = idempotency::server_error(world, status);
    if saved {
        let now = world.store.now;
        world.requests.store(request, &reply, now);
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
        params: params::parse(pairs),
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

/// Returns a reply that breaks off after these bytes.
fn broken(beginning: &str) -> Response {
    let parts = [Ok(Bytes::copy_from_slice(beginning.as_bytes())), Err(io::Error::other("broken off"))];
    Body::from_stream(stream::iter(parts)).into_response()
}
