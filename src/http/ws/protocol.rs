//! The messages of graphql-transport-ws, and the codes with which a socket is closed.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{
    graphql::engine::execute::{Outcome, Reply},
    http::decode::{self, Decoded},
};

/// The name of the protocol.
pub(super) const NAME: &str = "graphql-transport-ws";

/// Bytes of the longest reason that a close frame can hold.
const LONGEST_REASON: usize = 123;

/// Why a socket is closed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Close {
    pub(super) code: u16,
    pub(super) reason: Cow<'static, str>,
}

const fn close(code: u16, reason: &'static str) -> Close {
    Close { code, reason: Cow::Borrowed(reason) }
}

pub(super) const GOING_AWAY: Close = close(1001, "Going away");
pub(super) const TOO_BIG: Close = close(1009, "Message too big");
pub(super) const TRY_AGAIN: Close = close(1013, "Try again later");
pub(super) const UNAUTHORIZED: Close = close(4401, "Unauthorized");
pub(super) const FORBIDDEN: Close = close(4403, "Forbidden");
pub(super) const WRONG_PROTOCOL: Close = close(4406, "Subprotocol not acceptable");
pub(super) const TOO_LATE: Close = close(4408, "Connection initialisation timeout");
pub(super) const FAILED: Close = close(4500, "Internal server error");
pub(super) const TWICE: Close = close(4429, "Too many initialisation requests");

/// Another operation with this id has not ended.
pub(super) fn taken(id: &str) -> Close {
    let room = LONGEST_REASON - "Subscriber for  already exists".len();
    let id = &id[..id.floor_char_boundary(room)];
    Close { code: 4409, reason: format!("Subscriber for {id} already exists").into() }
}

/// What a client says.
#[derive(Debug)]
pub(super) enum Said {
    /// Who it is.
    Init(Map<String, Value>),
    /// Whether we are there.
    Ping(Option<Value>),
    /// That it is there.
    Pong,
    /// What it asks.
    Subscribe(String, Decoded),
    /// That it wants to hear no more of that.
    Complete(String),
}

/// Reads a message, or says why it is none.
pub(super) fn read(text: &str) -> Result<Said, Close> {
    let Ok(Value::Object(mut message)) = serde_json::from_str(text) else {
        return Err(invalid("Invalid message: no JSON object"));
    };
    let Some(Value::String(kind)) = message.remove("type") else { return Err(invalid("Invalid message: no type")) };
    let payload = message.remove("payload");
    match (kind.as_str(), payload) {
        ("connection_init", None | Some(Value::Null)) => Ok(Said::Init(Map::new())),
        ("connection_init", Some(Value::Object(payload))) => Ok(Said::Init(payload)),
        ("ping", payload) if may_be_beside(payload.as_ref()) => Ok(Said::Ping(payload)),
        ("pong", payload) if may_be_beside(payload.as_ref()) => Ok(Said::Pong),
        ("subscribe", Some(payload)) => {
            let id = id(message.remove("id"))?;
            match decode::operation(payload) {
                Err(reply) if reply.outcome == Outcome::Malformed => Err(invalid("Invalid message: no operation")),
                decoded => Ok(Said::Subscribe(id, decoded)),
            }
        }
        ("complete", _) => Ok(Said::Complete(id(message.remove("id"))?)),
        ("connection_init" | "ping" | "pong" | "subscribe", _) => Err(invalid("Invalid message: no such payload")),
        _ => Err(invalid("Invalid message: unknown type")),
    }
}

/// What is no message of the protocol.
pub(super) fn invalid(reason: &'static str) -> Close {
    close(4400, reason)
}

fn may_be_beside(payload: Option<&Value>) -> bool {
    payload.is_none_or(|payload| payload.is_object() || payload.is_null())
}

fn id(id: Option<Value>) -> Result<String, Close> {
    match id {
        Some(Value::String(id)) if !id.is_empty() => Ok(id),
        _ => Err(invalid("Invalid message: no id")),
    }
}

/// The client is known.
pub(super) fn ack() -> String {
    json!({ "type": "connection_ack" }).to_string()
}

/// We are here.
pub(super) fn pong(payload: Option<Value>) -> String {
    match payload {
        Some(payload) => json!({ "type": "pong", "payload": payload }).to_string(),
        None => json!({ "type": "pong" }).to_string(),
    }
}

/// The operation is over.
pub(super) fn complete(id: &str) -> String {
    json!({ "type": "complete", "id": id }).to_string()
}

/// A reply: one that ran, or the errors for which nothing did, which ends the operation.
pub(super) fn reply(id: &str, reply: &Reply, ran: bool) -> Result<String, serde_json::Error> {
    match ran {
        true => serde_json::to_string(&About { r#type: "next", id, payload: reply }),
        false => serde_json::to_string(&About { r#type: "error", id, payload: reply.errors() }),
    }
}

#[derive(Serialize)]
struct About<'a, T: ?Sized> {
    r#type: &'static str,
    id: &'a str,
    payload: &'a T,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_message_is_refused() {
        for text in [
            "",
            "[]",
            "{}",
            r#"{"type":1}"#,
            r#"{"type":"start","id":"1","payload":{"query":"{a}"}}"#,
            r#"{"type":"connection_init","payload":[]}"#,
            r#"{"type":"ping","payload":1}"#,
            r#"{"type":"subscribe","id":"1"}"#,
            r#"{"type":"subscribe","payload":{"query":"{a}"}}"#,
            r#"{"type":"subscribe","id":"","payload":{"query":"{a}"}}"#,
            r#"{"type":"subscribe","id":1,"payload":{"query":"{a}"}}"#,
            r#"{"type":"subscribe","id":"1","payload":{"query":1}}"#,
            r#"{"type":"subscribe","id":"1","payload":{"query":"{a}","variables":1}}"#,
            r#"{"type":"complete"}"#,
        ] {
            assert_eq!(read(text).unwrap_err().code, 4400, "{text}");
        }
        for text in [
            r#"{"type":"connection_init"}"#,
            r#"{"type":"connection_init","payload":null}"#,
            r#"{"type":"ping"}"#,
            r#"{"type":"pong","payload":{}}"#,
            r#"{"type":"subscribe","id":"1","payload":{"query":"{a}","extensions":null}}"#,
            r#"{"type":"complete","id":"1"}"#,
        ] {
            read(text).unwrap();
        }
    }

    #[test]
    fn a_reason_fits_its_frame() {
        for id in ["1", &"é".repeat(200)] {
            let Close { code, reason } = taken(id);
            assert!(code == 4409 && reason.len() <= LONGEST_REASON && reason.ends_with("already exists"), "{reason}");
        }
    }
}
