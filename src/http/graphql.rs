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
    respond::{authentication_failed, problem, status, write, write_reply},
    state::Http,
    streams::{self, Format, StreamRequest},
    ws,
};
use crate::{
    auth::Viewer,
    graphql::engine::{
        errors::{code, present},
        execute::{Accepted, Attach, Outcome, Reply},
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
    let signed_in = match format.is_none() && !get {
        true => http.sign_in_once(&parts.headers, address).await,
        false => http.sign_in(&parts.headers, address).await,
    };
    let viewer = match signed_in {
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
            Payload::Single(Err(reply)) => write_reply(&reply, status(Ok(reply.outcome), Media::Json), Media::Json),
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
    let terms = http.terms(&viewer, mutations);
    match payload {
        Payload::Single(decoded) => {
            let operation = decoded.and_then(|sent| http.documents.find(sent, &viewer));
            let accepted = operation.and_then(|operation| http.engine.accept(operation, terms));
            let mut accepted = [accepted];
            charge(http, &viewer, &mut accepted, request_id);
            let [accepted] = accepted;
            let attach = http.attach(viewer);
            let reply = execute(http, accepted, &attach, request_id).await;
            let (body, outcome) = reply.encode(http.settings.reply_bytes);
            let mut response = write(body, status(Ok(outcome), media), media);
            limit_rate(&mut response, reply.retry_after_seconds());
            if let Some(name) = &reply.operation_name {
                response.extensions_mut().insert(OperationName::new(name));
            }
            if reply.outcome == Outcome::MutationRefused { allow(response, "POST") } else { response }
        }
        Payload::Batch(operations) => {
            let operations = operations.into_iter().map(|decoded| http.documents.find(decoded?, &viewer));
            let mut accepted = http.engine.accept_batch(operations, terms);
            charge(http, &viewer, &mut accepted, request_id);
            let attach = http.attach(viewer);
            // Written one by one, so that only one reply at a time is in memory as objects.
            let (mut body, mut names, mut wait) = (vec![b'['], Vec::new(), None);
            for (position, accepted) in accepted.into_iter().enumerate() {
                let refused = accepted.is_err();
                let reply = execute(http, accepted, &attach, request_id).await;
                let written = u64::try_from(body.len()).unwrap_or(u64::MAX);
                let (text, _) = reply.encode(http.settings.reply_bytes.saturating_sub(written));
                if position > 0 {
                    body.push(b',');
                }
                body.extend(text);
                wait = wait.max(reply.retry_after_seconds().filter(|_| refused));
                names.extend(reply.operation_name);
            }
            body.push(b']');
            let mut response = write(body, StatusCode::OK, media);
            limit_rate(&mut response, wait);
            response.extensions_mut().insert(OperationName::new(&names.join(",")));
            response
        }
    }
}

/// Takes the cost of a request from what the caller may spend. If there is not enough, none of its operations may run.
fn charge(http: &Http, viewer: &Viewer, request: &mut [Result<Accepted, Box<Reply>>], request_id: &str) {
    let cost = request.iter().flatten().map(Accepted::cost).fold(0, u64::saturating_add);
    if cost == 0 {
        return;
    }
    let spent = http.spend(viewer, cost);
    for slot in request {
        if let Ok(accepted) = slot {
            match &spent {
                Ok(throttle) => accepted.set_throttle(*throttle),
                Err(error) => {
                    let reply = Reply::failed(Outcome::Rejected, present(error, request_id));
                    *slot = Err(Box::new(accepted.with_name(reply)));
                }
            }
        }
    }
}

/// Runs an operation that was accepted, or returns the reply that says why it was not.
async fn execute(http: &Http, accepted: Result<Accepted, Box<Reply>>, attach: &Attach, request_id: &str) -> Reply {
    match accepted {
        Ok(accepted) => http.engine.execute(&accepted, attach, request_id).await,
        Err(reply) => *reply,
    }
}

/// Tells the client to wait, after too many requests.
fn limit_rate(response: &mut Response, wait_seconds: Option<u64>) {
    if let Some(seconds) = wait_seconds {
        *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
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
