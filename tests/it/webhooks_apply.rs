//! Events that the corpus does not have: references to other objects, and objects without a known owner.

use crate::support::{TestApp, both_engines, sql, webhooks};
use serde_json::{Value, json};
use tollgate::providers::Provider;

both_engines!(
    a_product_may_name_the_plan_of_its_prices,
    a_session_may_name_the_user_of_its_customer,
    a_subscription_to_an_unknown_price_is_kept_and_grants_nothing,
);

fn event(id: &str, kind: &str, object: Value) -> Value {
    json!({"id": id, "object": "event", "api_version": "2025-08-27.basil", "created": 1_757_000_000, "livemode": false,
        "type": kind, "data": {"object": object}})
}

async fn deliver(test: &TestApp, events: &[Value]) {
    for event in events {
        assert_eq!(webhooks::deliver(test, Provider::Stripe, event).await.status, 200);
        test.run_jobs().await;
    }
}

fn price(id: &str, product: &str) -> Value {
    json!({"id": id, "object": "price", "active": true, "created": 1, "currency": "usd", "metadata": {}, "product": product,
        "recurring": {"interval": "month", "interval_count": 1, "usage_type": "licensed"}, "unit_amount": 900})
}

async fn a_product_may_name_the_plan_of_its_prices(test: &TestApp) {
    let product = |id: &str, plan: &str| {
        let metadata = json!({"plan": plan, "tier": "2"});
        json!({"id": id, "object": "product", "active": true, "created": 1, "name": plan, "metadata": metadata})
    };
    let first = event("evt_1", "price.created", price("price_1", "prod_1"));
    deliver(test, &[first, event("evt_2", "product.created", product("prod_1", "one"))]).await;
    let first = event("evt_3", "product.created", product("prod_2", "two"));
    deliver(test, &[first, event("evt_4", "price.created", price("price_2", "prod_2"))]).await;
    let plans = "SELECT p.code FROM provider_prices x JOIN product_versions v ON v.id = x.product_version_id \
         JOIN products p ON p.id = v.product_id ORDER BY x.external_id";
    assert_eq!(sql::column::<String>(test.app.db.read(), plans, []).await, ["one", "two"]);
}

async fn a_session_may_name_the_user_of_its_customer(test: &TestApp) {
    let user = test.user("user_17").data("{ viewer { account { id } } }", json!({})).await;
    let customer =
        |id: &str| json!({"id": id, "object": "customer", "created": 1, "email": "ann@example.com", "metadata": {}});
    let session = |id: &str, customer: &str| {
        json!({"id": id, "object": "checkout.session", "created": 1, "mode": "subscription", "customer": customer,
            "client_reference_id": "somebody else", "payment_status": "paid", "metadata": {"user_id": "user_17"}})
    };
    let first = event("evt_1", "customer.created", customer("cus_1"));
    deliver(test, &[first, event("evt_2", "checkout.session.completed", session("cs_1", "cus_1"))]).await;
    let first = event("evt_3", "checkout.session.completed", session("cs_2", "cus_2"));
    deliver(test, &[first, event("evt_4", "customer.created", customer("cus_2"))]).await;
    let customers =
        "{ providerCustomers(orderBy: {field: CREATED_AT, direction: ASC}) { nodes { externalId account { id } } } }";
    let customers = test.admin().data(customers, json!({})).await["providerCustomers"]["nodes"].take();
    let mut found: Vec<&str> =
        customers.as_array().unwrap().iter().map(|one| one["externalId"].as_str().unwrap()).collect();
    found.sort_unstable();
    assert_eq!(found, ["cus_1", "cus_2"]);
    assert!(customers.as_array().unwrap().iter().all(|one| one["account"]["id"] == user["viewer"]["account"]["id"]));
    test.run_jobs().await;
    let left = "SELECT external_id FROM inbox_events WHERE state <> 'applied'";
    assert_eq!(sql::column::<String>(test.app.db.read(), left, []).await, [""; 0]);
}

async fn a_subscription_to_an_unknown_price_is_kept_and_grants_nothing(test: &TestApp) {
    test.user("user_17").data("{ viewer { account { id } } }", json!({})).await;
    let item = json!({"id": "si_1", "quantity": 1, "price": price("price_9", "prod_9"),
        "current_period_start": 1_757_000_000, "current_period_end": 1_759_592_000});
    let subscription = json!({"id": "sub_1", "object": "subscription", "created": 1_757_000_000, "status": "active",
        "customer": "cus_1", "metadata": {"user_id": "user_17"}, "items": {"data": [item]}});
    deliver(test, &[event("evt_1", "customer.subscription.created", subscription)]).await;
    let mine =
        "{ viewer { account { subscription { id } subscriptions(first: 1) { nodes { externalId planUnknown } } } } }";
    let mine = test.user("user_17").data(mine, json!({})).await["viewer"]["account"].take();
    let held = json!([{"externalId": "sub_1", "planUnknown": true}]);
    assert_eq!((&mine["subscription"], &mine["subscriptions"]["nodes"]), (&Value::Null, &held));
    let notes = "{ webhookEvents(first: 1) { nodes { note } } }";
    let note = test.admin().data(notes, json!({})).await["webhookEvents"]["nodes"][0]["note"].take();
    assert!(note.as_str().unwrap().contains("price_9"), "{note}");
    // Once the price names its plan, the subscription provides it.
    let mut told = price("price_9", "prod_9");
    told["metadata"] = json!({"plan": "pro", "tier": "2"});
    deliver(test, &[event("evt_2", "price.updated", told)]).await;
    let mine = "{ viewer { account { subscription { plan { code } } } } }";
    let mine = test.user("user_17").data(mine, json!({})).await["viewer"]["account"]["subscription"].take();
    assert_eq!(mine["plan"]["code"], "pro");
}
