//! Requests to Stripe's API with retries.
//!
//! Stripe may be slow, busy or unreachable. A request that may be repeated is tried up to three times with growing
//! pauses. If that does not help for several different objects, the connection fails immediately for a while, so that
//! callers do not all wait for responses that will not come.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use url::Url;

use super::health::Health;
use super::refused::{RefusalCode, Refused};
use crate::config::{STRIPE_MAX_PAUSE, STRIPE_TRIES, Secret};
use crate::providers::http;

/// The version of Stripe's API in requests, so that the account's default does not decide the shape of responses. It has
/// billing periods on items and several payments for an invoice; newer versions only rename.
pub const VERSION: &str = "2025-08-27.basil";

/// Maximum size of a response; a hundred invoices with their lines are far smaller.
const MAX_RESPONSE_BYTES: usize = 16 * 1024 * 1024;
/// The pause before the second attempt is this fraction of the time limit for a request; it doubles with each attempt.
const FIRST_PAUSE_DIVISOR: u32 = 50;
/// The parameters that name the object that a new one is for.
const PARENTS: [&str; 5] = ["customer", "subscription", "from_subscription", "payment_intent", "charge"];
/// The time for which requests fail immediately after Stripe was unavailable, as a multiple of the time limit.
const COOL_DOWN_FACTOR: u32 = 3;

/// The reason why there is no response. Contains neither the API key nor Stripe's messages, which may name people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The object does not exist.
    #[error("Stripe has no such object")]
    NotFound,
    /// Stripe refuses the request and would refuse it again.
    #[error("Stripe refuses the request: {0}")]
    Refused(Refused),
    /// Stripe repeats an error of its own under the key: <https://docs.stripe.com/api/idempotent_requests>.
    #[error("Stripe repeats an error under the idempotency key")]
    ErrorRepeated,
    /// Stripe does not answer or is too busy; the request may have been carried out.
    #[error("Stripe is not available: {0}")]
    Unavailable(String),
}

/// A request.
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) url: Url,
    /// The parameters of a change, form-encoded.
    pub(super) form: Option<String>,
    pub(super) idempotency_key: Option<HeaderValue>,
    /// The instant before which every try must have ended; `None` for any time.
    pub(super) answer_before: Option<Instant>,
}

impl Call {
    /// Returns the object that the call is about: the one that it belongs to or changes, or for a new one its key.
    fn subject(&self) -> String {
        let form = self.form.as_deref().unwrap_or_default();
        let parent = url::form_urlencoded::parse(form.as_bytes()).find(|(name, _)| PARENTS.contains(&&**name));
        let path = self.url.path();
        match (parent, &self.idempotency_key) {
            (Some((_, id)), _) => id.into_owned(),
            (None, Some(key)) if path.matches('/').count() <= 2 => format!("{path} {key:?}"),
            (None, _) => path.to_owned(),
        }
    }
}

/// A successful response.
pub(super) struct Reply {
    pub(super) value: Value,
    /// The time of the response by Stripe's clock; `None` if it has none.
    pub(super) at: Option<DateTime<Utc>>,
    /// True if Stripe repeats the response to an earlier request with the same idempotency key.
    pub(super) replayed: bool,
}

/// A failed attempt.
struct Failure {
    error: CallError,
    retry: Retry,
    /// True if Stripe answers, as when a concurrent request has the same key, or too many requests were sent.
    is_answer: bool,
}

/// The rule on repeating an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Retry {
    Never,
    /// After the usual pause.
    Usual,
    /// After the pause that Stripe asks for.
    After(Duration),
}

/// The connection to Stripe's API.
pub(super) struct Connection {
    http: reqwest::Client,
    pub(super) base: Url,
    key: Secret,
    timeout: Duration,
    health: Health,
}

impl Connection {
    pub(super) fn new(http: reqwest::Client, base: Url, key: Secret, timeout: Duration) -> Self {
        Connection { http, base, key, timeout, health: Health::default() }
    }

    /// Builds the URL of a path, with an id as its last segment.
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

    /// Sends a request and repeats it if that may help.
    pub(super) async fn call(&self, call: &Call) -> Result<Reply, CallError> {
        if self.health.is_tripped() {
            return Err(CallError::Unavailable("it did not answer a moment ago".to_owned()));
        }
        let mut pause = self.timeout / FIRST_PAUSE_DIVISOR;
        let mut attempt = 1;
        loop {
            if call.answer_before.is_some_and(|end| Instant::now() + self.timeout > end) {
                return Err(CallError::Unavailable("the caller does not wait for another try".to_owned()));
            }
            let outcome = match tokio::time::timeout(self.timeout, self.attempt(call)).await {
                Ok(outcome) => outcome,
                Err(_) => Err(Failure::unavailable(format!("no answer within {:?}", self.timeout))),
            };
            let failure = match outcome {
                Ok(reply) => {
                    self.health.note_answer();
                    return Ok(reply);
                }
                Err(failure) => failure,
            };
            if failure.is_answer {
                self.health.note_answer();
            }
            let wait = match failure.retry {
                Retry::Never => return Err(failure.error),
                _ if attempt == STRIPE_TRIES => {
                    if !failure.is_answer {
                        self.health.note_failure(call.subject(), self.timeout * COOL_DOWN_FACTOR);
                    }
                    return Err(failure.error);
                }
                // Between half of the pause and all of it, so that callers that failed together do not return together.
                Retry::Usual => pause / 2 + pause / 16 * rand::random_range(0..=8),
                Retry::After(asked) => asked.min(STRIPE_MAX_PAUSE).min(self.timeout),
            };
            sleep(wait).await;
            pause *= 2;
            attempt += 1;
        }
    }

    async fn attempt(&self, call: &Call) -> Result<Reply, Failure> {
        let mut key = HeaderValue::try_from(format!("Bearer {}", self.key.expose()))
            .map_err(|_| Failure::final_with("the API key is not a valid header"))?;
        key.set_sensitive(true);
        let mut request = self
            .http
            .request(call.method.clone(), call.url.clone())
            .header(ACCEPT, "application/json")
            .header(AUTHORIZATION, key)
            .header("stripe-version", VERSION);
        if let Some(form) = &call.form {
            request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form.clone());
        }
        if let Some(key) = &call.idempotency_key {
            request = request.header("idempotency-key", key);
        }
        let response = request.send().await.map_err(|_| Failure::unavailable("no connection".to_owned()))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = http::read_body(response, MAX_RESPONSE_BYTES).await;
        let body = body.map_err(|error| Failure::unavailable(format!("the response cannot be read: {error}")))?;
        if status != StatusCode::OK {
            return Err(Failure::read(status, &headers, &body));
        }
        let value = serde_json::from_slice(&body);
        let value = value.map_err(|_| Failure::unavailable("the response is not JSON".to_owned()))?;
        Ok(Reply { value, at: date(&headers), replayed: is_replayed(&headers) })
    }
}

#[expect(clippy::disallowed_methods, reason = "another machine is waited for, whose clock no test moves")]
async fn sleep(length: Duration) {
    tokio::time::sleep(length).await;
}

impl Failure {
    fn unavailable(reason: String) -> Failure {
        Failure { error: CallError::Unavailable(reason), retry: Retry::Usual, is_answer: false }
    }

    fn final_with(reason: &str) -> Failure {
        let refused = Refused { code: RefusalCode::Other(reason.to_owned()), ..Refused::default() };
        Failure { error: CallError::Refused(refused), retry: Retry::Never, is_answer: false }
    }

    /// Reads an error response. Its header about retries takes precedence over its status.
    fn read(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Failure {
        let is_temporary =
            matches!(status, StatusCode::CONFLICT | StatusCode::TOO_MANY_REQUESTS) || status.is_server_error();
        let may_retry = match headers.get("stripe-should-retry").map(HeaderValue::as_bytes) {
            Some(b"true") => true,
            Some(b"false") => false,
            _ => is_temporary,
        };
        let asked = headers.get(RETRY_AFTER).and_then(|wait| wait.to_str().ok()?.parse().ok().map(Duration::from_secs));
        let is_repeated = status.is_server_error() && is_replayed(headers);
        let retry = match asked {
            _ if !may_retry || is_repeated => Retry::Never,
            Some(asked) => Retry::After(asked),
            None => Retry::Usual,
        };
        let error = match status {
            StatusCode::NOT_FOUND => CallError::NotFound,
            _ if is_repeated => CallError::ErrorRepeated,
            _ if is_temporary => CallError::Unavailable(format!("it answers {status}")),
            _ => CallError::Refused(Refused::read(status.as_u16(), body)),
        };
        Failure { error, retry, is_answer: is_repeated || !status.is_server_error() }
    }
}

/// Returns true for a response to an earlier request with the key.
fn is_replayed(headers: &HeaderMap) -> bool {
    headers.get("idempotent-replayed").is_some_and(|replayed| replayed == "true")
}

fn date(headers: &HeaderMap) -> Option<DateTime<Utc>> {
    let date = headers.get(DATE)?.to_str().ok()?;
    Some(DateTime::parse_from_rfc2822(date).ok()?.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn failure(status: u16, headers: &[(&'static str, &'static str)]) -> Failure {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)));
        Failure::read(StatusCode::from_u16(status).unwrap(), &headers.collect(), b"{\"error\":{\"code\":\"a_b\"}}")
    }

    #[test]
    fn an_id_cannot_change_the_path() {
        let base = Url::parse("https://api.stripe.com").unwrap();
        let connection = Connection::new(
            http::client(&Config::load(None, std::iter::empty()).unwrap().outgoing).unwrap(),
            base,
            Secret::new("sk_test_1"),
            Duration::from_secs(1),
        );
        let url = connection.url("v1/checkout/sessions", Some("../a b?c"), &[("created[gte]", "7")]);
        assert_eq!(url.as_str(), "https://api.stripe.com/v1/checkout/sessions/..%2Fa%20b%3Fc?created%5Bgte%5D=7");
    }

    #[test]
    fn stripe_decides_whether_to_try_again() {
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
            assert_eq!(failure(status, headers).retry != Retry::Never, again, "{status} {headers:?}");
        }
        assert_eq!(failure(429, &[("retry-after", "2")]).retry, Retry::After(Duration::from_secs(2)));
        assert_eq!(failure(404, &[]).error, CallError::NotFound);
        let repeated = failure(500, &[("idempotent-replayed", "true")]);
        assert_eq!(
            (repeated.error, repeated.retry, repeated.is_answer),
            (CallError::ErrorRepeated, Retry::Never, true)
        );
        let refused = Refused { status: 403, code: RefusalCode::Other("a_b".to_owned()), ..Refused::default() };
        assert_eq!(failure(403, &[]).error, CallError::Refused(refused));
    }
}
