//! A stand-in for Stripe's API: shows objects and events, changes nothing, and fails on request.

use super::SECRET;
use super::webhooks::{PADDLE_SECRET, STRIPE_SECRET};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

/// Its present time, later than all events of the corpus.
pub(crate) const DATE: &str = "Sun, 01 Feb 2026 00:00:00 GMT";

/// The key that it takes.
pub(crate) const KEY: &str = "rk_test_public_5kd8";

/// A stand-in that serves until it is dropped.
pub(crate) struct Stripe {
    pub(crate) url: String,
    shelf: Arc<Mutex<Shelf>>,
    serving: tokio::task::JoinHandle<()>,
}

struct Shelf {
    /// By id, and by the version that they are in.
    objects: BTreeMap<String, BTreeMap<String, Value>>,
    /// Newest first.
    events: Vec<Value>,
    /// The percentage of requests that fail.
    failing: u32,
    dice: ChaCha8Rng,
    failures: u32,
    /// The paths that were requested.
    asked: Vec<String>,
}

impl Drop for Stripe {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Stripe {
    /// A stand-in over objects by version and id, and events.
    pub(crate) async fn start(objects: &[Value], mut events: Vec<Value>) -> Stripe {
        let mut shelf: BTreeMap<String, BTreeMap<String, Value>> = BTreeMap::new();
        let versions = objects.iter().flat_map(|objects| objects.as_object().unwrap());
        for (version, objects) in versions {
            for (id, object) in objects.as_object().unwrap() {
                shelf.entry(id.clone()).or_default().insert(version.clone(), object.clone());
            }
        }
        events.reverse();
        events.sort_by_key(|event| std::cmp::Reverse(event["created"].as_i64()));
        let dice = ChaCha8Rng::seed_from_u64(1);
        let shelf = Shelf { objects: shelf, events, failing: 0, dice, failures: 0, asked: Vec::new() };
        let shelf = Arc::new(Mutex::new(shelf));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shelf));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Stripe { url, shelf, serving }
    }

    /// Returns the settings of a Tollgate that calls it.
    pub(crate) fn settings(&self) -> [(&str, &str); 6] {
        [
            ("TOLLGATE_JWT_HS256_SECRET", SECRET),
            ("TOLLGATE_STRIPE_WEBHOOK_SECRETS", STRIPE_SECRET),
            ("TOLLGATE_PADDLE_WEBHOOK_SECRETS", PADDLE_SECRET),
            ("TOLLGATE_STRIPE_API_KEY", KEY),
            ("TOLLGATE_STRIPE_API_BASE", &self.url),
            ("TOLLGATE_STRIPE_API_TIMEOUT_MS", "1000"),
        ]
    }

    /// From now on this many of a hundred requests fail, each in another way.
    pub(crate) fn fail(&self, percent: u32) {
        self.shelf.lock().unwrap().failing = percent;
    }

    /// From now on an object is this, in every version.
    pub(crate) fn put(&self, object: Value) {
        let id = object["id"].as_str().unwrap().to_owned();
        self.shelf.lock().unwrap().objects.insert(id, BTreeMap::from([("2024-06-20".to_owned(), object)]));
    }

    /// An object as it is, in the oldest version.
    pub(crate) fn object(&self, id: &str) -> Value {
        self.shelf.lock().unwrap().objects[id].values().next().unwrap().clone()
    }

    /// From now on there is no such object.
    pub(crate) fn remove(&self, id: &str) {
        self.shelf.lock().unwrap().objects.remove(id);
    }

    /// Takes the paths that were requested.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.shelf.lock().unwrap().asked)
    }
}

async fn answer(State(shelf): State<Arc<Mutex<Shelf>>>, request: Request) -> Response {
    let mut shelf = shelf.lock().unwrap();
    shelf.asked.push(request.uri().to_string());
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if header("authorization") != format!("Bearer {KEY}") {
        return refusal(StatusCode::UNAUTHORIZED, "invalid_api_key");
    }
    if shelf.dice.random_range(0..100) < shelf.failing {
        shelf.failures += 1;
        return failure(shelf.failures);
    }
    let query: Map<String, Value> = url::form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes())
        .map(|(name, value)| (name.into_owned(), json!(value)))
        .collect();
    let path = request.uri().path().trim_start_matches("/v1/").to_owned();
    let version = header("stripe-version").to_owned();
    drop(request);
    if path == "events" {
        return shelf.page(shelf.events.clone(), &query);
    }
    let (kind, id) = match path.strip_prefix("checkout/sessions") {
        Some(rest) => ("checkout.session".to_owned(), rest.trim_start_matches('/').to_owned()),
        None => {
            let (collection, id) = path.split_once('/').unwrap_or((&path, ""));
            (collection.trim_end_matches('s').to_owned(), id.to_owned())
        }
    };
    if id.is_empty() {
        let list = shelf.objects.values().map(|versions| newest(versions, &version));
        let mut list: Vec<Value> = list.filter(|object| object["object"] == json!(kind)).cloned().collect();
        list.sort_by_key(|object| std::cmp::Reverse(object["created"].as_i64()));
        list.retain(|object| object["deleted"] != json!(true));
        for name in ["customer", "subscription", "status"] {
            if let Some(value) = query.get(name).filter(|value| *value != "all") {
                list.retain(|object| object[name] == *value);
            }
        }
        return shelf.page(list, &query);
    }
    match shelf.objects.get(&id).map(|versions| newest(versions, &version)) {
        Some(object) if object["object"] == json!(kind) => shown(object),
        _ => refusal(StatusCode::NOT_FOUND, "resource_missing"),
    }
}

impl Shelf {
    fn page(&self, mut list: Vec<Value>, query: &Map<String, Value>) -> Response {
        let number = |name: &str| query.get(name).and_then(|value| value.as_str()?.parse::<i64>().ok());
        if let Some(since) = number("created[gte]") {
            list.retain(|object| object["created"].as_i64() >= Some(since));
        }
        if let Some(after) = query.get("starting_after") {
            let Some(at) = list.iter().position(|object| object["id"] == *after) else {
                return refusal(StatusCode::BAD_REQUEST, "resource_missing");
            };
            list.drain(..=at);
        }
        let limit = usize::try_from(number("limit").unwrap_or(10)).unwrap();
        let has_more = list.len() > limit;
        list.truncate(limit);
        shown(&json!({"object": "list", "data": list, "has_more": has_more}))
    }
}

/// Returns the newest version that is not newer than the requested one, else the oldest.
fn newest<'a>(versions: &'a BTreeMap<String, Value>, asked: &str) -> &'a Value {
    let known = versions.range(..=asked.to_owned()).next_back();
    known.or_else(|| versions.first_key_value()).unwrap().1
}

fn shown(value: &Value) -> Response {
    ([(header::DATE, DATE), (header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}

fn refusal(status: StatusCode, code: &str) -> Response {
    (status, json!({"error": {"code": code, "message": "a message that names jo@example.com"}}).to_string())
        .into_response()
}

fn failure(number: u32) -> Response {
    let should_retry = |status: StatusCode, word: &'static str| ([("stripe-should-retry", word)], status);
    match number % 6 {
        0 => refusal(StatusCode::TOO_MANY_REQUESTS, "rate_limit"),
        1 => refusal(StatusCode::INTERNAL_SERVER_ERROR, "api_error"),
        2 => should_retry(StatusCode::SERVICE_UNAVAILABLE, "true").into_response(),
        3 => should_retry(StatusCode::INTERNAL_SERVER_ERROR, "false").into_response(),
        4 => refusal(StatusCode::CONFLICT, "lock_timeout"),
        _ => Body::from_stream(stream::iter([Ok("{\"id\""), Err(std::io::Error::other("broken off"))])).into_response(),
    }
}
