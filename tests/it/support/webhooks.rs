//! Webhooks as the providers send them.

use super::{Reply, TestApp};
use axum::body::Body;
use axum::http::Request;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Delivers `body`, signed now with `secret`.
pub(crate) async fn deliver(test: &TestApp, provider: &str, secret: &str, body: &str) -> Reply {
    let (name, value) = signature(provider, secret, test.app.now().timestamp(), body);
    let request = Request::post(format!("/webhooks/{provider}")).header("content-type", "application/json");
    test.send(request.header(name, value).body(Body::from(body.to_owned())).unwrap()).await
}

/// The header that a provider would sign `body` with at `at`.
pub(crate) fn signature(provider: &str, secret: &str, at: i64, body: &str) -> (&'static str, String) {
    let mac = |text: String| {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(text.as_bytes());
        mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    match provider {
        "paddle" => ("paddle-signature", format!("ts={at};h1={}", mac(format!("{at}:{body}")))),
        _ => ("stripe-signature", format!("t={at},v1={}", mac(format!("{at}.{body}")))),
    }
}
