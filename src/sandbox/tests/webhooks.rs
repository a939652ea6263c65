//! What is sent to a gateway.

use std::sync::Mutex;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::*;
use crate::config::Config;
use crate::providers::stripe::signature::verify;

const SECRET: &str = "whsec_sandbox_5kd8";

/// What a gateway got, and how often it still says no.
type Inbox = Arc<Mutex<(Vec<Value>, u32)>>;

async fn take(State(inbox): State<Inbox>, headers: HeaderMap, body: String) -> StatusCode {
    let header = headers.get("stripe-signature").map(|value| value.to_str().unwrap());
    let now = DateTime::from_timestamp(START, 0).unwrap();
    let env = [("TOLLGATE_STRIPE_WEBHOOK_SECRETS".to_owned(), SECRET.to_owned())];
    let config = Config::load(None, env.into_iter()).unwrap().providers.stripe;
    verify(&config, header, body.as_bytes(), now).unwrap();
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
    let shop = Shop::open().await;
    shop.subscribed(&[]).await;
    let inbox: Inbox = Arc::new(Mutex::new((Vec::new(), 1)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/webhooks/stripe", listener.local_addr().unwrap());
    let router = Router::new().route("/webhooks/stripe", post(take)).with_state(Arc::clone(&inbox));
    let gateway = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let (stop, stopped) = oneshot::channel::<()>();
    let delivering = tokio::spawn(shop.sandbox.deliver(&url, SECRET, async {
        let _ = stopped.await;
    }));
    let all = shop.sandbox.events();
    let come = async {
        while inbox.lock().unwrap().0.len() < all.len() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), come).await.unwrap();
    stop.send(()).unwrap();
    delivering.await.unwrap();
    gateway.abort();
    assert_eq!(inbox.lock().unwrap().0, all);
}
