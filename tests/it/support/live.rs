//! A Tollgate on a port of its own, and those who watch it: over WebSockets and over event streams.

use super::TestApp;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use tollgate::changes::{self, Change};
use tollgate::http::{self, Http};

/// After this long nothing will come any more.
const PATIENCE: Duration = Duration::from_secs(60);

/// The header that names the protocol.
const PROTOCOL: (&str, &str) = ("sec-websocket-protocol", "graphql-transport-ws");

/// Returns the next message within the time limit.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(PATIENCE, what).await.expect("it comes in time")
}

/// Makes a change known, in a transaction of its own.
pub(crate) async fn record(test: &TestApp, change: Change) {
    record_all(test, vec![change]).await;
}

/// Makes changes known, in one transaction.
pub(crate) async fn record_all(test: &TestApp, all: Vec<Change>) {
    let write = test.app.db.write(move |txn| Box::pin(async move { changes::record_all(txn, &all).await }));
    write.await.unwrap();
}

/// A listening Tollgate.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(test: &TestApp) -> Server {
        Server::with(test, |_| {}).await
    }

    /// With other limits than the settings say.
    pub(crate) async fn with(test: &TestApp, change: impl FnOnce(&mut Http)) -> Server {
        Server::beside(test, change, None).await
    }

    /// With other limits than the settings say, and with further routes.
    pub(crate) async fn beside(test: &TestApp, change: impl FnOnce(&mut Http), routes: Option<axum::Router>) -> Server {
        let mut http = Http::new(&test.app).unwrap();
        change(&mut http);
        let server = http::Server::new(http, routes).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let stopped = async {
            let _ = stopped.await;
        };
        let serving = tokio::spawn(server.serve(listener, stopped, PATIENCE));
        Server { address, stop, serving }
    }

    /// Stops it, which waits for nobody who watches.
    pub(crate) async fn stop(self) {
        self.stop.send(()).unwrap();
        soon(self.serving).await.unwrap();
    }

    /// The status of a request for a socket that is refused.
    pub(crate) async fn refusal(&self, headers: &[(&str, &str)]) -> u16 {
        match Socket::dial(self, &[&[PROTOCOL], headers].concat()).await {
            Err(Error::Http(response)) => response.status().as_u16(),
            Err(error) => panic!("{error}"),
            Ok(_) => panic!("the socket was opened"),
        }
    }
}

/// A client over a WebSocket.
pub(crate) struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    async fn dial(server: &Server, headers: &[(&str, &str)]) -> Result<Socket, Error> {
        let mut request = format!("ws://{}/graphql", server.address).into_client_request().unwrap();
        for (name, value) in headers {
            let name = tokio_tungstenite::tungstenite::http::HeaderName::try_from(*name).unwrap();
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        Ok(Socket(soon(connect_async(request)).await?.0))
    }

    /// A socket with these headers beside the protocol's.
    pub(crate) async fn open(server: &Server, headers: &[(&str, &str)]) -> Socket {
        Socket::dial(server, &[&[PROTOCOL], headers].concat()).await.unwrap()
    }

    /// A socket of a client that speaks several protocols.
    pub(crate) async fn offering(server: &Server, protocols: &str) -> Socket {
        Socket::dial(server, &[("sec-websocket-protocol", protocols)]).await.unwrap()
    }

    /// A socket of a client that does not say what it speaks.
    pub(crate) async fn without_protocol(server: &Server) -> Socket {
        Socket::dial(server, &[]).await.unwrap()
    }

    /// Returns true if the server accepts another socket.
    pub(crate) async fn can_open(server: &Server) -> bool {
        Socket::dial(server, &[PROTOCOL]).await.is_ok()
    }

    /// A socket of a caller who is known.
    pub(crate) async fn of(server: &Server, token: Option<&str>) -> Socket {
        let mut socket = Socket::open(server, &[]).await;
        let payload = token.map(|token| json!({"Authorization": format!("Bearer {token}")}));
        socket.say(json!({"type": "connection_init", "payload": payload})).await;
        assert_eq!(socket.hear().await, json!({"type": "connection_ack"}));
        socket
    }

    pub(crate) async fn say(&mut self, message: Value) {
        self.send(message.to_string()).await;
    }

    pub(crate) async fn send(&mut self, message: impl Into<Message>) {
        // A closed connection shows at the next read.
        let _ = self.0.send(message.into()).await;
    }

    /// The next message.
    pub(crate) async fn hear(&mut self) -> Value {
        loop {
            match soon(self.0.next()).await {
                Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).unwrap(),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("no message: {other:?}"),
            }
        }
    }

    /// Returns true if a message is next, and false if the socket is closed.
    pub(crate) async fn answered(&mut self) -> bool {
        loop {
            match soon(self.0.next()).await {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                message => return matches!(message, Some(Ok(Message::Text(_)))),
            }
        }
    }

    /// The code with which it is closed, whatever comes before.
    pub(crate) async fn closed(&mut self) -> u16 {
        loop {
            match soon(self.0.next()).await {
                Some(Ok(Message::Close(Some(frame)))) => return frame.code.into(),
                Some(Ok(Message::Text(_) | Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("not closed: {other:?}"),
            }
        }
    }

    /// Asks for something.
    pub(crate) async fn ask(&mut self, id: &str, query: &str, variables: Value) {
        let payload = json!({"query": query, "variables": variables});
        self.say(json!({"type": "subscribe", "id": id, "payload": payload})).await;
    }

    /// Watches from now on.
    pub(crate) async fn watch(&mut self, id: &str, query: &str, variables: Value) {
        self.ask(id, query, variables).await;
        self.settle().await;
    }

    /// Waits until all earlier messages are processed, and checks that no event arrived meanwhile.
    pub(crate) async fn settle(&mut self) {
        self.say(json!({"type": "ping"})).await;
        assert_eq!(self.hear().await, json!({"type": "pong"}));
    }

    /// The data of the next event of an operation.
    pub(crate) async fn event(&mut self, id: &str) -> Value {
        let mut message = self.hear().await;
        assert_eq!((&message["type"], &message["id"]), (&json!("next"), &json!(id)), "{message}");
        assert!(message["payload"].get("errors").is_none(), "{message}");
        message["payload"]["data"].take()
    }

    /// The code of the error with which an operation ends.
    pub(crate) async fn error(&mut self, id: &str) -> String {
        let message = self.hear().await;
        assert_eq!((&message["type"], &message["id"]), (&json!("error"), &json!(id)), "{message}");
        message["payload"][0]["extensions"]["code"].as_str().unwrap().to_owned()
    }
}

/// A client over an event stream.
pub(crate) struct Events {
    lines: Lines<BufReader<TcpStream>>,
    /// The status and the headers, in lower case.
    pub(crate) head: Vec<String>,
}

impl Events {
    /// Asks for something by POST.
    pub(crate) async fn of(server: &Server, token: Option<&str>, query: &str, variables: Value) -> Events {
        let body = json!({"query": query, "variables": variables}).to_string();
        let authorization = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
        let head = format!("content-type: application/json\r\ncontent-length: {}\r\n{authorization}", body.len());
        Events::request(server, &format!("POST /graphql HTTP/1.1\r\n{head}"), &body).await
    }

    /// Sends a request for an event stream, and returns the head of the response and its body.
    pub(crate) async fn request(server: &Server, head: &str, body: &str) -> Events {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let accept = "host: test\r\nconnection: close\r\naccept: text/event-stream\r\naccept-encoding: gzip\r\n\r\n";
        stream.write_all(format!("{head}{accept}{body}").as_bytes()).await.unwrap();
        let mut lines = BufReader::new(stream).lines();
        let mut head = Vec::new();
        loop {
            let line = soon(lines.next_line()).await.unwrap().unwrap();
            if line.is_empty() {
                return Events { lines, head };
            }
            head.push(line.to_lowercase());
        }
    }

    /// The next event with its data; none at the end.
    pub(crate) async fn next(&mut self) -> Option<(String, Value)> {
        let mut name = None;
        while let Ok(Some(line)) = soon(self.lines.next_line()).await {
            if let Some(event) = line.strip_prefix("event: ") {
                name = Some(event.to_owned());
            } else if let Some(data) = line.strip_prefix("data:") {
                let data = if data.trim().is_empty() { Value::Null } else { serde_json::from_str(data).unwrap() };
                return Some((name.unwrap(), data));
            }
        }
        None
    }

    /// The next line of the body that is not empty, and no length of a chunk.
    pub(crate) async fn line(&mut self) -> String {
        loop {
            let line = soon(self.lines.next_line()).await.unwrap().unwrap();
            if !line.is_empty() && !line.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return line;
            }
        }
    }

    /// The data of the next event.
    pub(crate) async fn event(&mut self) -> Value {
        let (name, mut reply) = self.next().await.unwrap();
        assert_eq!(name, "next");
        assert!(reply.get("errors").is_none(), "{reply}");
        reply["data"].take()
    }

    /// The code of the error with which it ends.
    pub(crate) async fn error(&mut self) -> String {
        let (name, reply) = self.next().await.unwrap();
        assert_eq!(name, "next");
        assert_eq!(self.next().await, Some(("complete".to_owned(), Value::Null)));
        assert_eq!(self.next().await, None);
        reply["errors"][0]["extensions"]["code"].as_str().unwrap().to_owned()
    }
}
