//! GraphQL over an HTTP response that stays open: one operation on each, as an event stream or in parts.

use std::{convert::Infallible, net::IpAddr, pin::pin, sync::Arc};

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use futures_util::{StreamExt as _, stream};
use tokio::{
    sync::mpsc,
    time::{Instant, interval_at, timeout},
};
use tower_http::request_id::RequestId;

use super::{
    connections::ConnectionPermit,
    documents::SentOperation,
    multipart,
    negotiate::Media,
    observe::id_text,
    replies::{Started, StreamClient, StreamEvent},
    sse,
    state::Http,
};
use crate::{
    graphql::engine::{
        errors::{RequestError, code, present},
        execute::{Outcome, Reply},
    },
    metrics::ConnectionLimit,
};

/// Makes nginx and compatible proxies pass on each event immediately.
const NO_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// Maximum number of events waiting for a client that does not read.
const MAX_WAITING_EVENTS: usize = 16;

/// The caller of an operation whose replies are streamed.
pub(super) struct StreamRequest {
    pub(super) http: Arc<Http>,
    pub(super) headers: HeaderMap,
    pub(super) address: Option<IpAddr>,
    pub(super) request_id: RequestId,
    pub(super) is_anonymous: bool,
}

/// The form of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Server-sent events, by the protocol of graphql-sse.
    Events,
    /// The parts of Apollo's multipart protocol.
    Parts,
}

/// Streams the replies to `operation`.
pub(super) async fn respond(
    request: StreamRequest,
    operation: SentOperation,
    mutations: bool,
    format: Format,
) -> Response {
    let StreamRequest { http, headers, address, request_id, is_anonymous } = request;
    let permit = match admit(&http, address, is_anonymous) {
        Ok(permit) => permit,
        Err(limit) => return http.refuse_connection(limit),
    };
    let client = Arc::new(StreamClient { http, headers, address, request_id });
    let started = client.start(operation, mutations).await;
    let started =
        started.unwrap_or_else(|event| Started { events: stream::iter([event]).boxed(), is_subscription: false });
    let (sender, mut sent) = mpsc::channel(MAX_WAITING_EVENTS);
    let max_bytes = client.http.settings.reply_bytes;
    tokio::spawn(send_all(client, started, permit, StreamSender { sender, format, max_bytes }));
    let mut response = Body::from_stream(stream::poll_fn(move |cx| sent.poll_recv(cx))).into_response();
    let media = match format {
        Format::Events => Media::EventStream,
        Format::Parts => Media::Multipart,
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media.content_type()));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(NO_BUFFERING, HeaderValue::from_static("no"));
    response
}

fn admit(http: &Http, address: Option<IpAddr>, is_anonymous: bool) -> Result<ConnectionPermit, ConnectionLimit> {
    let mut permit = http.connections.acquire(address)?;
    permit.sign_in(!is_anonymous)?;
    Ok(permit)
}

/// Writes a stream in its format.
struct StreamSender {
    sender: mpsc::Sender<Result<String, Infallible>>,
    format: Format,
    /// Maximum length of a reply.
    max_bytes: u64,
}

impl StreamSender {
    /// Returns the text of a reply. `interrupts` is true if it ends a subscription that was running.
    fn text(&self, reply: &Reply, interrupts: bool) -> String {
        // JSON without line breaks, which would end an event.
        let json = String::from_utf8(reply.encode(self.max_bytes).0).unwrap_or_default();
        match self.format {
            Format::Events => sse::next(&json),
            Format::Parts if interrupts => multipart::interruption(&json),
            Format::Parts => multipart::next(&json),
        }
    }

    fn opening(&self) -> Option<&'static str> {
        match self.format {
            Format::Events => None,
            Format::Parts => Some(multipart::OPENING),
        }
    }

    fn keep_alive(&self) -> &'static str {
        match self.format {
            Format::Events => sse::KEEP_ALIVE,
            Format::Parts => multipart::HEARTBEAT,
        }
    }

    fn complete(&self) -> &'static str {
        match self.format {
            Format::Events => sse::COMPLETE,
            Format::Parts => multipart::COMPLETE,
        }
    }
}

/// Sends the events until the operation, the client or the process ends. Runs as a separate task, so that a client who does
/// not read blocks nothing but its own connection.
async fn send_all(client: Arc<StreamClient>, started: Started, mut permit: ConnectionPermit, stream: StreamSender) {
    let Started { mut events, is_subscription } = started;
    let live = &client.http.settings.live;
    let mut keep_alive = interval_at(Instant::now() + live.keep_alive, live.keep_alive);
    let mut lost = pin!(permit.lost());
    let send = async |text| matches!(timeout(live.write_limit, stream.sender.send(Ok(text))).await, Ok(Ok(())));
    if let Some(opening) = stream.opening()
        && !send(opening.to_owned()).await
    {
        return;
    }
    loop {
        let event = tokio::select! {
            biased;
            () = permit.closing(), if is_subscription => match stream.format {
                // Without a `complete` event, so that the client reconnects.
                Format::Events => return,
                Format::Parts => Some(stopping()),
            },
            () = stream.sender.closed() => return,
            () = &mut lost => return,
            _ = keep_alive.tick() => match client.check().await {
                Ok(()) if send(stream.keep_alive().to_owned()).await => continue,
                Ok(()) => return,
                Err(event) => Some(event),
            },
            event = events.next() => event,
        };
        let is_last = event.as_ref().is_none_or(StreamEvent::is_last);
        let interrupts = is_last && is_subscription;
        let text = event.map(|event| match event {
            StreamEvent::Reply(reply) => stream.text(&reply, interrupts),
            StreamEvent::Refused(error) => {
                let reply = Reply::failed(Outcome::Rejected, present(&error, id_text(&client.request_id)));
                stream.text(&reply, interrupts)
            }
        });
        if let Some(text) = text
            && !send(text).await
        {
            return;
        }
        if is_last {
            send(stream.complete().to_owned()).await;
            return;
        }
    }
}

fn stopping() -> StreamEvent {
    let error = RequestError::new(code::UNAVAILABLE, "The server stops. Subscribe again.");
    StreamEvent::Reply(Box::new(Reply::rejected(vec![error])))
}
