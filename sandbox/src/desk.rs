//! How requests are taken: each once for its key, and answered as before when it comes again.

use std::collections::{BTreeSet, HashMap, VecDeque};

use serde_json::{Value, json};

use super::faults::{Dice, Fault};
use super::form::Params;
use super::refusal::{Refusal, of_type};
use super::{Held, routes, whole};

/// For how long answers are kept under their keys, in seconds.
const KEPT: i64 = 86_400;

/// A request that may have changed something.
#[derive(Debug, Clone, PartialEq)]
pub struct SeenRequest {
    /// `POST` or `DELETE`.
    pub method: String,
    /// The path, such as `/v1/customers`.
    pub path: String,
    /// The parameters as a tree of texts; what has positions for names is a list.
    pub params: Value,
    /// The idempotency key.
    pub idempotency_key: Option<String>,
    /// The version of the API that it asks for.
    pub version: Option<String>,
}

/// What is known of the requests themselves.
#[derive(Default)]
pub(super) struct Desk {
    /// Where the pages are, where that was said.
    pub(super) base: Option<String>,
    pub(super) seen: Vec<SeenRequest>,
    pub(super) faults: VecDeque<Fault>,
    pub(super) dice: Dice,
    /// The keys of the requests that are not answered yet.
    pub(super) in_use: BTreeSet<String>,
    saved: HashMap<String, Saved>,
    requests: u64,
}

struct Saved {
    method: String,
    path: String,
    params: Value,
    reply: Reply,
    at: i64,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Value,
    pub(super) request_id: String,
    /// Whether it was answered before.
    pub(super) replayed: bool,
}

impl Desk {
    /// The fault of the next request that would change something.
    pub(super) fn next_fault(&mut self) -> Option<Fault> {
        self.faults.pop_front().or_else(|| self.dice.roll())
    }

    fn next_id(&mut self) -> String {
        self.requests += 1;
        format!("req_{:014}", self.requests)
    }
}

/// Stripe heeds keys of `POST` alone.
fn key(request: &SeenRequest) -> Option<&str> {
    request.idempotency_key.as_deref().filter(|_| request.method == "POST")
}

/// Answers a request: does it, or answers as it did before.
pub(super) fn answer(held: &mut Held, request: &SeenRequest) -> Reply {
    let id = held.desk.next_id();
    let refused = |refusal: Box<Refusal>| reply_of(&refusal, &id);
    let Some(key) = key(request).map(str::to_owned) else { return act(held, request, &id).0 };
    if held.desk.in_use.contains(&key) {
        let message = "There is currently another in-progress request using this Idempotent Key (that probably means \
            you submitted twice, and the other request is still going through). Please try again later.";
        return refused(of_type(409, "idempotency_error", "idempotency_key_in_use", message));
    }
    let now = held.state.now;
    if let Some(saved) = held.desk.saved.get(&key).filter(|saved| now < saved.at + KEPT) {
        if (&saved.method, &saved.path, &saved.params) == (&request.method, &request.path, &request.params) {
            return Reply { replayed: true, ..saved.reply.clone() };
        }
        let message = format!(
            "Keys for idempotent requests can only be used with the same parameters they were first used with. Try \
             using a key other than '{key}' if you meant to execute a different request."
        );
        return refused(of_type(400, "idempotency_error", "", &message));
    }
    let (reply, saved) = act(held, request, &id);
    if saved {
        save(held, request, &reply);
    }
    reply
}

/// Keeps an answer for the request's key.
pub(super) fn save(held: &mut Held, request: &SeenRequest, reply: &Reply) {
    let Some(key) = key(request) else { return };
    let saved = Saved {
        method: request.method.clone(),
        path: request.path.clone(),
        params: request.params.clone(),
        reply: reply.clone(),
        at: held.state.now,
    };
    held.desk.saved.insert(key.to_owned(), saved);
}

/// An answer that is no refusal of ours: something at Stripe failed.
pub(super) fn failure(held: &mut Held, status: u16) -> Reply {
    let (kind, code) = match status {
        409 => ("invalid_request_error", "lock_timeout"),
        429 => ("invalid_request_error", "rate_limit"),
        _ => ("api_error", ""),
    };
    let id = held.desk.next_id();
    reply_of(&of_type(status, kind, code, "Something went wrong on Stripe's end."), &id)
}

/// The refusal of a key that is not the account's.
pub(super) fn unauthorized(held: &mut Held) -> Reply {
    let id = held.desk.next_id();
    reply_of(&of_type(401, "invalid_request_error", "invalid_api_key", "Invalid API Key provided."), &id)
}

fn reply_of(refusal: &Refusal, id: &str) -> Reply {
    Reply { status: refusal.status, body: json!({"error": refusal.error}), request_id: id.to_owned(), replayed: false }
}

/// Does a request; gives the answer and whether it is kept.
fn act(held: &mut Held, request: &SeenRequest, id: &str) -> (Reply, bool) {
    held.state.request = json!({"id": id, "idempotency_key": key(request)});
    let path: Vec<&str> = request.path.trim_start_matches("/v1/").split('/').filter(|part| !part.is_empty()).collect();
    let params = Params(request.params.clone());
    match whole(&mut held.state, |state| routes::answer(state, &request.method, &path, params)) {
        Ok(body) => (Reply { status: 200, body, request_id: id.to_owned(), replayed: false }, true),
        Err(refusal) => (reply_of(&refusal, id), refusal.saved),
    }
}
