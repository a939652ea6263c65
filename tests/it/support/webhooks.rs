//! Webhooks as the providers send them.

use super::{Reply, TestApp};
use axum::body::Body;
use axum::http::Request;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tollgate::providers::Provider;

/// The providers' webhook secrets in the tests.
pub(crate) const STRIPE_SECRET: &str = "whsec_of_the_tests_7Qk2mWcX9s";
pub(crate) const PADDLE_SECRET: &str = "pdl_ntfset_of_the_tests_01hv8x";

/// The secret of a provider.
pub(crate) fn secret(provider: Provider) -> &'static str {
    match provider {
        Provider::Stripe => STRIPE_SECRET,
        Provider::Paddle => PADDLE_SECRET,
    }
}

/// The HMAC of a body at a time, in hexadecimal.
pub(crate) fn mac(provider: Provider, secret: &str, time: i64, body: &[u8]) -> String {
    let joint = if provider == Provider::Stripe { '.' } else { ':' };
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{time}{joint}").as_bytes());
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

/// The header of a body that is signed with one or more secrets.
pub(crate) fn signature(provider: Provider, secrets: &[&str], time: i64, body: &[u8]) -> String {
    let macs = secrets.iter().map(|secret| mac(provider, secret, time, body));
    match provider {
        Provider::Stripe => format!("t={time}{}", macs.map(|mac| format!(",v1={mac}")).collect::<String>()),
        Provider::Paddle => format!("ts={time}{}", macs.map(|mac| format!(";h1={mac}")).collect::<String>()),
    }
}

/// Sends a body with a header, or without one.
pub(crate) async fn send(test: &TestApp, provider: Provider, header: Option<&str>, body: &[u8]) -> Reply {
    let mut request =
        Request::post(format!("/webhooks/{}", provider.name())).header("content-type", "application/json");
    if let Some(header) = header {
        request = request.header(provider.signature_header(), header);
    }
    test.send(request.body(Body::from(body.to_vec())).unwrap()).await
}

/// Sends an event as the provider would, at the present time.
pub(crate) async fn deliver(test: &TestApp, provider: Provider, event: &Value) -> Reply {
    let body = event.to_string();
    let header = signature(provider, &[secret(provider)], test.app.now().timestamp(), body.as_bytes());
    send(test, provider, Some(&header), body.as_bytes()).await
}

/// An event about an object.
pub(crate) fn event(provider: Provider, id: &str, object: &str) -> Value {
    match provider {
        Provider::Stripe => json!({
            "id": id, "object": "event", "api_version": "2025-08-27.basil", "created": 1_757_000_000, "livemode": false,
            "type": "customer.updated", "pending_webhooks": 1, "request": {"id": null, "idempotency_key": null},
            "data": {"object": {"id": object, "object": "customer", "email": "ann@example.com"}},
        }),
        Provider::Paddle => json!({
            "event_id": id, "event_type": "customer.updated", "occurred_at": "2025-09-04T15:33:20.027061Z",
            "notification_id": format!("ntf_{id}"), "data": {"id": object, "email": "ann@example.com"},
        }),
    }
}
