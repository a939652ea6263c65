//! The work of an event, which depends on the event and not on the life of its subscription.

use crate::support::webhooks::deliver;
use crate::support::{TestApp, both_engines};
use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tollgate::providers::Provider;

both_engines!(an_event_is_as_much_work_after_a_long_life_as_after_a_short_one);

/// Time of the first event.
const BEGIN: i64 = 1_757_000_000;

/// An event that says that the subscription has this many units, the last of `number` events.
fn changed(number: i64) -> Value {
    let quantity = 1 + number % 7;
    let price = json!({"id": "price_1", "object": "price", "active": true, "created": 1, "currency": "usd", "metadata": {},
        "product": "prod_1", "unit_amount": 900,
        "recurring": {"interval": "month", "interval_count": 1, "usage_type": "licensed"}});
    let item = json!({"id": "si_1", "quantity": quantity, "price": price, "current_period_start": BEGIN,
        "current_period_end": BEGIN + 2_592_000});
    let object = json!({"id": "sub_1", "object": "subscription", "created": BEGIN, "status": "active",
        "customer": "cus_1", "quantity": quantity, "metadata": {"user_id": "ann"}, "items": {"data": [item]}});
    let kind = if number == 0 { "customer.subscription.created" } else { "customer.subscription.updated" };
    json!({"id": format!("evt_{number}"), "object": "event", "api_version": "2025-08-27.basil",
        "created": BEGIN + 3_600 * number, "livemode": false, "type": kind, "data": {"object": object}})
}

async fn apply(test: &TestApp, number: i64) {
    assert_eq!(deliver(test, Provider::Stripe, &changed(number)).await.status, 200);
    test.run_jobs().await;
}

/// Applies an event, and returns the number of its statements and of the rows that they read.
async fn work_of(test: &TestApp, number: i64, (seen, looks): (&Mutex<Vec<Statement>>, &AtomicBool)) -> (usize, usize) {
    looks.store(true, Ordering::Relaxed);
    apply(test, number).await;
    looks.store(false, Ordering::Relaxed);
    let statements = std::mem::take(&mut *seen.lock().unwrap());
    let count = statements.len();
    let mut rows = 0;
    for statement in statements.into_iter().filter(|statement| statement.sql.starts_with("SELECT")) {
        rows += test.app.db.read().query_all_raw(statement).await.unwrap().len();
    }
    (count, rows)
}

async fn an_event_is_as_much_work_after_a_long_life_as_after_a_short_one(test: &TestApp) {
    test.user("ann").data("{ viewer { user { id } } }", json!({})).await;
    let (seen, looks) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
    let (kept, is_looking) = (Arc::clone(&seen), Arc::clone(&looks));
    test.app.db.observe(move |statement| {
        if is_looking.load(Ordering::Relaxed) {
            kept.lock().unwrap().push(statement.clone());
        }
    });
    for number in 0..6 {
        apply(test, number).await;
    }
    let young = work_of(test, 6, (&seen, &looks)).await;
    for number in 7..90 {
        apply(test, number).await;
    }
    let old = work_of(test, 90, (&seen, &looks)).await;
    assert!(young.0 > 5, "statements were seen: {young:?}");
    assert_eq!(old, young);
    let history = "query($id: ID!) { account(id: $id) { subscriptions { nodes { history { totalCount } } } } }";
    let mine = test.user("ann").data("{ viewer { account { id } } }", json!({})).await;
    let found = test.admin().data(history, json!({"id": mine["viewer"]["account"]["id"]})).await;
    assert_eq!(found["account"]["subscriptions"]["nodes"][0]["history"]["totalCount"], 91, "each made a version");
}
