//! GraphQL over HTTP, by the specification of that name, and the way to what is beyond it: sockets and event streams.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::{
    Caller, Http,
    assets::graphiql,
    body,
    decode::{self, Payload},
    negotiate::{Media, is_json, negotiate},
    observe::{OperationName, RequestId},
    problem::problem,
    sse, ws,
};
use crate::{
    error::Error,
    graphql::engine::{
        errors::{code, present},
        execute::{Outcome, Reply, Terms},
    },
};

/// Everything that arrives at the endpoint, preflights aside.
pub(super) async fn endpoint(
    State(http): State<Arc<Http>>,
    Extension(request_id): Extension<RequestId>,
    request: Request,
) -> Response {
    let (parts, sent) = request.into_parts();
    let get = parts.method == Method::GET;
    if !get && parts.method != Method::POST {
        let refusal = problem(StatusCode::METHOD_NOT_ALLOWED, code::BAD_REQUEST, "send GET or POST");
        return allow(refusal, "GET, POST");
    }
    let query_string = parts.uri.query().unwrap_or_default();
    if get && ws::is_asked_for(&parts.headers) {
        return ws::upgrade(http, request_id, parts).await;
    }
    if get && http.settings.graphiql && wants_graphiql(&parts.headers, query_string) {
        return graphiql();
    }
    let Some(media) = negotiate(&parts.headers, &[Media::Json, Media::GraphqlResponse, Media::EventStream]) else {
        let message = "replies are application/graphql-response+json, application/json or text/event-stream";
        return problem(StatusCode::NOT_ACCEPTABLE, code::BAD_REQUEST, message);
    };
    if !get && !is_json(&parts.headers) {
        let message = "the body must be application/json in UTF-8, and say so in Content-Type";
        return problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, code::BAD_REQUEST, message);
    }
    let caller = match (http.authenticate)(&parts.headers, http.settings.proxies.client(&parts)).await {
        Ok(caller) => caller,
        Err(error) if media == Media::EventStream => return authentication_failed(&error, &request_id, Media::Json),
        Err(error) => return authentication_failed(&error, &request_id, media),
    };
    let payload = if get {
        Payload::Single(decode::query_string(query_string))
    } else {
        let settings = &http.settings;
        match body::read(sent, &parts.headers, settings.body_bytes, settings.body_time).await {
            Ok(bytes) => decode::body(&bytes, http.settings.batch),
            Err(refusal) => return refusal,
        }
    };
    if media == Media::EventStream {
        return match payload {
            Payload::Single(Ok(operation)) => sse::respond(http, request_id, parts, operation, !get).await,
            Payload::Single(Err(reply)) => write(&reply, status(Ok(reply.outcome), Media::Json), Media::Json),
            Payload::Batch(_) => {
                problem(StatusCode::BAD_REQUEST, code::BAD_REQUEST, "a batch has no event stream; send one operation")
            }
        };
    }
    let terms = Terms { mutations: !get, introspection: http.settings.introspection.allows(&caller) };
    answer(&http, payload, terms, &caller, &request_id, media).await
}

/// The reply to a request whose credential is refused, or cannot be checked.
pub(super) fn authentication_failed(error: &Error, request_id: &RequestId, media: Media) -> Response {
    let reply = Reply::failed(Outcome::Rejected, present(error, &request_id.0));
    let mut response = write(&reply, status(Err(error), media), media);
    if matches!(error, Error::Unauthenticated(_)) {
        let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

/// The status of a reply, by how far the operation came or why the caller was refused: the one place to change when
/// the specification, still a draft, does.
fn status(result: Result<Outcome, &Error>, media: Media) -> StatusCode {
    match result {
        Ok(Outcome::Executed) => StatusCode::OK,
        Ok(Outcome::Malformed) => StatusCode::BAD_REQUEST,
        Ok(Outcome::Rejected) if media == Media::Json => StatusCode::OK,
        Ok(Outcome::Rejected) => StatusCode::BAD_REQUEST,
        Ok(Outcome::MutationRefused) => StatusCode::METHOD_NOT_ALLOWED,
        Ok(Outcome::TimedOut) => StatusCode::GATEWAY_TIMEOUT,
        Ok(Outcome::Crashed) => StatusCode::INTERNAL_SERVER_ERROR,
        Err(Error::Unauthenticated(_)) => StatusCode::UNAUTHORIZED,
        Err(Error::Forbidden(_)) => StatusCode::FORBIDDEN,
        Err(Error::RateLimited { .. }) => StatusCode::TOO_MANY_REQUESTS,
        Err(Error::Unavailable(..)) => StatusCode::SERVICE_UNAVAILABLE,
        Err(Error::Internal(_)) => StatusCode::INTERNAL_SERVER_ERROR,
        Err(_) => StatusCode::BAD_REQUEST,
    }
}

async fn answer(
    http: &Http,
    payload: Payload,
    terms: Terms,
    caller: &Caller,
    request_id: &RequestId,
    media: Media,
) -> Response {
    let execute = async |decoded: decode::Decoded| match decoded {
        Ok(operation) => http.engine.execute(operation, terms, &caller.attach, &request_id.0).await,
        Err(reply) => *reply,
    };
    match payload {
        Payload::Single(decoded) => {
            let reply = execute(decoded).await;
            let mut response = write(&reply, status(Ok(reply.outcome), media), media);
            if let Some(seconds) = reply.retry_after_seconds() {
                *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
            if let Some(name) = &reply.operation_name {
                response.extensions_mut().insert(OperationName::new(name));
            }
            if reply.outcome == Outcome::MutationRefused { allow(response, "POST") } else { response }
        }
        Payload::Batch(operations) => {
            let mut replies = Vec::with_capacity(operations.len());
            for decoded in operations {
                replies.push(execute(decoded).await);
            }
            let mut response = write(&replies, StatusCode::OK, media);
            let names: Vec<&str> = replies.iter().filter_map(|reply| reply.operation_name.as_deref()).collect();
            response.extensions_mut().insert(OperationName::new(&names.join(",")));
            response
        }
    }
}

/// The reply to a request for a connection that stays open, of which there are as many as there may be.
pub(super) fn full() -> Response {
    let message = "this server holds as many open connections as it may; try again later";
    problem(StatusCode::SERVICE_UNAVAILABLE, code::UNAVAILABLE, message)
}

fn wants_graphiql(headers: &HeaderMap, query_string: &str) -> bool {
    let asks = url::form_urlencoded::parse(query_string.as_bytes()).any(|(name, _)| name == "query");
    !asks && negotiate(headers, &[Media::Json, Media::GraphqlResponse, Media::Html]) == Some(Media::Html)
}

fn write(reply: &impl Serialize, status: StatusCode, media: Media) -> Response {
    let body = match serde_json::to_vec(reply) {
        Ok(body) => body,
        Err(error) => {
            tracing::error!(cause = %error, "the reply cannot be written");
            return problem(StatusCode::INTERNAL_SERVER_ERROR, code::INTERNAL, "internal error");
        }
    };
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media.content_type()));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn allow(mut response: Response, methods: &'static str) -> Response {
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(methods));
    response
}
