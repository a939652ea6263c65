//! The webhooks of the stand-in for Stripe, as a gateway receives them.

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use chrono::{DateTime, Utc};
use sandbox::Sandbox;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tollgate::config::Config;
use tollgate::providers::http::client;
use tollgate::providers::stripe::signature::verify;

const SECRET: &str = "whsec_sandbox_5kd8";
/// 2026-01-15 12:00 UTC.
const NOW: DateTime<Utc> = DateTime::from_timestamp(1_768_478_400, 0).unwrap();

/// The events that a gateway received, and the number of requests that it still refuses.
type Inbox = Arc<Mutex<(Vec<Value>, u32)>>;

async fn take(State(inbox): State<Inbox>, headers: HeaderMap, body: String) -> StatusCode {
    let header = headers.get("stripe-signature").map(|value| value.to_str().unwrap());
    let env = [("TOLLGATE_STRIPE_WEBHOOK_SECRETS".to_owned(), SECRET.to_owned())];
    let config = Config::load(None, env.into_iter()).unwrap().providers.stripe;
    verify(&config, header, body.as_bytes(), NOW).unwrap();
    let mut inbox = inbox.lock().unwrap();
    if inbox.1 > 0 {
        inbox.1 -= 1;
        return StatusCode::INTERNAL_SERVER_ERROR;
    }
    inbox.0.push(serde_json::from_str(&body).unwrap());
    StatusCode::OK
}

#[tokio::test]
async fn events_come_signed_and_in_order_until_they_are_taken() {
    let stripe = Sandbox::new(|| NOW, "rk_test_webhooks");
    for (id, name) in [("prod_1", "Pro"), ("prod_2", "Team"), ("prod_1", "Professional"), ("prod_3", "Business")] {
        stripe.put(json!({"id": id, "object": "product", "name": name, "active": true}));
    }
    let inbox: Inbox = Arc::new(Mutex::new((Vec::new(), 1)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/webhooks/stripe", listener.local_addr().unwrap());
    let router = Router::new().route("/webhooks/stripe", post(take)).with_state(Arc::clone(&inbox));
    let gateway = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let (stop, stopped) = oneshot::channel::<()>();
    let http = client(&Config::load(None, std::iter::empty()).unwrap().outgoing).unwrap();
    let delivering = tokio::spawn(stripe.deliver(http, &url, SECRET, async {
        let _ = stopped.await;
    }));
    let all = stripe.events();
    assert_eq!(all.len(), 4);
    let come = async {
        while inbox.lock().unwrap().0.len() < all.len() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), come).await.unwrap();
    stop.send(()).unwrap();
    delivering.await.unwrap();
    gateway.abort();
    assert_eq!(inbox.lock().unwrap().0, all);
}
