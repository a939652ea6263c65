//! The messages and close codes of graphql-transport-ws.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use crate::{
    graphql::engine::execute::{Outcome, Reply},
    http::decode::{self, Decoded},
};

/// The name of the protocol.
pub(super) const NAME: &str = "graphql-transport-ws";

/// Maximum length of the reason in a close frame.
const MAX_REASON_BYTES: usize = 123;

/// The code and reason of a close frame.
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

/// Creates the close frame for an id that a running operation has.
pub(super) fn duplicate_id(id: &str) -> Close {
    let room = MAX_REASON_BYTES - "Subscriber for  already exists".len();
    let id = &id[..id.floor_char_boundary(room)];
    Close { code: 4409, reason: format!("Subscriber for {id} already exists").into() }
}

/// A message of the client.
#[derive(Debug)]
pub(super) enum ClientMessage {
    /// The first message, with the credential.
    Init(Map<String, Value>),
    /// A ping.
    Ping(Option<Value>),
    /// A pong.
    Pong,
    /// Starts an operation under an id.
    Subscribe(String, Decoded),
    /// Ends the operation with this id.
    Complete(String),
}

/// Parses a message; fails with the close frame for an invalid one.
pub(super) fn read(text: &str) -> Result<ClientMessage, Close> {
    let Ok(Value::Object(mut message)) = serde_json::from_str(text) else {
        return Err(invalid("Invalid message: no JSON object"));
    };
    let Some(Value::String(kind)) = message.remove("type") else { return Err(invalid("Invalid message: no type")) };
    let payload = message.remove("payload");
    match (kind.as_str(), payload) {
        ("connection_init", None | Some(Value::Null)) => Ok(ClientMessage::Init(Map::new())),
        ("connection_init", Some(Value::Object(payload))) => Ok(ClientMessage::Init(payload)),
        ("ping", payload) if is_optional_object(payload.as_ref()) => Ok(ClientMessage::Ping(payload)),
        ("pong", payload) if is_optional_object(payload.as_ref()) => Ok(ClientMessage::Pong),
        ("subscribe", Some(payload)) => {
            let id = id(message.remove("id"))?;
            match decode::operation(payload) {
                Err(reply) if reply.outcome == Outcome::Malformed => Err(invalid("Invalid message: no operation")),
                decoded => Ok(ClientMessage::Subscribe(id, decoded)),
            }
        }
        ("complete", _) => Ok(ClientMessage::Complete(id(message.remove("id"))?)),
        ("connection_init" | "ping" | "pong" | "subscribe", _) => Err(invalid("Invalid message: no such payload")),
        _ => Err(invalid("Invalid message: unknown type")),
    }
}

/// Creates the close frame for an invalid message.
pub(super) fn invalid(reason: &'static str) -> Close {
    close(4400, reason)
}

fn is_optional_object(payload: Option<&Value>) -> bool {
    payload.is_none_or(|payload| payload.is_object() || payload.is_null())
}

fn id(id: Option<Value>) -> Result<String, Close> {
    match id {
        Some(Value::String(id)) if !id.is_empty() => Ok(id),
        _ => Err(invalid("Invalid message: no id")),
    }
}

/// Creates the acknowledgement of `connection_init`.
pub(super) fn ack() -> String {
    json!({ "type": "connection_ack" }).to_string()
}

/// Creates the answer to a ping.
pub(super) fn pong(payload: Option<Value>) -> String {
    match payload {
        Some(payload) => json!({ "type": "pong", "payload": payload }).to_string(),
        None => json!({ "type": "pong" }).to_string(),
    }
}

/// Creates the message that ends an operation.
pub(super) fn complete(id: &str) -> String {
    json!({ "type": "complete", "id": id }).to_string()
}

/// Creates the message for a reply. The errors of an operation that was not executed end it.
pub(super) fn reply(id: &str, reply: &Reply, executed: bool, max_bytes: u64) -> Result<String, serde_json::Error> {
    let id = serde_json::to_string(id)?;
    let (kind, payload) = match executed {
        true => ("next", String::from_utf8(reply.encode(max_bytes).0).unwrap_or_default()),
        false => ("error", serde_json::to_string(reply.errors())?),
    };
    Ok(format!(r#"{{"type":"{kind}","id":{id},"payload":{payload}}}"#))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_messages_are_refused() {
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
    fn a_reason_fits_into_the_frame() {
        for id in ["1", &"é".repeat(200)] {
            let Close { code, reason } = duplicate_id(id);
            assert!(code == 4409 && reason.len() <= MAX_REASON_BYTES && reason.ends_with("already exists"), "{reason}");
        }
    }
}
