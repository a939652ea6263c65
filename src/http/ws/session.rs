//! One WebSocket from the first message to the last. One task handles all of it, so a client that does not read blocks only
//! its own operations, until it is disconnected.

use std::{collections::HashMap, net::IpAddr, sync::Arc, time::Duration};

use axum::{
    extract::ws::{CloseFrame, Message, WebSocket},
    http::{HeaderMap, HeaderValue, header, request::Parts},
};
use futures_util::{
    StreamExt as _,
    stream::{AbortHandle, BoxStream, SelectAll, abortable, once},
};
use serde_json::{Map, Value};
use tokio::time::{Instant, interval_at, sleep_until, timeout};
use tower_http::request_id::RequestId;

use super::protocol::{self, ClientMessage, Close};
use crate::{
    error::Error,
    graphql::engine::{
        errors::{RequestError, code},
        execute::Reply,
    },
    http::{
        connections::ConnectionPermit,
        documents::SentOperation,
        observe::id_text,
        replies::{Started, StreamClient, StreamEvent},
        state::Http,
    },
};

/// Time limit for the client to confirm a close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// A WebSocket with its operations.
pub(super) struct Session {
    socket: WebSocket,
    http: Arc<Http>,
    request_id: RequestId,
    permit: ConnectionPermit,
    /// The headers of the upgrade request, until the first message completes them.
    headers: HeaderMap,
    /// The address of the client, if it is known.
    address: Option<IpAddr>,
    /// The client, once it is authenticated.
    client: Option<Arc<StreamClient>>,
    /// The running operations by id.
    running: HashMap<Arc<str>, Running>,
    /// The events of the operations; `None` at the end of one.
    events: SelectAll<BoxStream<'static, (Arc<str>, Option<StreamEvent>)>>,
    received_at: Instant,
}

/// A running operation.
struct Running {
    handle: AbortHandle,
    is_subscription: bool,
}

/// The reason why a session ends.
enum End {
    /// The server closes it.
    Close(Close),
    /// The client closed it or does not answer.
    Gone,
}

impl From<Close> for End {
    fn from(close: Close) -> Self {
        End::Close(close)
    }
}

impl Session {
    pub(super) fn new(
        socket: WebSocket,
        http: Arc<Http>,
        parts: Parts,
        request_id: RequestId,
        permit: ConnectionPermit,
    ) -> Self {
        let (address, headers) = (http.settings.proxies.client(&parts), parts.headers);
        let (running, events, received_at) = (HashMap::new(), SelectAll::new(), Instant::now());
        Session { socket, http, request_id, permit, headers, address, client: None, running, events, received_at }
    }

    pub(super) async fn run(mut self) {
        let end = match self.socket.protocol() {
            Some(_) => self.serve().await,
            None => Err(protocol::WRONG_PROTOCOL.into()),
        };
        if let Err(End::Close(close)) = end {
            let request_id = id_text(&self.request_id);
            tracing::debug!(request_id, code = close.code, reason = &*close.reason, "socket closed");
            let frame = CloseFrame { code: close.code, reason: close.reason.as_ref().into() };
            let _ = timeout(CLOSE_TIMEOUT, self.socket.send(Message::Close(Some(frame)))).await;
        }
        // Disconnecting immediately could discard the close frame before the client reads it.
        let _ = timeout(CLOSE_TIMEOUT, async { while let Some(Ok(_)) = self.socket.recv().await {} }).await;
    }

    async fn serve(&mut self) -> Result<(), End> {
        let live = self.http.settings.live.clone();
        let mut too_late = std::pin::pin!(sleep_until(Instant::now() + live.init_limit));
        let mut keep_alive = interval_at(Instant::now() + live.keep_alive, live.keep_alive);
        let mut lost = std::pin::pin!(self.permit.lost());
        loop {
            tokio::select! {
                biased;
                () = self.permit.closing() => return self.finish().await,
                () = &mut lost => return Err(protocol::TRY_AGAIN.into()),
                () = &mut too_late, if self.client.is_none() => return Err(protocol::TOO_LATE.into()),
                _ = keep_alive.tick() => self.keep_alive().await?,
                message = self.socket.recv() => self.handle(message).await?,
                Some((id, event)) = self.events.next() => self.forward(&id, event).await?,
            }
        }
    }

    /// Ends subscriptions and waits for queries and mutations, as for those over HTTP. Reads no more messages.
    async fn finish(&mut self) -> Result<(), End> {
        self.running.retain(|_, operation| {
            if operation.is_subscription {
                operation.handle.abort();
            }
            !operation.is_subscription
        });
        while !self.running.is_empty()
            && let Some((id, event)) = self.events.next().await
        {
            self.forward(&id, event).await?;
        }
        Err(protocol::GOING_AWAY.into())
    }

    /// Checks that the client still answers and that its credential is still valid.
    async fn keep_alive(&mut self) -> Result<(), End> {
        if self.received_at.elapsed() > self.http.settings.live.keep_alive * 2 {
            return Err(End::Gone);
        }
        if let Some(client) = &self.client
            && client.check().await.is_err()
        {
            return Err(protocol::FORBIDDEN.into());
        }
        self.send(Message::Ping(Default::default())).await
    }

    async fn handle(&mut self, message: Option<Result<Message, axum::Error>>) -> Result<(), End> {
        self.received_at = Instant::now();
        let text = match message {
            Some(Ok(Message::Text(text))) if text.len() <= self.http.settings.body_bytes => text,
            Some(Ok(Message::Text(_))) => return Err(protocol::TOO_BIG.into()),
            Some(Ok(Message::Binary(_))) => return Err(protocol::invalid("Invalid message: not text").into()),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => return Ok(()),
            Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(End::Gone),
        };
        match protocol::read(&text)? {
            ClientMessage::Init(payload) => self.init(&payload).await,
            ClientMessage::Ping(payload) => self.send_text(protocol::pong(payload)).await,
            ClientMessage::Pong => Ok(()),
            ClientMessage::Subscribe(id, decoded) => {
                let Some(client) = self.client.clone() else { return Err(protocol::UNAUTHORIZED.into()) };
                if self.running.contains_key(&*id) {
                    return Err(protocol::duplicate_id(&id).into());
                }
                match decoded {
                    Ok(operation) => self.start(&client, id, operation).await,
                    Err(reply) => self.reply(&id, &reply, false).await,
                }
            }
            ClientMessage::Complete(id) => {
                if let Some(operation) = self.running.remove(&*id) {
                    operation.handle.abort();
                }
                Ok(())
            }
        }
    }

    /// Authenticates the client.
    async fn init(&mut self, payload: &Map<String, Value>) -> Result<(), End> {
        if self.client.is_some() {
            return Err(protocol::TWICE.into());
        }
        let mut headers = std::mem::take(&mut self.headers);
        if let Some(credential) = credential(payload) {
            headers.insert(header::AUTHORIZATION, credential?);
        }
        match self.http.sign_in(&headers, self.address).await {
            Ok(viewer) => self.permit.sign_in(viewer.is_signed_in()).map_err(|limit| {
                self.http.app.metrics.count_refusal(limit);
                protocol::TRY_AGAIN
            })?,
            Err(Error::Unauthenticated(_) | Error::Forbidden(_)) => return Err(protocol::FORBIDDEN.into()),
            Err(error) => {
                let cause = format!("{:#}", anyhow::Error::from(error));
                tracing::warn!(request_id = id_text(&self.request_id), cause, "a caller cannot be authenticated");
                return Err(protocol::TRY_AGAIN.into());
            }
        }
        let (http, request_id, address) = (Arc::clone(&self.http), self.request_id.clone(), self.address);
        self.client = Some(Arc::new(StreamClient { http, headers, address, request_id }));
        self.send_text(protocol::ack()).await
    }

    async fn start(&mut self, client: &Arc<StreamClient>, id: String, operation: SentOperation) -> Result<(), End> {
        let max = self.http.settings.live.operations;
        if self.running.len() >= max {
            let message =
                format!("{max} operations are running on this connection, which is the limit. Complete one first.");
            let reply = Reply::rejected(vec![RequestError::new(code::RATE_LIMITED, message)]);
            return self.reply(&id, &reply, false).await;
        }
        match client.start(operation, true).await {
            Ok(Started { events, is_subscription }) => {
                let id: Arc<str> = id.into();
                let (event_id, end_id) = (Arc::clone(&id), Arc::clone(&id));
                let events = events.map(move |event| (Arc::clone(&event_id), Some(event)));
                let (events, handle) = abortable(events.chain(once(async move { (end_id, None) })));
                self.running.insert(id, Running { handle, is_subscription });
                self.events.push(events.boxed());
                Ok(())
            }
            Err(event) => self.send_event(&id, event).await,
        }
    }

    async fn forward(&mut self, id: &str, event: Option<StreamEvent>) -> Result<(), End> {
        let is_last = event.as_ref().is_none_or(StreamEvent::is_last);
        if is_last && let Some(operation) = self.running.remove(id) {
            operation.handle.abort();
        }
        match event {
            Some(event) => self.send_event(id, event).await,
            None => self.send_text(protocol::complete(id)).await,
        }
    }

    async fn send_event(&mut self, id: &str, event: StreamEvent) -> Result<(), End> {
        let executed = !event.is_last();
        match event {
            StreamEvent::Reply(reply) => self.reply(id, &reply, executed).await,
            StreamEvent::Refused(_) => Err(protocol::FORBIDDEN.into()),
        }
    }

    async fn reply(&mut self, id: &str, reply: &Reply, executed: bool) -> Result<(), End> {
        match protocol::reply(id, reply, executed, self.http.settings.reply_bytes) {
            Ok(text) => self.send_text(text).await,
            Err(error) => {
                tracing::error!(request_id = id_text(&self.request_id), cause = %error, "the reply cannot be written");
                Err(protocol::FAILED.into())
            }
        }
    }

    async fn send_text(&mut self, text: String) -> Result<(), End> {
        self.send(Message::Text(text.into())).await
    }

    /// Sends a message. Disconnects a client that does not read for too long.
    async fn send(&mut self, message: Message) -> Result<(), End> {
        match timeout(self.http.settings.live.write_limit, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(End::Gone),
        }
    }
}

/// Returns the credential of a first message, in one of the forms that clients use, as a header.
fn credential(payload: &Map<String, Value>) -> Option<Result<HeaderValue, Close>> {
    let header = payload.get("Authorization").or_else(|| payload.get("authorization"));
    let text = match (header, payload.get("token")) {
        (Some(Value::String(header)), _) => header.clone(),
        (None, Some(Value::String(token))) => format!("Bearer {}", token.strip_prefix("Bearer ").unwrap_or(token)),
        (None | Some(Value::Null), None | Some(Value::Null)) => return None,
        _ => return Some(Err(protocol::FORBIDDEN)),
    };
    Some(HeaderValue::from_str(&text).map_err(|_| protocol::FORBIDDEN))
}
