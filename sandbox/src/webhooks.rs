//! Sends events to a gateway as Stripe does: signed, one after the other, again until they are taken.

use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, USER_AGENT};
use hyper::{Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use sha2::Sha256;

use super::Sandbox;

/// How long it is between two looks for new events.
const LOOK: Duration = Duration::from_millis(200);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest pause after an event that was not taken.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How often an event is sent before it is left out: what is refused so often would hold up all that come after it.
const ATTEMPTS: u32 = 30;

/// Something that takes HTTP on this machine.
type Http = Client<HttpConnector, Full<Bytes>>;

impl Sandbox {
    /// Sends each event to `url`, signed with `secret`, from the first that was not taken, until `stop` completes.
    /// Meanwhile time passes by the clock.
    pub fn deliver<S: Future<Output = ()> + Send + 'static>(
        &self,
        url: &str,
        secret: &str,
        stop: S,
    ) -> impl Future<Output = ()> + Send + 'static + use<S> {
        let (sandbox, url, secret) = (self.clone(), url.to_owned(), secret.to_owned());
        async move {
            tokio::select! {
                () = stop => {}
                () = sandbox.send_all(&url, &secret) => {}
            }
        }
    }

    async fn send_all(&self, url: &str, secret: &str) {
        let http: Http = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
        loop {
            while let Some(event) = self.next_event() {
                self.send(&http, url, secret, &event).await;
                self.held().state.taken += 1;
            }
            pause(LOOK).await;
        }
    }

    fn next_event(&self) -> Option<Value> {
        let held = self.held();
        held.state.events.get(held.state.taken).cloned()
    }

    async fn send(&self, http: &Http, url: &str, secret: &str, event: &Value) {
        let body = event.to_string();
        let mut wait = LOOK;
        for attempt in 1..=ATTEMPTS {
            // Signed anew each time: old signatures are not taken.
            let signature = signature(secret, self.now().timestamp(), &body);
            match attempt_to_send(http, url, &signature, &body).await {
                Ok(status) if status.is_success() => return,
                Ok(status) => tracing::debug!(attempt, %status, "an event was not taken"),
                Err(why) => tracing::debug!(attempt, why, "an event was not taken"),
            }
            pause(wait).await;
            wait = (wait * 2).min(LONGEST_PAUSE);
        }
        tracing::warn!(id = event["id"].as_str(), kind = event["type"].as_str(), "an event is left out");
    }
}

async fn attempt_to_send(http: &Http, url: &str, signature: &str, body: &str) -> Result<StatusCode, &'static str> {
    let request = Request::post(url)
        .header(CONTENT_TYPE, "application/json; charset=utf-8")
        .header(USER_AGENT, concat!("tollgate-sandbox/", env!("CARGO_PKG_VERSION")))
        .header("stripe-signature", signature)
        .body(Full::new(Bytes::copy_from_slice(body.as_bytes())))
        .map_err(|_| "the address is malformed")?;
    let answered = async {
        let response = http.request(request).await.map_err(|_| "no connection")?;
        let status = response.status();
        // Read to its end, so that the connection can be used again.
        response.into_body().collect().await.map_err(|_| "the answer broke off")?;
        Ok(status)
    };
    tokio::time::timeout(PATIENCE, answered).await.unwrap_or(Err("no answer in time"))
}

#[expect(clippy::disallowed_methods, reason = "another server is waited for, whose clock no test moves")]
async fn pause(length: Duration) {
    tokio::time::sleep(length).await;
}

/// The header over a body that is sent at a time.
fn signature(secret: &str, at: i64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key of any length is taken");
    mac.update(format!("{at}.{body}").as_bytes());
    let digits: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={at},v1={digits}")
}
