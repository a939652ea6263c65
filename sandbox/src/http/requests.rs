//! The requests that the stand-in has received, and the replies stored under their idempotency keys.

use std::collections::{BTreeSet, HashMap, VecDeque};

use serde_json::Value;

use crate::http::faults::{Dice, Fault};

/// The lifetime of stored replies, in seconds.
const REPLY_TTL_SECONDS: i64 = 86_400;

/// A received request.
#[derive(Debug, Clone, PartialEq)]
pub struct SeenRequest {
    /// The HTTP method.
    pub method: String,
    /// The path, such as `/v1/customers`.
    pub path: String,
    /// The parameters as a tree of strings. Objects whose names are positions are lists.
    pub params: Value,
    /// The idempotency key.
    pub idempotency_key: Option<String>,
    /// The requested API version.
    pub version: Option<String>,
}

impl SeenRequest {
    /// Returns the idempotency key. Stripe ignores keys of methods other than `POST`.
    pub(crate) fn effective_key(&self) -> Option<&str> {
        self.idempotency_key.as_deref().filter(|_| self.method == "POST")
    }
}

/// The reply to a request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Value,
    pub(crate) request_id: String,
    /// True if this is a stored reply.
    pub(crate) replayed: bool,
}

/// A reply stored under an idempotency key.
pub(crate) struct StoredReply {
    request: SeenRequest,
    reply: Reply,
    at: i64,
}

impl StoredReply {
    /// Returns the reply, or `None` if it was for another request.
    pub(crate) fn for_request(&self, request: &SeenRequest) -> Option<Reply> {
        let of = |request: &SeenRequest| (request.method.clone(), request.path.clone(), request.params.clone());
        (of(&self.request) == of(request)).then(|| Reply { replayed: true, ..self.reply.clone() })
    }
}

/// The received requests and the faults to come.
#[derive(Default)]
pub(crate) struct RequestLog {
    /// The configured base URL of the pages.
    pub(crate) base_url: Option<String>,
    /// The requests other than `GET`, oldest first.
    pub(crate) seen: Vec<SeenRequest>,
    pub(crate) faults: VecDeque<Fault>,
    pub(crate) dice: Dice,
    /// The idempotency keys of requests in progress.
    pub(crate) in_use: BTreeSet<String>,
    stored: HashMap<String, StoredReply>,
    ids: u64,
}

impl RequestLog {
    /// Returns the fault of the next request other than `GET`.
    pub(crate) fn next_fault(&mut self) -> Option<Fault> {
        self.faults.pop_front().or_else(|| self.dice.roll())
    }

    /// Returns a new request id.
    pub(crate) fn next_id(&mut self) -> String {
        self.ids += 1;
        format!("req_{:014}", self.ids)
    }

    /// Returns the reply stored under a key.
    pub(crate) fn stored(&self, key: &str, now: i64) -> Option<&StoredReply> {
        self.stored.get(key).filter(|stored| now < stored.at + REPLY_TTL_SECONDS)
    }

    /// Stores a reply under the key of its request, if it has one.
    pub(crate) fn store(&mut self, request: &SeenRequest, reply: &Reply, now: i64) {
        if let Some(key) = request.effective_key() {
            let stored = StoredReply { request: request.clone(), reply: reply.clone(), at: now };
            self.stored.insert(key.to_owned(), stored);
        }
    }
}
