//! A client over Apollo's multipart protocol.

use super::live::{Server, soon};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

/// The `Accept` of Apollo's client for a subscription.
pub(crate) const APOLLO: &str = "multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/json";

/// A response in parts.
pub(crate) struct Parts {
    stream: BufReader<TcpStream>,
    /// The status and the headers, in lower case.
    pub(crate) head: Vec<String>,
    /// The part of the body that arrived and is not read yet.
    body: String,
    /// True once the last delimiter was seen.
    pub(crate) complete: bool,
}

impl Parts {
    /// Asks for something as Apollo's client does.
    pub(crate) async fn of(server: &Server, token: Option<&str>, query: &str) -> Parts {
        Parts::post(server, token, &json!({"query": query}).to_string()).await
    }

    /// Posts a body as Apollo's client does.
    pub(crate) async fn post(server: &Server, token: Option<&str>, body: &str) -> Parts {
        let authorization = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
        let head = format!("content-type: application/json\r\ncontent-length: {}\r\n{authorization}", body.len());
        Parts::request(server, &format!("POST /graphql HTTP/1.1\r\n{head}"), body).await
    }

    /// Sends a request, and reads the head of the response.
    pub(crate) async fn request(server: &Server, head: &str, body: &str) -> Parts {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let rest = format!("host: test\r\nconnection: close\r\naccept: {APOLLO}\r\naccept-encoding: gzip\r\n\r\n");
        stream.write_all(format!("{head}{rest}{body}").as_bytes()).await.unwrap();
        let mut parts =
            Parts { stream: BufReader::new(stream), head: Vec::new(), body: String::new(), complete: false };
        loop {
            let line = parts.line().await;
            if line.is_empty() {
                return parts;
            }
            parts.head.push(line.to_lowercase());
        }
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        soon(self.stream.read_line(&mut line)).await.unwrap();
        line.trim_end().to_owned()
    }

    /// Reads one more chunk of the body; false at the end.
    async fn chunk(&mut self) -> bool {
        let line = self.line().await;
        let Ok(length) = usize::from_str_radix(&line, 16) else { return false };
        let mut chunk = vec![0; length + 2];
        soon(self.stream.read_exact(&mut chunk)).await.unwrap();
        self.body.push_str(std::str::from_utf8(&chunk[..length]).unwrap());
        length > 0
    }

    /// The next part, heartbeats included; none at the end.
    pub(crate) async fn part(&mut self) -> Option<Value> {
        loop {
            if let Some((part, rest)) = self.body.split_once("\r\n--graphql") {
                let (part, rest) = (part.to_owned(), rest.to_owned());
                self.body = rest;
                if part.is_empty() {
                    continue;
                }
                let (head, body) = part.split_once("\r\n\r\n").unwrap();
                assert_eq!(head.trim(), "content-type: application/json");
                return Some(serde_json::from_str(body).unwrap());
            }
            self.complete |= self.body.starts_with("--");
            if !self.chunk().await {
                self.complete |= self.body.starts_with("--");
                return None;
            }
        }
    }

    /// The next part that is no heartbeat; none at the end.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        loop {
            match self.part().await {
                Some(part) if part == json!({}) => {}
                part => return part,
            }
        }
    }

    /// The data of the next event.
    pub(crate) async fn event(&mut self) -> Value {
        let mut part = self.next().await.unwrap();
        assert!(part.get("errors").is_none() && part["payload"].get("errors").is_none(), "{part}");
        part["payload"]["data"].take()
    }

    /// The code of the errors that the transport ends with, beside an empty payload.
    pub(crate) async fn interruption(&mut self) -> String {
        let part = self.next().await.unwrap();
        assert_eq!(part.get("payload"), Some(&Value::Null), "{part}");
        self.end().await;
        part["errors"][0]["extensions"]["code"].as_str().unwrap().to_owned()
    }

    /// The code of the error with which an operation ends.
    pub(crate) async fn error(&mut self) -> String {
        let part = self.next().await.unwrap();
        assert!(part.get("errors").is_none(), "{part}");
        self.end().await;
        part["payload"]["errors"][0]["extensions"]["code"].as_str().unwrap().to_owned()
    }

    /// Checks that nothing follows but the last delimiter.
    pub(crate) async fn end(&mut self) {
        assert_eq!(self.next().await, None);
        assert!(self.complete, "the last delimiter is missing: {:?}", self.body);
    }
}
