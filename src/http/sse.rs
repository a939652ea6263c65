//! GraphQL over server-sent events: one operation on each connection, by the protocol of graphql-sse ("distinct connections
//! mode").

use std::{convert::Infallible, sync::Arc};

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, header, request::Parts},
    response::{IntoResponse as _, Response},
};
use futures_util::{StreamExt as _, stream};
use serde_json::json;
use tokio::{
    sync::mpsc,
    time::{Instant, interval_at, timeout},
};

use tower_http::request_id::RequestId;

use super::{
    connections::ConnectionPermit,
    negotiate::Media,
    observe::id_text,
    replies::{Started, StreamClient, StreamEvent},
    respond::too_many_connections,
    state::Http,
};
use crate::error::INTERNAL_MESSAGE;
use crate::graphql::engine::{
    errors::{code, present},
    execute::{Operation, Outcome, Reply},
};

/// Makes nginx and compatible proxies pass on each event immediately.
const NO_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// A comment, which clients ignore.
const KEEP_ALIVE: &str = ":\n\n";
/// With an empty `data` line, because browsers ignore an event without one.
const COMPLETE: &str = "event: complete\ndata:\n\n";
/// Maximum number of events waiting for a client that does not read.
const MAX_WAITING_EVENTS: usize = 16;

/// Streams the replies to `operation`.
pub(super) async fn respond(
    http: Arc<Http>,
    request_id: RequestId,
    parts: Parts,
    operation: Operation,
    mutations: bool,
) -> Response {
    let Some(permit) = http.connections.acquire() else { return too_many_connections() };
    let address = http.settings.proxies.client(&parts);
    let client = Arc::new(StreamClient { http, headers: parts.headers, address, request_id });
    let started = client.start(operation, mutations).await;
    let started =
        started.unwrap_or_else(|event| Started { events: stream::iter([event]).boxed(), is_subscription: false });
    let (sender, mut sent) = mpsc::channel(MAX_WAITING_EVENTS);
    tokio::spawn(send_all(client, started, permit, sender));
    let mut response = Body::from_stream(stream::poll_fn(move |cx| sent.poll_recv(cx))).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(Media::EventStream.content_type()));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(NO_BUFFERING, HeaderValue::from_static("no"));
    response
}

type Sender = mpsc::Sender<Result<String, Infallible>>;

/// Sends the events until the operation, the client or the process ends. Runs as a separate task, so that a client who does
/// not read blocks nothing but its own connection.
async fn send_all(client: Arc<StreamClient>, started: Started, mut permit: ConnectionPermit, sender: Sender) {
    let Started { mut events, is_subscription } = started;
    let live = &client.http.settings.live;
    let mut keep_alive = interval_at(Instant::now() + live.keep_alive, live.keep_alive);
    let send = async |text| matches!(timeout(live.write_limit, sender.send(Ok(text))).await, Ok(Ok(())));
    loop {
        let event = tokio::select! {
            biased;
            // Without a `complete` event, so that the client reconnects.
            () = permit.closing(), if is_subscription => return,
            () = sender.closed() => return,
            _ = keep_alive.tick() => match client.check().await {
                Ok(()) if send(KEEP_ALIVE.to_owned()).await => continue,
                Ok(()) => return,
                Err(event) => Some(event),
            },
            event = events.next() => event,
        };
        let is_last = event.as_ref().is_none_or(StreamEvent::is_last);
        let text = event.map(|event| match event {
            StreamEvent::Reply(reply) => next(&reply),
            StreamEvent::Refused(error) => {
                next(&Reply::failed(Outcome::Rejected, present(&error, id_text(&client.request_id))))
            }
        });
        if let Some(text) = text
            && !send(text).await
        {
            return;
        }
        if is_last {
            send(COMPLETE.to_owned()).await;
            return;
        }
    }
}

fn next(reply: &Reply) -> String {
    // JSON without line breaks, which would end the event.
    let text = serde_json::to_string(reply).unwrap_or_else(|error| {
        tracing::error!(cause = %error, "the reply cannot be written");
        let error = json!({"message": INTERNAL_MESSAGE, "extensions": {"code": code::INTERNAL}});
        json!({ "errors": [error] }).to_string()
    });
    format!("event: next\ndata: {text}\n\n")
}
