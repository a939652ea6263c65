//! One socket, from the first message to the last. All that happens on it is done by one task, so a client that does
//! not read holds up its own operations and nothing else, until it is hung up on.

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

use super::protocol::{self, Close, Said};
use crate::{
    error::Error,
    graphql::engine::{
        errors::{RequestError, code},
        execute::{Operation, Reply},
    },
    http::{
        Http,
        connections::Guest,
        observe::RequestId,
        replies::{Asker, Begun, Told},
    },
};

/// How long a client may take to answer that the socket is closed.
const FAREWELL: Duration = Duration::from_secs(2);

/// A socket and what happens on it.
pub(super) struct Session {
    socket: WebSocket,
    http: Arc<Http>,
    request_id: RequestId,
    guest: Guest,
    /// What the request for the socket said of the caller, until they say it in their first message.
    headers: HeaderMap,
    /// Where the request came from, as far as that is known.
    address: Option<IpAddr>,
    /// The caller, once they are known.
    asker: Option<Arc<Asker>>,
    /// What runs, by its id.
    running: HashMap<Arc<str>, Running>,
    /// What the operations tell; nothing when one is over.
    told: SelectAll<BoxStream<'static, (Arc<str>, Option<Told>)>>,
    heard_at: Instant,
}

/// An operation that has not ended.
struct Running {
    handle: AbortHandle,
    /// Whether it goes on until it is ended.
    lasting: bool,
}

/// Why a session ends.
enum End {
    /// We close it.
    Close(Close),
    /// The client closed it, or does not answer.
    Gone,
}

impl From<Close> for End {
    fn from(close: Close) -> Self {
        End::Close(close)
    }
}

impl Session {
    pub(super) fn new(socket: WebSocket, http: Arc<Http>, parts: Parts, request_id: RequestId, guest: Guest) -> Self {
        let (address, headers) = (http.settings.proxies.client(&parts), parts.headers);
        let (running, told, heard_at) = (HashMap::new(), SelectAll::new(), Instant::now());
        Session { socket, http, request_id, guest, headers, address, asker: None, running, told, heard_at }
    }

    pub(super) async fn run(mut self) {
        let end = match self.socket.protocol() {
            Some(_) => self.talk().await,
            None => Err(protocol::WRONG_PROTOCOL.into()),
        };
        if let Err(End::Close(close)) = end {
            let request_id = &*self.request_id.0;
            tracing::debug!(request_id, code = close.code, reason = &*close.reason, "socket closed");
            let frame = CloseFrame { code: close.code, reason: close.reason.as_ref().into() };
            // A client that does not take its leave is left alone.
            let _ = timeout(FAREWELL, self.socket.send(Message::Close(Some(frame)))).await;
        }
        // Hanging up at once could take the close away from the client before it is read.
        let _ = timeout(FAREWELL, async { while let Some(Ok(_)) = self.socket.recv().await {} }).await;
    }

    async fn talk(&mut self) -> Result<(), End> {
        let live = self.http.settings.live.clone();
        let mut too_late = std::pin::pin!(sleep_until(Instant::now() + live.init_limit));
        let mut keep_alive = interval_at(Instant::now() + live.keep_alive, live.keep_alive);
        loop {
            tokio::select! {
                biased;
                () = self.guest.dismissed() => return self.finish().await,
                () = &mut too_late, if self.asker.is_none() => return Err(protocol::TOO_LATE.into()),
                _ = keep_alive.tick() => self.keep_alive().await?,
                message = self.socket.recv() => self.hear(message).await?,
                Some((id, told)) = self.told.next() => self.tell(&id, told).await?,
            }
        }
    }

    /// Lets queries and mutations come to their end, as those over HTTP do, and hears nothing more.
    async fn finish(&mut self) -> Result<(), End> {
        self.running.retain(|_, operation| {
            if operation.lasting {
                operation.handle.abort();
            }
            !operation.lasting
        });
        while !self.running.is_empty()
            && let Some((id, told)) = self.told.next().await
        {
            self.tell(&id, told).await?;
        }
        Err(protocol::GOING_AWAY.into())
    }

    /// Asks whether the client is still there, which every client answers without knowing, and whether it still may.
    async fn keep_alive(&mut self) -> Result<(), End> {
        if self.heard_at.elapsed() > self.http.settings.live.keep_alive * 2 {
            return Err(End::Gone);
        }
        if let Some(asker) = &self.asker
            && asker.check().await.is_err()
        {
            return Err(protocol::FORBIDDEN.into());
        }
        self.send(Message::Ping(Default::default())).await
    }

    async fn hear(&mut self, message: Option<Result<Message, axum::Error>>) -> Result<(), End> {
        self.heard_at = Instant::now();
        let text = match message {
            Some(Ok(Message::Text(text))) if text.len() <= self.http.settings.body_bytes => text,
            Some(Ok(Message::Text(_))) => return Err(protocol::TOO_BIG.into()),
            Some(Ok(Message::Binary(_))) => return Err(protocol::invalid("Invalid message: not text").into()),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => return Ok(()),
            Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(End::Gone),
        };
        match protocol::read(&text)? {
            Said::Init(payload) => self.init(&payload).await,
            Said::Ping(payload) => self.say(protocol::pong(payload)).await,
            Said::Pong => Ok(()),
            Said::Subscribe(id, decoded) => {
                let Some(asker) = self.asker.clone() else { return Err(protocol::UNAUTHORIZED.into()) };
                if self.running.contains_key(&*id) {
                    return Err(protocol::taken(&id).into());
                }
                match decoded {
                    Ok(operation) => self.subscribe(&asker, id, operation).await,
                    Err(reply) => self.reply(&id, &reply, false).await,
                }
            }
            Said::Complete(id) => {
                if let Some(operation) = self.running.remove(&*id) {
                    operation.handle.abort();
                }
                Ok(())
            }
        }
    }

    /// Gets to know the caller.
    async fn init(&mut self, payload: &Map<String, Value>) -> Result<(), End> {
        if self.asker.is_some() {
            return Err(protocol::TWICE.into());
        }
        let mut headers = std::mem::take(&mut self.headers);
        if let Some(credential) = credential(payload) {
            headers.insert(header::AUTHORIZATION, credential?);
        }
        match (self.http.authenticate)(&headers, self.address).await {
            Ok(_) => {}
            Err(Error::Unauthenticated(_) | Error::Forbidden(_)) => return Err(protocol::FORBIDDEN.into()),
            Err(error) => {
                let cause = format!("{:#}", anyhow::Error::from(error));
                tracing::warn!(request_id = &*self.request_id.0, cause, "a caller cannot be known");
                return Err(protocol::TRY_AGAIN.into());
            }
        }
        let (http, request_id, address) = (Arc::clone(&self.http), self.request_id.clone(), self.address);
        self.asker = Some(Arc::new(Asker { http, headers, address, request_id }));
        self.say(protocol::ack()).await
    }

    async fn subscribe(&mut self, asker: &Arc<Asker>, id: String, operation: Operation) -> Result<(), End> {
        let most = self.http.settings.live.operations;
        if self.running.len() >= most {
            let message = format!("{most} operations run on this connection, which is the limit; complete one first");
            let reply = Reply::rejected(vec![RequestError::new(code::RATE_LIMITED, message)]);
            return self.reply(&id, &reply, false).await;
        }
        match asker.begin(operation, true).await {
            Ok(Begun { replies, lasting }) => {
                let id: Arc<str> = id.into();
                let (of, over) = (Arc::clone(&id), Arc::clone(&id));
                let told = replies.map(move |told| (Arc::clone(&of), Some(told)));
                let (told, handle) = abortable(told.chain(once(async move { (over, None) })));
                self.running.insert(id, Running { handle, lasting });
                self.told.push(told.boxed());
                Ok(())
            }
            Err(told) => self.pass_on(&id, told).await,
        }
    }

    async fn tell(&mut self, id: &str, told: Option<Told>) -> Result<(), End> {
        let last = told.as_ref().is_none_or(Told::is_last);
        if last && let Some(operation) = self.running.remove(id) {
            operation.handle.abort();
        }
        match told {
            Some(told) => self.pass_on(id, told).await,
            None => self.say(protocol::complete(id)).await,
        }
    }

    async fn pass_on(&mut self, id: &str, told: Told) -> Result<(), End> {
        let ran = !told.is_last();
        match told {
            Told::Reply(reply) => self.reply(id, &reply, ran).await,
            Told::Refused(_) => Err(protocol::FORBIDDEN.into()),
        }
    }

    async fn reply(&mut self, id: &str, reply: &Reply, ran: bool) -> Result<(), End> {
        match protocol::reply(id, reply, ran) {
            Ok(text) => self.say(text).await,
            Err(error) => {
                tracing::error!(request_id = &*self.request_id.0, cause = %error, "the reply cannot be written");
                Err(protocol::FAILED.into())
            }
        }
    }

    async fn say(&mut self, text: String) -> Result<(), End> {
        self.send(Message::Text(text.into())).await
    }

    /// A client that does not read for too long is hung up on.
    async fn send(&mut self, message: Message) -> Result<(), End> {
        match timeout(self.http.settings.live.write_limit, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(End::Gone),
        }
    }
}

/// The credential in a first message, in one of the forms that clients have for it, as a header.
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
