//! The GraphQL endpoint: GraphQL over HTTP as specified, with WebSockets and event streams beside it.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::Response,
};
use tower_http::request_id::RequestId;

use super::{
    assets::graphiql,
    body,
    decode::{self, Payload},
    negotiate::{Media, is_json, negotiate},
    observe::{OperationName, id_text},
    respond::{authentication_failed, problem, status, write},
    sse,
    state::Http,
    ws,
};
use crate::graphql::engine::{
    errors::code,
    execute::{Attach, Outcome, Terms},
};

/// Handles every request to the endpoint except preflights.
pub(super) async fn endpoint(
    State(http): State<Arc<Http>>,
    Extension(request_id): Extension<RequestId>,
    request: Request,
) -> Response {
    let (parts, sent) = request.into_parts();
    let get = parts.method == Method::GET;
    if !get && parts.method != Method::POST {
        let refusal = problem(StatusCode::METHOD_NOT_ALLOWED, code::BAD_REQUEST, "Send GET or POST.");
        return allow(refusal, "GET, POST");
    }
    let query_string = parts.uri.query().unwrap_or_default();
    if get && ws::is_upgrade(&parts.headers) {
        return ws::upgrade(http, request_id, parts).await;
    }
    if get && wants_graphiql(&parts.headers, query_string) {
        return graphiql();
    }
    let Some(media) = negotiate(&parts.headers, &[Media::Json, Media::GraphqlResponse, Media::EventStream]) else {
        let message = "Accept application/graphql-response+json, application/json or text/event-stream.";
        return problem(StatusCode::NOT_ACCEPTABLE, code::BAD_REQUEST, message);
    };
    if !get && !is_json(&parts.headers) {
        let message = "Send a body of application/json in UTF-8, and say so in Content-Type.";
        return problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, code::BAD_REQUEST, message);
    }
    let viewer = match http.sign_in(&parts.headers, http.settings.proxies.client(&parts)).await {
        Ok(viewer) => viewer,
        Err(error) => {
            let media = if media == Media::EventStream { Media::Json } else { media };
            return authentication_failed(&error, id_text(&request_id), media);
        }
    };
    let payload = if get {
        Payload::Single(decode::query_string(query_string))
    } else {
        match body::read(sent, &parts.headers, http.settings.body_bytes).await {
            Ok(bytes) => decode::body(&bytes, http.settings.batch),
            Err(refusal) => return refusal,
        }
    };
    if media == Media::EventStream {
        return match payload {
            Payload::Single(Ok(operation)) => sse::respond(http, request_id, parts, operation, !get).await,
            Payload::Single(Err(reply)) => write(&reply, status(Ok(reply.outcome), Media::Json), Media::Json),
            Payload::Batch(_) => {
                problem(StatusCode::BAD_REQUEST, code::BAD_REQUEST, "A batch has no event stream. Send one operation.")
            }
        };
    }
    let terms = Terms { mutations: !get, introspection: http.settings.allows_introspection(&viewer) };
    answer(&http, payload, terms, &http.attach(viewer), id_text(&request_id), media).await
}

async fn answer(
    http: &Http,
    payload: Payload,
    terms: Terms,
    attach: &Attach,
    request_id: &str,
    media: Media,
) -> Response {
    let execute = async |decoded: decode::Decoded| match decoded {
        Ok(operation) => http.engine.execute(operation, terms, attach, request_id).await,
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

fn wants_graphiql(headers: &HeaderMap, query_string: &str) -> bool {
    let asks = url::form_urlencoded::parse(query_string.as_bytes()).any(|(name, _)| name == "query");
    !asks && negotiate(headers, &[Media::Json, Media::GraphqlResponse, Media::Html]) == Some(Media::Html)
}

fn allow(mut response: Response, methods: &'static str) -> Response {
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(methods));
    response
}
