//! The GraphQL endpoint: GraphQL over HTTP as specified, with WebSockets and streams beside it.

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
    state::Http,
    streams::{self, Format, StreamRequest},
    ws,
};
use crate::{
    auth::Viewer,
    graphql::engine::{
        errors::code,
        execute::{Outcome, Terms},
    },
};

/// The media types of replies, the default first.
const REPLIES: [Media; 4] = [Media::Json, Media::GraphqlResponse, Media::EventStream, Media::Multipart];

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
    if get && http.settings.graphiql && wants_graphiql(&parts.headers, query_string) {
        return graphiql();
    }
    let Some(media) = negotiate(&parts.headers, &REPLIES) else {
        let message = "Accept application/graphql-response+json, application/json, text/event-stream or \
                       multipart/mixed;subscriptionSpec=1.0.";
        return problem(StatusCode::NOT_ACCEPTABLE, code::BAD_REQUEST, message);
    };
    if !get && !is_json(&parts.headers) {
        let message = "Send a body of application/json in UTF-8, and say so in Content-Type.";
        return problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, code::BAD_REQUEST, message);
    }
    let format = match media {
        Media::EventStream => Some(Format::Events),
        Media::Multipart => Some(Format::Parts),
        Media::Json | Media::GraphqlResponse | Media::Html => None,
    };
    let address = http.settings.proxies.client(&parts);
    let viewer = match http.sign_in(&parts.headers, address).await {
        Ok(viewer) => viewer,
        Err(error) => {
            let media = if format.is_some() { Media::Json } else { media };
            return authentication_failed(&error, id_text(&request_id), media);
        }
    };
    let payload = if get {
        Payload::Single(decode::query_string(query_string))
    } else {
        match body::read(sent, &parts.headers, http.settings.body_bytes, http.settings.body_timeout).await {
            Ok(bytes) => decode::body(&bytes, http.settings.batch),
            Err(refusal) => return refusal,
        }
    };
    if let Some(format) = format {
        let is_anonymous = !viewer.is_signed_in();
        let request = StreamRequest { http, headers: parts.headers, address, request_id, is_anonymous };
        return match payload {
            Payload::Single(Ok(operation)) => streams::respond(request, operation, !get, format).await,
            Payload::Single(Err(reply)) => write(&reply, status(Ok(reply.outcome), Media::Json), Media::Json),
            Payload::Batch(_) => {
                problem(StatusCode::BAD_REQUEST, code::BAD_REQUEST, "A batch has no stream. Send one operation.")
            }
        };
    }
    answer(&http, payload, viewer, !get, id_text(&request_id), media).await
}

async fn answer(
    http: &Http,
    payload: Payload,
    viewer: Viewer,
    mutations: bool,
    request_id: &str,
    media: Media,
) -> Response {
    let terms = Terms { mutations, introspection: http.settings.allows_introspection(&viewer) };
    let attach = http.attach(viewer.clone());
    let execute = async |decoded: decode::Decoded| match decoded.and_then(|sent| http.documents.find(sent, &viewer)) {
        Ok(operation) => http.engine.execute(operation, terms, &attach, request_id).await,
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
    let names = ["query", "documentId", "extensions"];
    let asks = url::form_urlencoded::parse(query_string.as_bytes()).any(|(name, _)| names.contains(&&*name));
    !asks && negotiate(headers, &[Media::Json, Media::GraphqlResponse, Media::Html]) == Some(Media::Html)
}

fn allow(mut response: Response, methods: &'static str) -> Response {
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(methods));
    response
}
