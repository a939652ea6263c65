//! GraphQL over server-sent events: the replies to one operation on a connection of its own, by the protocol of
//! graphql-sse ("distinct connections mode").

use std::{convert::Infallible, sync::Arc};

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, header, request::Parts},
    response::{IntoResponse as _, Response},
};
use futures_util::{StreamExt as _, stream};
use tokio::{
    sync::mpsc,
    time::{Instant, interval_at, timeout},
};

use super::{
    Http,
    connections::Guest,
    graphql::full,
    negotiate::Media,
    observe::RequestId,
    replies::{Asker, Begun, Told},
};
use crate::graphql::engine::{
    errors::present,
    execute::{Operation, Outcome, Reply},
};

/// Tells nginx and those who copy it to pass on each event at once.
const NO_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// A comment, which clients pass over.
const STILL_HERE: &str = ":\n\n";
/// With data, if none: browsers pass over an event that has no such line.
const COMPLETE: &str = "event: complete\ndata:\n\n";
/// How many events may wait for a client that does not read.
const WAITING: usize = 16;

/// The replies to `operation`, as they come.
pub(super) async fn respond(
    http: Arc<Http>,
    request_id: RequestId,
    parts: Parts,
    operation: Operation,
    mutations: bool,
) -> Response {
    let Some(guest) = http.connections.enter() else { return full() };
    let address = http.settings.proxies.client(&parts);
    let asker = Arc::new(Asker { http, headers: parts.headers, address, request_id });
    let begun = asker.begin(operation, mutations).await;
    let begun = begun.unwrap_or_else(|told| Begun { replies: stream::iter([told]).boxed(), lasting: false });
    let (events, mut sent) = mpsc::channel(WAITING);
    tokio::spawn(produce(asker, begun, guest, events));
    let mut response = Body::from_stream(stream::poll_fn(move |cx| sent.poll_recv(cx))).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(Media::EventStream.content_type()));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(NO_BUFFERING, HeaderValue::from_static("no"));
    response
}

type Events = mpsc::Sender<Result<String, Infallible>>;

/// Sends what there is to tell until the end of it, of the client's patience or of the process. A task of its own, so
/// that a client who does not read holds nothing but its connection.
async fn produce(asker: Arc<Asker>, begun: Begun, mut guest: Guest, events: Events) {
    let Begun { mut replies, lasting } = begun;
    let live = &asker.http.settings.live;
    let mut keep_alive = interval_at(Instant::now() + live.keep_alive, live.keep_alive);
    let send = async |event| matches!(timeout(live.write_limit, events.send(Ok(event))).await, Ok(Ok(())));
    loop {
        let told = tokio::select! {
            biased;
            // Without the event that says it is complete, so that the client comes again.
            () = guest.dismissed(), if lasting => return,
            () = events.closed() => return,
            _ = keep_alive.tick() => match asker.check().await {
                Ok(()) if send(STILL_HERE.to_owned()).await => continue,
                Ok(()) => return,
                Err(told) => Some(told),
            },
            told = replies.next() => told,
        };
        let last = told.as_ref().is_none_or(Told::is_last);
        let event = match told {
            None => None,
            Some(Told::Reply(reply)) => Some(next(&reply)),
            Some(Told::Refused(error)) => {
                Some(next(&Reply::failed(Outcome::Rejected, present(&error, &asker.request_id.0))))
            }
        };
        if let Some(event) = event
            && !send(event).await
        {
            return;
        }
        if last {
            send(COMPLETE.to_owned()).await;
            return;
        }
    }
}

fn next(reply: &Reply) -> String {
    // A reply is written as JSON without line breaks, which events could not hold.
    let text = serde_json::to_string(reply).unwrap_or_else(|error| {
        tracing::error!(cause = %error, "the reply cannot be written");
        r#"{"errors":[{"message":"internal error","extensions":{"code":"INTERNAL_SERVER_ERROR"}}]}"#.to_owned()
    });
    format!("event: next\ndata: {text}\n\n")
}
