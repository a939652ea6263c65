//! Delivery of events to a webhook endpoint: signed, in order, and retried.

use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::header::{CONTENT_TYPE, USER_AGENT};
use reqwest::{Client, StatusCode};
use serde_json::Value;
use sha2::Sha256;

use crate::sandbox::Sandbox;

/// The pause between two checks for new events.
const POLL_INTERVAL: Duration = Duration::from_millis(200);
/// The time limit of one request.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The longest pause between two attempts.
const MAX_PAUSE: Duration = Duration::from_secs(5);
/// The attempts after which an event is skipped, since it would hold up all later ones.
const MAX_ATTEMPTS: u32 = 30;

impl Sandbox {
    /// Sends each event that was not delivered to `url` through `http`, signed with `secret`, and does the work that is
    /// due, until `stop` completes.
    pub fn deliver<S: Future<Output = ()> + Send + 'static>(
        &self,
        http: Client,
        url: &str,
        secret: &str,
        stop: S,
    ) -> impl Future<Output = ()> + Send + 'static + use<S> {
        let (sandbox, url, secret) = (self.clone(), url.to_owned(), secret.to_owned());
        async move {
            tokio::select! {
                () = stop => {}
                () = sandbox.send_all(&http, &url, &secret) => {}
            }
        }
    }

    async fn send_all(&self, http: &Client, url: &str, secret: &str) {
        loop {
            while let Some(event) = self.next_event() {
                self.send(http, url, secret, &event).await;
                self.lock().store.delivered += 1;
            }
            pause(POLL_INTERVAL).await;
        }
    }

    fn next_event(&self) -> Option<Value> {
        let world = self.lock();
        world.store.events.get(world.store.delivered).cloned()
    }

    async fn send(&self, http: &Client, url: &str, secret: &str, event: &Value) {
        let body = event.to_string();
        let mut wait = POLL_INTERVAL;
        for attempt in 1..=MAX_ATTEMPTS {
            // Signed for each attempt: old signatures are rejected.
            let signature = signature(secret, self.now().timestamp(), &body);
            match attempt_to_send(http, url, &signature, &body).await {
                Ok(status) if status.is_success() => return,
                Ok(status) => tracing::debug!(attempt, %status, "the endpoint did not accept an event"),
                Err(why) => tracing::debug!(attempt, why, "the endpoint did not accept an event"),
            }
            pause(wait).await;
            wait = (wait * 2).min(MAX_PAUSE);
        }
        tracing::warn!(
            id = event["id"].as_str(),
            kind = event["type"].as_str(),
            "an event is skipped after too many attempts"
        );
    }
}

async fn attempt_to_send(http: &Client, url: &str, signature: &str, body: &str) -> Result<StatusCode, &'static str> {
    let request = http
        .post(url)
        .header(CONTENT_TYPE, "application/json; charset=utf-8")
        .header(USER_AGENT, concat!("tollgate-sandbox/", env!("CARGO_PKG_VERSION")))
        .header("stripe-signature", signature)
        .body(body.to_owned());
    let answered = async {
        let response = request.send().await.map_err(|_| "no connection")?;
        let status = response.status();
        // Read to its end, so that the connection can be used again.
        response.bytes().await.map_err(|_| "the response broke off")?;
        Ok(status)
    };
    tokio::time::timeout(TIMEOUT, answered).await.unwrap_or(Err("no response in time"))
}

#[expect(clippy::disallowed_methods, reason = "waits for another server, whose clock no test moves")]
async fn pause(length: Duration) {
    tokio::time::sleep(length).await;
}

/// Returns the value of the signature header for a body sent at a time.
fn signature(secret: &str, at: i64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key of any length is taken");
    mac.update(format!("{at}.{body}").as_bytes());
    format!("t={at},v1={}", hex::encode(mac.finalize().into_bytes()))
}
