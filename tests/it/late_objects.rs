//! Objects that come after those that refer to them: the records end as if they had come in order, and a rebuild finds
//! nothing to correct.

use crate::support::webhooks::deliver;
use crate::support::{TestApp, both_engines, sql};
use sea_orm::{ConnectionTrait, DbBackend};
use serde_json::{Value, json};
use tollgate::auth::Viewer;
use tollgate::inbox::rebuild;
use tollgate::providers::Provider;

both_engines!(
    the_price_of_a_plan_that_was_left_completes_the_history,
    a_promotion_code_that_comes_late_is_that_of_its_redemptions,
    references_do_not_depend_on_the_order_of_events,
    an_old_event_that_comes_late_is_added_where_it_belongs,
    a_pause_begins_where_it_began,
    an_event_reads_the_history_from_its_time_on,
);

fn event(id: &str, kind: &str, second: i64, object: Value) -> Value {
    json!({"id": id, "object": "event", "api_version": "2025-08-27.basil", "created": 1_757_000_000 + second,
        "livemode": false, "type": kind, "data": {"object": object}})
}

async fn send(test: &TestApp, event: &Value) {
    assert_eq!(deliver(test, Provider::Stripe, event).await.status, 200);
    test.run_jobs().await;
}

async fn signed_in(test: &TestApp) {
    test.user("ann").data("{ viewer { user { id } } }", json!({})).await;
}

async fn assert_no_drift(test: &TestApp) {
    let drift = rebuild(&test.app, &Viewer::system("test"), true, |_, _| ()).await.unwrap().drift;
    assert_eq!((drift.differences, drift.failures), (vec![], vec![]));
}

/// Returns a price; with the plan that it sells if `plan` is given.
fn price(id: &str, plan: Option<&str>) -> Value {
    let metadata = plan.map_or_else(|| json!({}), |plan| json!({"plan": plan, "tier": "2"}));
    json!({"id": id, "object": "price", "active": true, "created": 1, "currency": "usd", "metadata": metadata,
        "product": format!("prod_{id}"), "unit_amount": 900,
        "recurring": {"interval": "month", "interval_count": 1, "usage_type": "licensed"}})
}

fn subscription(status: &str, price_id: &str) -> Value {
    let item = json!({"id": "si_1", "quantity": 1, "price": price(price_id, None),
        "current_period_start": 1_757_000_000, "current_period_end": 1_759_592_000});
    json!({"id": "sub_1", "object": "subscription", "created": 1_757_000_000, "status": status, "customer": "cus_1",
        "metadata": {"user_id": "ann"}, "items": {"data": [item]}})
}

/// Returns the valid states in the history: the second, the status, and the code of the plan.
async fn history(test: &TestApp) -> Vec<(i64, String, Option<String>)> {
    let versions: Vec<entity::subscription_versions::Model> =
        sql::models(test.app.db.read(), "SELECT * FROM subscription_versions ORDER BY effective_at, recorded_at, id")
            .await;
    let plans = "SELECT p.code FROM product_versions v JOIN products p ON p.id = v.product_id WHERE v.id = $1";
    let mut states: Vec<(i64, String, Option<String>)> = Vec::new();
    for version in versions {
        let plan = match version.product_version_id {
            Some(id) => Some(sql::column::<String>(test.app.db.read(), plans, [id.into()]).await.remove(0)),
            None => None,
        };
        let second = version.effective_at.timestamp() - 1_757_000_000;
        states.retain(|(other, ..)| *other != second);
        states.push((second, version.status, plan));
    }
    states
}

fn state(second: i64, status: &str, plan: Option<&str>) -> (i64, String, Option<String>) {
    (second, status.to_owned(), plan.map(str::to_owned))
}

async fn the_price_of_a_plan_that_was_left_completes_the_history(test: &TestApp) {
    signed_in(test).await;
    send(test, &event("evt_1", "customer.subscription.created", 0, subscription("active", "old"))).await;
    send(test, &event("evt_2", "customer.subscription.updated", 9, subscription("active", "new"))).await;
    assert_eq!(history(test).await, [state(0, "active", None), state(9, "active", None)]);
    send(test, &event("evt_3", "price.created", 0, price("new", Some("pro")))).await;
    assert_eq!(history(test).await, [state(0, "active", None), state(9, "active", Some("pro"))]);
    assert_no_drift(test).await;
    // The subscription has long another price.
    send(test, &event("evt_4", "price.created", 0, price("old", Some("basic")))).await;
    assert_eq!(history(test).await, [state(0, "active", Some("basic")), state(9, "active", Some("pro"))]);
    assert_no_drift(test).await;
}

async fn a_promotion_code_that_comes_late_is_that_of_its_redemptions(test: &TestApp) {
    signed_in(test).await;
    let coupon = json!({"id": "gold", "object": "coupon", "created": 1, "duration": "forever", "percent_off": 25,
        "valid": true, "name": "Gold", "metadata": {}});
    let customer = json!({"id": "cus_1", "object": "customer", "created": 1, "metadata": {"user_id": "ann"}});
    let discount = json!({"id": "di_1", "object": "discount", "customer": "cus_1", "coupon": coupon, "start": 1_757_000_000,
        "end": null, "promotion_code": "promo_1", "subscription": null});
    let code = |active: bool| {
        json!({"id": "promo_1", "object": "promotion_code", "code": "GOLD", "active": active, "coupon": coupon,
            "created": 1, "restrictions": {}, "times_redeemed": 1})
    };
    send(test, &event("evt_1", "customer.created", 0, customer)).await;
    send(test, &event("evt_2", "coupon.created", 0, coupon.clone())).await;
    send(test, &event("evt_3", "customer.discount.created", 1, discount)).await;
    let used =
        "SELECT COALESCE(p.code, '-') FROM discount_redemptions r LEFT JOIN promo_codes p ON p.id = r.promo_code_id";
    assert_eq!(sql::column::<String>(test.app.db.read(), used, []).await, ["-"]);
    send(test, &event("evt_4", "promotion_code.created", 0, code(true))).await;
    assert_eq!(sql::column::<String>(test.app.db.read(), used, []).await, ["GOLD"]);
    assert_no_drift(test).await;
    send(test, &event("evt_5", "promotion_code.updated", 5, code(false))).await;
    assert_eq!(sql::column::<String>(test.app.db.read(), used, []).await, ["GOLD"]);
    assert_no_drift(test).await;
}

async fn references_do_not_depend_on_the_order_of_events(test: &TestApp) {
    signed_in(test).await;
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    for same_second in [false, true] {
        for (number, order) in orders.into_iter().enumerate() {
            let name = format!("{number}{same_second}");
            let invoice = |status: &str, payment: Option<&str>| {
                json!({"id": format!("in_{name}"), "object": "invoice", "status": status, "customer": "cus_1",
                    "currency": "usd", "created": 1, "metadata": {"user_id": "ann"},
                    "payment_intent": payment.map(|payment| format!("pi_{payment}_{name}"))})
            };
            let second = |at: i64| if same_second { 0 } else { at };
            let events = [
                event(&format!("evt_a{name}"), "invoice.created", second(1), invoice("draft", Some("a"))),
                event(&format!("evt_b{name}"), "invoice.finalized", second(2), invoice("open", Some("b"))),
                event(&format!("evt_c{name}"), "invoice.voided", second(3), invoice("void", None)),
            ];
            for index in order {
                send(test, &events[index]).await;
            }
            let payment = "SELECT payment FROM provider_objects WHERE external_id = $1";
            let id = format!("in_{name}");
            let payment: Vec<String> = sql::column(test.app.db.read(), payment, [id.into()]).await;
            assert_eq!(payment, [format!("pi_b_{name}")], "{order:?}, in one second: {same_second}");
        }
    }
    assert_no_drift(test).await;
}

async fn an_old_event_that_comes_late_is_added_where_it_belongs(test: &TestApp) {
    signed_in(test).await;
    let update = |id: &str, second: i64, status: &str| {
        event(id, "customer.subscription.updated", second, subscription(status, "old"))
    };
    for (id, second, status) in [("evt_9", 9, "canceled"), ("evt_0", 0, "active"), ("evt_5", 5, "past_due")] {
        send(test, &update(id, second, status)).await;
    }
    let expected = [state(0, "active", None), state(5, "past_due", None), state(9, "canceled", None)];
    assert_eq!(history(test).await, expected);
    let status = "SELECT status FROM subscriptions";
    assert_eq!(sql::column::<String>(test.app.db.read(), status, []).await, ["canceled"]);
    // Another event of an instant that is recorded: the newer of the two counts.
    let mut later = update("evt_5b", 5, "active");
    later["data"]["previous_attributes"] = json!({"status": "past_due"});
    send(test, &later).await;
    let expected = [state(0, "active", None), state(5, "active", None), state(9, "canceled", None)];
    assert_eq!(history(test).await, expected);
    assert_no_drift(test).await;
}

async fn a_pause_begins_where_it_began(test: &TestApp) {
    signed_in(test).await;
    let update = |id: &str, second: i64, paused: bool| {
        let mut subscription = subscription("active", "old");
        subscription["pause_collection"] = if paused { json!({"behavior": "void"}) } else { Value::Null };
        event(id, "customer.subscription.updated", second, subscription)
    };
    let paused_at = async || {
        let row: Vec<entity::subscriptions::Model> =
            sql::models(test.app.db.read(), "SELECT * FROM subscriptions").await;
        row[0].paused_at.map(|at| at.timestamp() - 1_757_000_000)
    };
    for (id, second, paused, expected) in [
        ("evt_0", 0, false, None),
        ("evt_5", 5, true, Some(5)),
        ("evt_7", 7, true, Some(5)),
        ("evt_3", 3, true, Some(3)),
        ("evt_9", 9, false, None),
        ("evt_8", 8, true, None),
    ] {
        send(test, &update(id, second, paused)).await;
        assert_eq!(paused_at().await, expected, "{id}");
        assert_no_drift(test).await;
    }
}

async fn an_event_reads_the_history_from_its_time_on(test: &TestApp) {
    signed_in(test).await;
    let update = |number: i64, status: &str| {
        event(&format!("evt_{number}"), "customer.subscription.updated", number, subscription(status, "old"))
    };
    for number in [0, 1, 2, 5, 6] {
        send(test, &update(number, ["active", "past_due"][usize::from(number % 2 == 1)])).await;
    }
    // A version that is read again would be recorded with another status.
    let payload = match test.app.db.read().get_database_backend() {
        DbBackend::Sqlite => "replace(payload, '\"active\"', '\"trialing\"')",
        _ => "CAST(replace(CAST(payload AS text), '\"active\"', '\"trialing\"') AS jsonb)",
    };
    let change = format!("UPDATE inbox_events SET payload = {payload} WHERE external_id IN ('evt_0', 'evt_2')");
    test.app.db.schema().execute_unprepared(&change).await.unwrap();
    let mut expected = vec![
        state(0, "active", None),
        state(1, "past_due", None),
        state(2, "active", None),
        state(5, "past_due", None),
        state(6, "active", None),
    ];
    send(test, &update(7, "past_due")).await;
    expected.push(state(7, "past_due", None));
    assert_eq!(history(test).await, expected, "the newest event reads the one before it");
    send(test, &update(4, "canceled")).await;
    expected[2] = state(2, "trialing", None);
    expected.insert(3, state(4, "canceled", None));
    assert_eq!(history(test).await, expected, "a late event reads the one before it and those after it");
}
