//! Fetched objects and events of one second: an event that happened after the object was fetched counts.

use crate::support::stripe::Stripe;
use crate::support::webhooks::deliver;
use crate::support::{TestApp, both_engines, sql};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tollgate::providers::Provider;

both_engines!(
    an_event_after_the_answer_in_the_same_second_counts,
    an_event_before_the_answer_in_the_same_second_does_not,
    a_slow_answer_is_not_waited_for,
);

/// The second of the answers of the stand-in: February 1, 2026.
const SECOND: i64 = 1_769_904_000;

fn subscription(quantity: u8, status: &str) -> Value {
    let price = json!({"id": "price_1", "object": "price", "active": true, "created": 1, "currency": "usd", "metadata": {},
        "product": "prod_1", "unit_amount": 900,
        "recurring": {"interval": "month", "interval_count": 1, "usage_type": "licensed"}});
    let item = json!({"id": "si_1", "quantity": quantity, "price": price, "current_period_start": 1_757_000_000,
        "current_period_end": 1_759_592_000});
    json!({"id": "sub_1", "object": "subscription", "created": 1_757_000_000, "status": status, "customer": "cus_1",
        "quantity": quantity, "metadata": {"user_id": "ann"}, "items": {"data": [item]}})
}

fn event(id: &str, kind: &str, second: i64, object: Value, previous: Value) -> Value {
    json!({"id": id, "object": "event", "api_version": "2025-08-27.basil", "created": second, "livemode": false,
        "type": kind, "data": {"object": object, "previous_attributes": previous}})
}

async fn send(test: &TestApp, event: &Value) {
    assert_eq!(deliver(test, Provider::Stripe, event).await.status, 200);
    test.run_jobs().await;
}

async fn quantity(test: &TestApp) -> Vec<i64> {
    sql::column(test.app.db.read(), "SELECT quantity FROM subscription_items", []).await
}

async fn status(test: &TestApp) -> Vec<String> {
    sql::column(test.app.db.read(), "SELECT status FROM subscriptions", []).await
}

/// Returns a Tollgate that has fetched the subscription with a quantity at [`SECOND`], and cannot any more.
async fn fetched(given: &TestApp, stripe: &Stripe, quantity: u8) -> TestApp {
    let test = given.beside(&stripe.settings()).await;
    test.user("ann").data("{ viewer { user { id } } }", json!({})).await;
    stripe.put(subscription(quantity, "active"));
    let created = event("evt_0", "customer.subscription.created", SECOND - 60, subscription(1, "active"), Value::Null);
    send(&test, &created).await;
    let fetched = "SELECT COUNT(*) FROM inbox_events WHERE source = 'fetched' AND object_id = 'sub_1'";
    assert_eq!(sql::number(test.app.db.read(), fetched).await, 1);
    stripe.remove("sub_1");
    test
}

async fn an_event_after_the_answer_in_the_same_second_counts(given: &TestApp) {
    let stripe = Stripe::start(&[], Vec::new()).await;
    let test = fetched(given, &stripe, 2).await;
    assert_eq!(quantity(&test).await, [2]);
    let said = json!({"quantity": 2, "items": {"data": [{"quantity": 2}]}});
    let update = |id, object, previous| event(id, "customer.subscription.updated", SECOND, object, previous);
    send(&test, &update("evt_1", subscription(3, "active"), said)).await;
    assert_eq!(quantity(&test).await, [3], "it says that the quantity was as it was fetched");
    send(&test, &update("evt_2", subscription(4, "active"), json!({"quantity": 3}))).await;
    assert_eq!(quantity(&test).await, [4], "and so on");
    send(&test, &event("evt_3", "customer.subscription.deleted", SECOND, subscription(4, "canceled"), Value::Null))
        .await;
    assert_eq!(status(&test).await, ["canceled"], "an end is later than what is not");
}

async fn an_event_before_the_answer_in_the_same_second_does_not(given: &TestApp) {
    let stripe = Stripe::start(&[], Vec::new()).await;
    let test = fetched(given, &stripe, 4).await;
    let update = |id, object, previous| event(id, "customer.subscription.updated", SECOND, object, previous);
    send(&test, &update("evt_1", subscription(3, "active"), json!({"quantity": 2}))).await;
    assert_eq!(quantity(&test).await, [4], "it says nothing of the quantity that was fetched");
    send(&test, &update("evt_2", subscription(4, "active"), json!({"quantity": 3}))).await;
    assert_eq!(quantity(&test).await, [4], "the event of what was fetched");
    send(&test, &update("evt_3", subscription(5, "active"), json!({"quantity": 4}))).await;
    assert_eq!(quantity(&test).await, [5]);
}

/// An answer that never comes holds an event up for three seconds; the client by itself would try for 25.
async fn a_slow_answer_is_not_waited_for(given: &TestApp) {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let stripe = Stripe::start(&[], Vec::new()).await;
    let mut settings = stripe.settings();
    for (name, value) in &mut settings {
        match *name {
            "TOLLGATE_STRIPE_API_BASE" => *value = &url,
            "TOLLGATE_STRIPE_API_TIMEOUT_MS" => *value = "5000",
            _ => {}
        }
    }
    let test = given.beside(&settings).await;
    test.user("ann").data("{ viewer { user { id } } }", json!({})).await;
    let begin = Instant::now();
    let created = event("evt_0", "customer.subscription.created", SECOND, subscription(1, "active"), Value::Null);
    assert_eq!(deliver(&test, Provider::Stripe, &created).await.status, 200);
    let worker = tollgate::jobs::Worker::new().on_demand::<tollgate::inbox::ApplyObject>();
    assert_eq!(worker.run_due(&test.app).await.unwrap().failed, 0);
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
    assert_eq!(quantity(&test).await, [1]);
}
