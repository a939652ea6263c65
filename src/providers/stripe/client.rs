//! The connection to Stripe's API, and asking it what is there: single objects, and lists page by page.
//!
//! Stripe may be slow, busy or away. A call that may be repeated is repeated a few times, with growing pauses; where
//! that does not help, Stripe is left alone for a while, so that those who ask do not all wait for what will not come.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT};
use hyper::{Method, Request, StatusCode};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client as Http;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use url::Url;

use super::refused::{RefusalCode, Refused};
use crate::config::{Secret, StripeConfig};

/// The version of Stripe's API that we ask in, so that the account's own does not decide the shape of an answer. This
/// one has billing periods on the items and several payments for an invoice; what is newer only renames.
pub const VERSION: &str = "2025-08-27.basil";

/// How often a call is tried.
const ATTEMPTS: u32 = 3;
/// The longest answer, in bytes: a hundred invoices with their lines stay far below.
const MOST_BYTES: usize = 16 * 1024 * 1024;
/// The pause before the second attempt is this part of the time that a call may take, and doubles each time.
const FIRST_PAUSE: u32 = 50;
/// The longest pause that Stripe may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// For how many times the length of a call Stripe is left alone when it is away.
const REST: u32 = 3;
/// The most objects that a page can have.
const PAGE: &str = "100";

/// The kinds of objects that can be asked for by id, with where they are.
const COLLECTIONS: [(&str, &str); 14] = [
    ("charge", "charges"),
    ("checkout.session", "checkout/sessions"),
    ("coupon", "coupons"),
    ("customer", "customers"),
    ("dispute", "disputes"),
    ("invoice", "invoices"),
    ("invoice_payment", "invoice_payments"),
    ("payment_intent", "payment_intents"),
    ("price", "prices"),
    ("product", "products"),
    ("promotion_code", "promotion_codes"),
    ("refund", "refunds"),
    ("subscription", "subscriptions"),
    ("subscription_schedule", "subscription_schedules"),
];

fn collection(kind: &str) -> Option<&'static str> {
    COLLECTIONS.iter().find(|(known, _)| *known == kind).map(|(_, collection)| *collection)
}

/// Whether objects of this kind, in Stripe's words, can be asked for by id.
pub fn is_fetchable(kind: &str) -> bool {
    collection(kind).is_some()
}

/// One caller of Stripe's API, shared by all.
pub struct Client {
    http: Http<HttpsConnector<HttpConnector>, Full<Bytes>>,
    base: Url,
    key: Secret,
    timeout: Duration,
    /// Until when nothing is asked.
    away_until: Mutex<Option<Instant>>,
}

/// An object as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The object.
    pub object: Value,
    /// When Stripe said so, by its own clock; `None` where it did not say.
    pub at: Option<DateTime<Utc>>,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The objects, newest first.
    pub objects: Vec<Value>,
    /// Whether there are more after the last.
    pub has_more: bool,
    /// When Stripe said so, by its own clock; `None` where it did not say.
    pub at: Option<DateTime<Utc>>,
}

/// Why there is no answer. Holds neither the key nor what Stripe wrote, which may name people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// There is no such object.
    #[error("Stripe has no such object")]
    NotFound,
    /// Stripe says no, and would say so again.
    #[error("Stripe refuses with {0}")]
    Refused(Refused),
    /// Stripe does not answer, or is too busy.
    #[error("Stripe is not available: {0}")]
    Unavailable(String),
}

/// What one call sends.
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) url: Url,
    /// The parameters of a change, as a form.
    pub(super) form: Option<Bytes>,
    /// What makes two changes the same.
    pub(super) idempotency_key: Option<HeaderValue>,
}

/// What came back.
pub(super) struct Reply {
    pub(super) value: Value,
    pub(super) at: Option<DateTime<Utc>>,
    /// Whether it is what was answered to the same call before.
    pub(super) replayed: bool,
}

/// One attempt that failed.
struct Failure {
    error: CallError,
    /// Whether another attempt may succeed, and how long Stripe asks to wait for it.
    again: Option<Option<Duration>>,
    /// Whether it is about this call alone, as when the same change is being made by another.
    alone: bool,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

impl Client {
    /// A client with the configured key; `None` where there is none. Connects when it is first asked.
    pub fn new(config: &StripeConfig) -> Option<Client> {
        let key = config.api_key.clone()?;
        let connector =
            hyper_rustls::HttpsConnectorBuilder::new().with_webpki_roots().https_or_http().enable_http1().build();
        let http = Http::builder(TokioExecutor::new()).build(connector);
        let (base, timeout) = (config.api_base.clone(), config.api_timeout);
        Some(Client { http, base, key, timeout, away_until: Mutex::new(None) })
    }

    /// One object, by its kind in Stripe's words and its id.
    pub async fn get(&self, kind: &str, id: &str) -> Result<Answer, CallError> {
        let collection = collection(kind).ok_or(CallError::NotFound)?;
        self.get_with(collection, id, &[]).await
    }

    /// The same for an object of a collection, with what these paths name spelled out in it.
    pub async fn get_with(&self, collection: &str, id: &str, expand: &[&str]) -> Result<Answer, CallError> {
        let query: Vec<(&str, &str)> = expand.iter().map(|path| ("expand[]", *path)).collect();
        let reply = self.read(self.url(&format!("v1/{collection}"), Some(id), &query)).await?;
        Ok(Answer { object: reply.value, at: reply.at })
    }

    /// The list that hangs on an object, such as the payment methods of a customer; its newest entries alone.
    pub async fn read_below(&self, collection: &str, id: &str, list: &str) -> Result<Value, CallError> {
        let mut url = self.url(&format!("v1/{collection}"), Some(id), &[]);
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.push(list);
        }
        Ok(self.read(url).await?.value)
    }

    /// A page of the list of a kind of objects, or of `events`: those that come after the one called `after`, newest
    /// first, that `filters` let pass.
    pub async fn list(&self, kind: &str, filters: &[(&str, &str)], after: Option<&str>) -> Result<Page, CallError> {
        let path = if kind == "event" { Some("events") } else { collection(kind) };
        let path = path.ok_or(CallError::NotFound)?;
        let mut query = vec![("limit", PAGE)];
        query.extend(filters);
        query.extend(after.map(|after| ("starting_after", after)));
        let mut reply = self.read(self.url(&format!("v1/{path}"), None, &query)).await?;
        let has_more = reply.value["has_more"].as_bool().unwrap_or(false);
        match reply.value["data"].take() {
            Value::Array(objects) => Ok(Page { has_more: has_more && !objects.is_empty(), objects, at: reply.at }),
            _ => Err(CallError::Unavailable("the answer is no list".to_owned())),
        }
    }

    async fn read(&self, url: Url) -> Result<Reply, CallError> {
        self.call(&Call { method: Method::GET, url, form: None, idempotency_key: None }).await
    }

    pub(super) fn url(&self, path: &str, id: Option<&str>, query: &[(&str, &str)]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.clear().extend(path.split('/').chain(id));
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    pub(super) async fn call(&self, call: &Call) -> Result<Reply, CallError> {
        if self.away().is_some_and(|until| Instant::now() < until) {
            return Err(CallError::Unavailable("it did not answer a moment ago".to_owned()));
        }
        let mut pause = self.timeout / FIRST_PAUSE;
        let mut attempt = 1;
        loop {
            let outcome = match tokio::time::timeout(self.timeout, self.attempt(call)).await {
                Ok(outcome) => outcome,
                Err(_) => Err(Failure::passing(format!("no answer within {:?}", self.timeout))),
            };
            let failure = match outcome {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let Some(asked) = failure.again else { return Err(failure.error) };
            if attempt == ATTEMPTS {
                if failure.alone {
                    return Err(failure.error);
                }
                *self.away_until.lock().unwrap_or_else(PoisonError::into_inner) =
                    Some(Instant::now() + self.timeout * REST);
                return Err(failure.error);
            }
            // Between half of the pause and all of it, so that those who failed together do not return together.
            let jittered = pause / 2 + pause / 16 * rand::random_range(0..=8);
            Self::pause(asked.map_or(jittered, |asked| asked.min(LONGEST_PAUSE).min(self.timeout))).await;
            pause *= 2;
            attempt += 1;
        }
    }

    #[expect(clippy::disallowed_methods, reason = "another machine is waited for, whose clock no test moves")]
    async fn pause(length: Duration) {
        tokio::time::sleep(length).await;
    }

    fn away(&self) -> Option<Instant> {
        *self.away_until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn attempt(&self, call: &Call) -> Result<Reply, Failure> {
        let mut key = HeaderValue::try_from(format!("Bearer {}", self.key.expose()))
            .map_err(|_| Failure::lasting("the key is no header"))?;
        key.set_sensitive(true);
        let mut request = Request::builder()
            .method(&call.method)
            .uri(call.url.as_str())
            .header(ACCEPT, "application/json")
            .header(USER_AGENT, concat!("tollgate/", env!("CARGO_PKG_VERSION")))
            .header(AUTHORIZATION, key)
            .header("stripe-version", VERSION);
        if call.form.is_some() {
            request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        if let Some(key) = &call.idempotency_key {
            request = request.header("idempotency-key", key);
        }
        let request = request
            .body(Full::new(call.form.clone().unwrap_or_default()))
            .map_err(|_| Failure::lasting("the request is malformed"))?;
        let response = self.http.request(request).await.map_err(|_| Failure::passing("no connection".to_owned()))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = Limited::new(response.into_body(), MOST_BYTES).collect().await;
        let body = body.map_err(|_| Failure::passing("the answer broke off or is too long".to_owned()))?.to_bytes();
        if status != StatusCode::OK {
            return Err(Failure::of(status, &headers, &body));
        }
        let value = serde_json::from_slice(&body).map_err(|_| Failure::passing("the answer is not JSON".to_owned()))?;
        let replayed = headers.get("idempotent-replayed").is_some_and(|replayed| replayed == "true");
        Ok(Reply { value, at: date(&headers), replayed })
    }
}

impl Failure {
    fn passing(why: String) -> Failure {
        Failure { error: CallError::Unavailable(why), again: Some(None), alone: false }
    }

    fn lasting(what: &str) -> Failure {
        let refused = Refused { code: RefusalCode::Other(what.to_owned()), ..Refused::default() };
        Failure { error: CallError::Refused(refused), again: None, alone: true }
    }

    /// What Stripe says of itself counts; where it says nothing, the status does.
    fn of(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Failure {
        let passing =
            matches!(status, StatusCode::CONFLICT | StatusCode::TOO_MANY_REQUESTS) || status.is_server_error();
        let again = match headers.get("stripe-should-retry").map(HeaderValue::as_bytes) {
            Some(b"true") => true,
            Some(b"false") => false,
            _ => passing,
        };
        let asked = headers.get(RETRY_AFTER).and_then(|wait| wait.to_str().ok()?.parse().ok().map(Duration::from_secs));
        let error = match status {
            StatusCode::NOT_FOUND => CallError::NotFound,
            _ if passing => CallError::Unavailable(format!("it answers {status}")),
            _ => CallError::Refused(Refused::read(status.as_u16(), body)),
        };
        Failure { error, again: again.then_some(asked), alone: status == StatusCode::CONFLICT }
    }
}

fn date(headers: &HeaderMap) -> Option<DateTime<Utc>> {
    let date = headers.get(DATE)?.to_str().ok()?;
    Some(DateTime::parse_from_rfc2822(date).ok()?.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn client(base: &str) -> Client {
        let settings = [("TOLLGATE_STRIPE_API_KEY", "sk_test_1"), ("TOLLGATE_STRIPE_API_BASE", base)];
        let env = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Client::new(&Config::load(None, env).unwrap().providers.stripe).unwrap()
    }

    fn failure(status: u16, headers: &[(&'static str, &'static str)]) -> Failure {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)));
        Failure::of(StatusCode::from_u16(status).unwrap(), &headers.collect(), b"{\"error\":{\"code\":\"a_b\"}}")
    }

    #[test]
    fn an_id_is_no_path() {
        let client = client("https://api.stripe.com");
        let url = client.url("v1/checkout/sessions", Some("../a b?c"), &[("created[gte]", "7")]);
        assert_eq!(url.as_str(), "https://api.stripe.com/v1/checkout/sessions/..%2Fa%20b%3Fc?created%5Bgte%5D=7");
    }

    #[test]
    fn stripe_says_whether_to_try_again() {
        for (status, headers, again) in [
            (500, &[][..], true),
            (503, &[("stripe-should-retry", "true")], true),
            (500, &[("stripe-should-retry", "false")], false),
            (409, &[], true),
            (429, &[], true),
            (400, &[], false),
            (400, &[("stripe-should-retry", "true")], true),
            (401, &[], false),
            (404, &[], false),
            (302, &[], false),
        ] {
            assert_eq!(failure(status, headers).again.is_some(), again, "{status} {headers:?}");
        }
        assert_eq!(failure(429, &[("retry-after", "2")]).again, Some(Some(Duration::from_secs(2))));
        assert_eq!(failure(404, &[]).error, CallError::NotFound);
        let refused = Refused { status: 403, code: RefusalCode::Other("a_b".to_owned()), ..Refused::default() };
        assert_eq!(failure(403, &[]).error, CallError::Refused(refused));
    }

    #[test]
    fn nothing_shows_the_key() {
        assert!(!format!("{:?}", client("https://api.stripe.com")).contains("sk_test_1"));
    }
}
