//! Events of types that this version does not know: stored whole, without effect, and applied by a version that knows
//! them.

use crate::support::webhooks::deliver;
use crate::support::{TestApp, both_engines, global_id, sql};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tollgate::inbox::rebuild;
use tollgate::{auth::Viewer, providers::Provider};

both_engines!(
    an_event_of_an_unknown_type_changes_nothing,
    an_unknown_type_of_paddle_changes_nothing,
    an_event_is_applied_once_its_type_is_known,
    events_that_stay_ignored_are_not_replayed,
    an_event_that_an_older_version_applied_is_taken_back_by_a_rebuild,
);

const NOTE: &str = "Events of this type are not known to this version: replay the event after an update.";

fn stripe(id: &str, kind: &str, second: i64, object: Value) -> Value {
    json!({"id": id, "object": "event", "api_version": "2025-08-27.basil", "created": 1_757_000_000 + second,
        "livemode": false, "type": kind, "data": {"object": object}})
}

fn subscription(status: &str) -> Value {
    let price = json!({"id": "price_1", "object": "price", "active": true, "created": 1, "currency": "usd",
        "metadata": {"plan": "pro", "tier": "2"}, "product": "prod_1", "unit_amount": 900,
        "recurring": {"interval": "month", "interval_count": 1, "usage_type": "licensed"}});
    let item = json!({"id": "si_1", "quantity": 1, "price": price, "current_period_start": 1_757_000_000,
        "current_period_end": 1_759_592_000});
    json!({"id": "sub_1", "object": "subscription", "created": 1_757_000_000, "status": status, "customer": "cus_1",
        "metadata": {"user_id": "ann"}, "items": {"data": [item]}})
}

async fn send(test: &TestApp, event: &Value) {
    assert_eq!(deliver(test, Provider::Stripe, event).await.status, 200);
    test.run_jobs().await;
}

/// Returns the state and the note of each event, by its id at the provider.
async fn states(test: &TestApp) -> BTreeMap<String, (String, Option<String>)> {
    let events: Vec<entity::inbox_events::Model> = sql::models(test.app.db.read(), "SELECT * FROM inbox_events").await;
    events.into_iter().map(|event| (event.external_id, (event.state, event.note))).collect()
}

async fn status(test: &TestApp) -> Vec<String> {
    sql::column(test.app.db.read(), "SELECT status FROM subscriptions", []).await
}

async fn signed_in(test: &TestApp) {
    test.user("ann").data("{ viewer { user { id } } }", json!({})).await;
}

async fn an_event_of_an_unknown_type_changes_nothing(test: &TestApp) {
    signed_in(test).await;
    send(test, &stripe("evt_1", "customer.subscription.created", 0, subscription("active"))).await;
    let unknown = ["customer.subscription.teleported", "customer.subscription", "subscription.updated"];
    for (number, kind) in unknown.iter().enumerate() {
        let id = format!("evt_unknown_{number}");
        let second = 100 + i64::try_from(number).unwrap();
        send(test, &stripe(&id, kind, second, subscription("canceled"))).await;
        assert_eq!(states(test).await[&id], ("ignored".to_owned(), Some(NOTE.to_owned())), "{kind}");
    }
    assert_eq!(status(test).await, ["active"]);
    let versions = "SELECT COUNT(*) FROM subscription_versions";
    assert_eq!(sql::number(test.app.db.read(), versions).await, 1);
    // A known event in between is applied as if they were not there.
    send(test, &stripe("evt_2", "customer.subscription.updated", 50, subscription("past_due"))).await;
    assert_eq!(status(test).await, ["past_due"]);
    let drift = rebuild(&test.app, &Viewer::system("test"), true, |_, _| ()).await.unwrap().drift;
    assert_eq!(drift.differences, []);
}

async fn an_unknown_type_of_paddle_changes_nothing(test: &TestApp) {
    signed_in(test).await;
    let event = |id: &str, kind: &str, second: u8, name: &str| {
        json!({"event_id": id, "event_type": kind, "occurred_at": format!("2025-09-04T15:33:{second:02}.027061Z"),
            "notification_id": id, "data": {"id": "ctm_1", "name": name, "email": "ann@example.com", "status": "active",
            "created_at": "2025-09-04T15:33:20Z", "custom_data": {"user_id": "ann"}}})
    };
    let names = "SELECT name FROM provider_customers";
    for (id, kind, second, name) in [
        ("evt_1", "customer.created", 1, "Ann"),
        ("evt_2", "customer.frobnicated", 2, "Eve"),
        ("evt_3", "customer", 3, "Eve"),
        ("evt_4", "customer.created.again", 4, "Eve"),
    ] {
        assert_eq!(deliver(test, Provider::Paddle, &event(id, kind, second, name)).await.status, 200);
        test.run_jobs().await;
        assert_eq!(sql::column::<String>(test.app.db.read(), names, []).await, ["Ann"], "{kind}");
    }
    let states = states(test).await;
    assert_eq!(states["evt_1"].0, "applied");
    for id in ["evt_2", "evt_3", "evt_4"] {
        assert_eq!(states[id], ("ignored".to_owned(), Some(NOTE.to_owned())));
    }
}

const REPLAY: &str =
    "mutation($id: ID!, $dry: Boolean!) { replayWebhookEvent(input: {webhookEventId: $id, dryRun: $dry}) {
    replay { eventCount differences { table } failures } userErrors { code } } }";
const REPLAY_IGNORED: &str = "mutation($dry: Boolean!) {
    replayWebhookEvents(input: {filter: {state: [IGNORED]}, dryRun: $dry}) {
        replay { eventCount } userErrors { code } } }";

/// Makes an event one that a version received which did not know its type.
async fn forget(test: &TestApp, id: &str) -> String {
    let db = test.app.db.schema();
    let event = "SELECT id FROM inbox_events WHERE external_id = $1";
    let row = sql::ids(db, event, [id.into()]).await[0];
    let ignore = format!(
        "UPDATE inbox_events SET state = 'ignored', note = '{NOTE}', applied_at = NULL, waits_for = NULL \
         WHERE external_id = '{id}'"
    );
    sql::execute(db, &ignore).await;
    sql::execute(db, "DELETE FROM jobs WHERE kind = 'apply_object'").await;
    global_id("WebhookEvent", row)
}

async fn an_event_is_applied_once_its_type_is_known(test: &TestApp) {
    signed_in(test).await;
    send(test, &stripe("evt_1", "customer.subscription.created", 0, subscription("active"))).await;
    let paused = stripe("evt_2", "customer.subscription.paused", 9, subscription("paused"));
    assert_eq!(deliver(test, Provider::Stripe, &paused).await.status, 200);
    let id = forget(test, "evt_2").await;
    test.run_jobs().await;
    assert_eq!(status(test).await, ["active"]);

    let told = test.admin().data(REPLAY, json!({"id": id, "dry": true})).await["replayWebhookEvent"].take();
    assert_eq!((&told["replay"]["eventCount"], &told["replay"]["failures"]), (&json!(1), &json!([])), "{told}");
    let tables = told["replay"]["differences"].as_array().unwrap();
    assert!(tables.contains(&json!({"table": "subscriptions"})), "{told}");
    assert_eq!((status(test).await, states(test).await["evt_2"].0.as_str()), (vec!["active".to_owned()], "ignored"));

    let told = test.admin().data(REPLAY_IGNORED, json!({"dry": false})).await["replayWebhookEvents"].take();
    assert_eq!(told, json!({"replay": {"eventCount": 1}, "userErrors": []}));
    test.run_jobs().await;
    assert_eq!(status(test).await, ["paused"]);
    assert_eq!(states(test).await["evt_2"], ("applied".to_owned(), None));
}

async fn events_that_stay_ignored_are_not_replayed(test: &TestApp) {
    signed_in(test).await;
    send(test, &stripe("evt_unknown", "customer.subscription.teleported", 0, subscription("active"))).await;
    send(test, &stripe("evt_plan", "plan.created", 0, json!({"id": "gold", "object": "plan"}))).await;
    send(test, &stripe("evt_other", "setup_intent.created", 0, json!({"id": "seti_1", "object": "setup_intent"})))
        .await;
    let mut live = stripe("evt_live", "customer.subscription.created", 0, subscription("active"));
    live["livemode"] = true.into();
    send(test, &live).await;
    let told = test.admin().data(REPLAY_IGNORED, json!({"dry": false})).await["replayWebhookEvents"].take();
    assert_eq!(told, json!({"replay": null, "userErrors": [{"code": "STATE_INVALID"}]}));
    for id in sql::ids(test.app.db.read(), "SELECT id FROM inbox_events", []).await {
        let id = global_id("WebhookEvent", id);
        let told = test.admin().data(REPLAY, json!({"id": id, "dry": false})).await["replayWebhookEvent"].take();
        assert_eq!(told["userErrors"], json!([{"code": "NOT_FOUND"}]));
    }
    test.run_jobs().await;
    assert!(states(test).await.values().all(|(state, _)| state == "ignored"));
    assert_eq!(status(test).await, [""; 0]);
}

async fn an_event_that_an_older_version_applied_is_taken_back_by_a_rebuild(test: &TestApp) {
    signed_in(test).await;
    send(test, &stripe("evt_1", "customer.subscription.created", 0, subscription("active"))).await;
    send(test, &stripe("evt_2", "customer.subscription.updated", 9, subscription("canceled"))).await;
    // As if the newer one had a type that nobody knows.
    let rename = "UPDATE inbox_events SET kind = 'customer.subscription.teleported' WHERE external_id = 'evt_2'";
    sql::execute(test.app.db.schema(), rename).await;
    rebuild(&test.app, &Viewer::system("test"), false, |_, _| ()).await.unwrap();
    assert_eq!(status(test).await, ["active"]);
    assert_eq!(states(test).await["evt_2"], ("ignored".to_owned(), Some(NOTE.to_owned())));
    let drift = rebuild(&test.app, &Viewer::system("test"), true, |_, _| ()).await.unwrap().drift;
    assert_eq!((drift.differences, drift.failures), (vec![], vec![]));
}
