//! The event types that docs/providers.md asks operators to send: each is applied or waits, and none is ignored.

use crate::support::webhooks::{deliver, event};
use crate::support::{TestApp, both_engines, sql};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tollgate::providers::Provider;

both_engines!(
    every_documented_event_of_stripe_is_mirrored,
    every_documented_event_of_paddle_is_mirrored,
    events_of_other_objects_are_ignored,
    an_object_without_its_fields_is_no_failure,
);

const PAGE: &str = include_str!("../../docs/providers.md");

/// Returns the event types in the code blocks of a section.
fn documented(heading: &str) -> BTreeSet<&'static str> {
    let section = PAGE.split_once(heading).unwrap().1;
    let section = section.split("\n## ").next().unwrap();
    let is_type = |line: &&str| {
        let parts: Vec<_> = line.split('.').collect();
        let word = |part: &&str| part.chars().all(|char| char.is_ascii_lowercase() || char == '_') && !part.is_empty();
        parts.len() >= 2 && parts.iter().all(word)
    };
    section.lines().map(str::trim).filter(is_type).collect()
}

/// Returns the kind of the object in an event of Stripe.
fn kind(event_type: &str) -> &str {
    const OTHERS: [(&str, &str); 5] = [
        ("charge.dispute.", "dispute"),
        ("charge.refund.", "refund"),
        ("customer.discount.", "discount"),
        ("customer.subscription.", "subscription"),
        ("checkout.session.", "checkout.session"),
    ];
    let other = OTHERS.iter().find(|(prefix, _)| event_type.starts_with(prefix));
    other.map_or_else(|| event_type.split('.').next().unwrap(), |(_, kind)| kind)
}

/// Delivers an event of Stripe about an object with these fields.
async fn send(test: &TestApp, event_type: &str, object: Value) {
    let id = format!("evt_{}", test.app.new_id());
    let mut sent = event(Provider::Stripe, &id, "x");
    sent["type"] = event_type.into();
    sent["data"] = json!({"object": object});
    let reply = deliver(test, Provider::Stripe, &sent).await;
    assert_eq!(reply.status, 200, "{event_type}: {}", reply.body);
}

/// Returns the types of the events in a state.
async fn in_state(test: &TestApp, condition: &str) -> BTreeSet<String> {
    let query = format!("SELECT kind FROM inbox_events WHERE {condition} AND source = 'webhook'");
    sql::column(test.app.db.read(), &query, []).await.into_iter().collect()
}

/// Fails unless all of the types are applied or wait, and those of paid objects do something.
async fn assert_mirrored(test: &TestApp, types: &BTreeSet<&str>) {
    test.run_jobs().await;
    let nothing = BTreeSet::new();
    assert_eq!(in_state(test, "state = 'ignored'").await, nothing);
    assert_eq!(in_state(test, "state IN ('failed', 'parked')").await, nothing);
    assert_eq!(in_state(test, "state = 'received' AND waits_for IS NULL").await, nothing);
    let handled = in_state(test, "state = 'applied' OR waits_for IS NOT NULL").await;
    assert_eq!(handled.iter().map(String::as_str).collect::<BTreeSet<_>>(), *types);
}

async fn every_documented_event_of_stripe_is_mirrored(test: &TestApp) {
    let types = documented("## Stripe, step by step");
    assert!(types.len() > 60, "{types:?}");
    for (number, event_type) in types.iter().enumerate() {
        let kind = kind(event_type);
        let object = json!({"id": format!("{kind}_{number}"), "object": kind, "customer": "cus_1", "livemode": false,
            "currency": "usd", "created": 1_757_000_000, "metadata": {"user_id": "nobody"}});
        send(test, event_type, object).await;
    }
    assert_mirrored(test, &types).await;
}

async fn every_documented_event_of_paddle_is_mirrored(test: &TestApp) {
    let types = documented("## Paddle, step by step");
    assert!(types.len() >= 30, "{types:?}");
    for (number, event_type) in types.iter().enumerate() {
        let kind = event_type.split('.').next().unwrap();
        let mut sent = event(Provider::Paddle, &format!("evt_{number}"), &format!("{kind}_{number}"));
        sent["event_type"] = (*event_type).into();
        sent["data"]["customer_id"] = "ctm_1".into();
        sent["data"]["custom_data"] = json!({"user_id": "nobody"});
        let reply = deliver(test, Provider::Paddle, &sent).await;
        assert_eq!(reply.status, 200, "{event_type}: {}", reply.body);
    }
    assert_mirrored(test, &types).await;
}

async fn events_of_other_objects_are_ignored(test: &TestApp) {
    let types = [
        "payment_method.attached",
        "setup_intent.succeeded",
        "quote.created",
        "credit_note.created",
        "tax_rate.created",
        "entitlements.active_entitlement_summary.updated",
        "billing.meter.created",
        "payout.paid",
    ];
    for (number, event_type) in types.iter().enumerate() {
        let kind = event_type.rsplit_once('.').unwrap().0;
        send(test, event_type, json!({"id": format!("x_{number}"), "object": kind})).await;
    }
    // An object without an id is not mirrored either, whatever its kind.
    send(test, "invoice.upcoming", json!({"object": "invoice"})).await;
    send(test, "plan.created", json!({"id": "price_1", "object": "plan"})).await;
    test.run_jobs().await;
    let ignored = in_state(test, "state = 'ignored' AND note IS NOT NULL").await;
    let expected: BTreeSet<String> =
        types.iter().chain(&["invoice.upcoming", "plan.created"]).map(|name| (*name).to_owned()).collect();
    assert_eq!(ignored, expected);
}

async fn an_object_without_its_fields_is_no_failure(test: &TestApp) {
    let types = documented("## Stripe, step by step");
    let wrong = [Value::Null, json!("text"), json!(-1), json!([]), json!({}), json!(true)];
    let fields =
        ["customer", "items", "lines", "amount", "currency", "status", "created", "metadata", "price", "charge"];
    for (number, event_type) in types.iter().enumerate() {
        let kind = kind(event_type);
        send(test, event_type, json!({"id": format!("bare_{number}"), "object": kind})).await;
        let mut object = json!({"id": format!("odd_{number}"), "object": kind});
        for (at, field) in fields.iter().enumerate() {
            object[*field] = wrong[(number + at) % wrong.len()].clone();
        }
        send(test, event_type, object).await;
    }
    assert_mirrored(test, &types).await;
}
