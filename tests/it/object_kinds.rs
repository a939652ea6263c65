//! Objects of several kinds with one id: at Stripe people choose the ids of products, prices and coupons, and a plan has
//! the id of its price.

use crate::support::webhooks::deliver;
use crate::support::{TestApp, both_engines, sql};
use serde_json::{Value, json};
use tollgate::inbox::{ApplyObject, rebuild};
use tollgate::{auth::Viewer, providers::Provider};

both_engines!(
    objects_with_one_id_are_kept_apart_in_every_order,
    a_plan_never_replaces_the_price_with_its_id,
    the_deletion_of_one_leaves_the_others,
    objects_of_one_id_wait_and_fail_apart,
    a_job_of_an_older_version_applies_the_objects_of_every_kind,
    an_update_names_the_kinds_of_events_that_are_stored,
);

fn event(kind: &str, object: Value) -> Value {
    let id = format!("evt_{kind}_{}", object["id"].as_str().unwrap());
    json!({"id": id, "object": "event", "api_version": "2025-08-27.basil", "created": 1_757_000_000, "livemode": false,
        "type": kind, "data": {"object": object}})
}

fn product(id: &str) -> Value {
    let metadata = json!({"plan": id, "tier": "2"});
    event(
        "product.created",
        json!({"id": id, "object": "product", "active": true, "created": 1, "name": id, "metadata": metadata}),
    )
}

fn price(id: &str) -> Value {
    event(
        "price.created",
        json!({"id": id, "object": "price", "active": true, "created": 1, "currency": "usd", "metadata": {},
            "product": id, "unit_amount": 900,
            "recurring": {"interval": "month", "interval_count": 1, "usage_type": "licensed"}}),
    )
}

fn plan(id: &str) -> Value {
    event(
        "plan.created",
        json!({"id": id, "object": "plan", "active": true, "created": 1, "currency": "usd", "metadata": {}, "product": id,
            "amount": 900, "interval": "month"}),
    )
}

fn coupon(id: &str) -> Value {
    event(
        "coupon.created",
        json!({"id": id, "object": "coupon", "created": 1, "duration": "forever", "percent_off": 25, "valid": true,
            "name": id, "metadata": {}}),
    )
}

async fn send(test: &TestApp, event: &Value) {
    assert_eq!(deliver(test, Provider::Stripe, event).await.status, 200);
}

/// Returns the kinds that are stored under an id, each with the kind in its payload.
async fn stored(test: &TestApp, id: &str) -> Vec<String> {
    let objects: Vec<entity::provider_objects::Model> =
        sql::models(test.app.db.read(), "SELECT * FROM provider_objects ORDER BY kind").await;
    let objects = objects.into_iter().filter(|object| object.external_id == id);
    objects.map(|object| format!("{} {}", object.kind, object.payload["object"].as_str().unwrap())).collect()
}

/// Returns the amount of the price and the percentage of the coupon with an id.
async fn worth(test: &TestApp, id: &str) -> (Vec<i64>, Vec<i64>) {
    let db = test.app.db.read();
    let amount = "SELECT p.unit_amount_minor FROM provider_prices x JOIN prices p ON p.id = x.price_id \
        WHERE x.external_id = $1";
    let off = "SELECT percent_basis_points FROM coupons WHERE external_id = $1";
    (sql::column(db, amount, [id.into()]).await, sql::column(db, off, [id.into()]).await)
}

const APART: [&str; 3] = ["coupon coupon", "price price", "product product"];

async fn is_at_rest(test: &TestApp) {
    let left = "SELECT external_id FROM inbox_events WHERE state NOT IN ('applied', 'ignored')";
    assert_eq!(sql::column::<String>(test.app.db.read(), left, []).await, [""; 0]);
    let drift = rebuild(&test.app, &Viewer::system("test"), true, |_, _| ()).await.unwrap().drift;
    assert_eq!((drift.differences, drift.failures), (vec![], vec![]));
}

async fn objects_with_one_id_are_kept_apart_in_every_order(test: &TestApp) {
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    for (number, order) in orders.into_iter().enumerate() {
        for each_alone in [true, false] {
            let id = format!("gold{number}{each_alone}");
            let events = [product(&id), price(&id), coupon(&id)];
            for index in order {
                send(test, &events[index]).await;
                if each_alone {
                    test.run_jobs().await;
                }
            }
            test.run_jobs().await;
            assert_eq!(stored(test, &id).await, APART, "{order:?}");
            assert_eq!(worth(test, &id).await, (vec![900], vec![2_500]), "{order:?}");
        }
    }
    is_at_rest(test).await;
}

async fn a_plan_never_replaces_the_price_with_its_id(test: &TestApp) {
    for (id, plan_first) in [("first", true), ("last", false)] {
        send(test, &product(id)).await;
        let (one, other) = if plan_first { (plan(id), price(id)) } else { (price(id), plan(id)) };
        for event in [one, other] {
            send(test, &event).await;
        }
        test.run_jobs().await;
        assert_eq!(stored(test, id).await, ["price price", "product product"]);
        assert_eq!(worth(test, id).await.0, [900]);
        // The price is applied again, when the plan has long been there.
        let mut again = price(id);
        again["id"] = format!("evt_again_{id}").into();
        again["type"] = "price.updated".into();
        again["data"]["object"]["nickname"] = "Gold".into();
        send(test, &again).await;
        test.run_jobs().await;
        assert_eq!(worth(test, id).await.0, [900]);
    }
    let plans = "SELECT DISTINCT state || ' ' || note FROM inbox_events WHERE kind = 'plan.created'";
    let plans: Vec<String> = sql::column(test.app.db.read(), plans, []).await;
    assert_eq!(plans, ["ignored Objects of this kind are not mirrored."]);
    // Its arrival is no reason to do anything.
    let jobs = "SELECT COUNT(*) FROM jobs WHERE kind = 'apply_object'";
    send(test, &plan("alone")).await;
    assert_eq!(sql::number(test.app.db.read(), jobs).await, 0);
    is_at_rest(test).await;
}

async fn the_deletion_of_one_leaves_the_others(test: &TestApp) {
    for event in [product("gold"), price("gold"), coupon("gold")] {
        send(test, &event).await;
    }
    test.run_jobs().await;
    let mut gone = event("coupon.deleted", json!({"id": "gold", "object": "coupon", "deleted": true}));
    gone["created"] = 1_757_000_100.into();
    send(test, &gone).await;
    test.run_jobs().await;
    let deleted = "SELECT kind FROM provider_objects WHERE deleted";
    assert_eq!(sql::column::<String>(test.app.db.read(), deleted, []).await, ["coupon"]);
    let active = "SELECT COUNT(*) FROM provider_prices WHERE active";
    assert_eq!(sql::number(test.app.db.read(), active).await, 1);
    assert_eq!(sql::number(test.app.db.read(), "SELECT COUNT(*) FROM coupons WHERE active").await, 0);
    is_at_rest(test).await;
}

async fn objects_of_one_id_wait_and_fail_apart(test: &TestApp) {
    let customer = event("customer.created", json!({"id": "gold", "object": "customer", "created": 1, "metadata": {}}));
    for event in [&customer, &product("gold"), &price("gold")] {
        send(test, event).await;
    }
    test.run_jobs().await;
    let waiting = "SELECT kind FROM inbox_events WHERE waits_for IS NOT NULL";
    assert_eq!(sql::column::<String>(test.app.db.read(), waiting, []).await, ["customer.created"]);
    assert_eq!(worth(test, "gold").await.0, [900]);
    let objects = "SELECT DISTINCT object_kind FROM inbox_events ORDER BY object_kind";
    let objects: Vec<String> = sql::column(test.app.db.read(), objects, []).await;
    assert_eq!(objects, ["customer", "price", "product"]);
}

async fn a_job_of_an_older_version_applies_the_objects_of_every_kind(test: &TestApp) {
    for event in [product("gold"), price("gold"), coupon("gold"), plan("gold")] {
        send(test, &event).await;
    }
    // As a node of an older version leaves them: without kinds, one job for the id, and the plan among those to apply.
    let db = test.app.db.schema();
    sql::execute(db, "DELETE FROM jobs WHERE kind = 'apply_object'").await;
    sql::execute(db, "UPDATE inbox_events SET object_kind = NULL, state = 'received', note = NULL").await;
    let job = ApplyObject { provider: Provider::Stripe, kind: None, object_id: "gold".to_owned() };
    assert_eq!(serde_json::from_value::<ApplyObject>(json!({"provider": "stripe", "object_id": "gold"})).unwrap(), job);
    test.app.db.write(move |txn| Box::pin(async move { txn.enqueue(&job).await })).await.unwrap();
    test.run_jobs().await;
    assert_eq!(stored(test, "gold").await, APART);
    assert_eq!(worth(test, "gold").await, (vec![900], vec![2_500]));
    let states = "SELECT kind || ' ' || state FROM inbox_events ORDER BY kind";
    let states: Vec<String> = sql::column(test.app.db.read(), states, []).await;
    assert_eq!(
        states,
        ["coupon.created applied", "plan.created ignored", "price.created applied", "product.created applied"]
    );
}

async fn an_update_names_the_kinds_of_events_that_are_stored(test: &TestApp) {
    for event in [product("gold"), price("gold"), coupon("silver")] {
        send(test, &event).await;
    }
    let paddle = json!({"event_id": "evt_p", "event_type": "transaction.paid", "data": {"id": "txn_1"},
        "occurred_at": "2025-09-04T15:33:20.027061Z"});
    deliver(test, Provider::Paddle, &paddle).await;
    let nothing = json!({"id": "evt_none", "object": "event", "created": 1, "livemode": false, "type": "invoice.upcoming",
        "data": {"object": {"object": "invoice"}}});
    send(test, &nothing).await;
    test.run_jobs().await;
    let db = test.app.db.schema();
    let kinds = "SELECT kind || ' ' || COALESCE(object_kind, '-') FROM inbox_events ORDER BY kind";
    let before: Vec<String> = sql::column(db, kinds, []).await;
    let count = migration::changes().iter().rev().position(|change| change.name == "m0024_object_kinds").unwrap() + 1;
    migration::down(db, count).await.unwrap();
    migration::up(db, None, migration::DateTime::UNIX_EPOCH).await.unwrap();
    assert_eq!(sql::column::<String>(db, kinds, []).await, before);
    let expected = [
        "coupon.created coupon",
        "invoice.upcoming -",
        "price.created price",
        "product.created product",
        "transaction.paid transaction",
    ];
    assert_eq!(before, expected);
    // Of two objects with one id an older version holds one; the events restore the other.
    assert_eq!(stored(test, "gold").await.len(), 1);
    let drift = rebuild(&test.app, &Viewer::system("test"), false, |_, _| ()).await.unwrap().drift;
    assert_eq!((drift.differences.len(), drift.failures), (1, vec![]));
    assert_eq!(stored(test, "gold").await, ["price price", "product product"]);
    assert_eq!(stored(test, "silver").await, ["coupon coupon"]);
}
