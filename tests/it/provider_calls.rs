//! The list of requests to Stripe, for operators.

use crate::support::{Shop, both_engines};
use chrono::TimeDelta;
use sandbox::Fault;
use serde_json::{Value, json};
use tollgate::auth::Permission;

both_engines!(calls_are_listed_with_their_results, the_scope_of_calls_does_not_show_people, the_metrics_count_calls);

const CALLS: &str =
    "query($filter: ProviderCallFilter) { providerCalls(filter: $filter) { totalCount nodes { id callOperation
    actor callState attempts method path params objectType objectId errorCode createdAt triedAt settledAt
    billedAccount { id } } } }";
const COUPON: &str = "mutation($input: CreateCouponInput!) { createCoupon(input: $input) { userErrors { code } } }";
const PORTAL_CUSTOMER: &str = "mutation($input: CreatePromoCodeInput!) { createPromoCode(input: $input) {
    userErrors { code } } }";

fn quarter(code: &str) -> Value {
    json!({"input": {"code": code, "name": "A quarter off", "percentBasisPoints": 2500, "duration": "ONCE",
        "idempotencyKey": code}})
}

/// One call that Stripe did, one that it refused, and one that waits.
async fn calls(shop: &Shop) {
    let admin = shop.test.admin();
    admin.data(COUPON, quarter("DONE")).await;
    shop.advance(TimeDelta::seconds(1)).await;
    shop.stripe.fail_next(Fault::Answer { status: 400, should_retry: None, acted: false, saved: true });
    admin.data(COUPON, quarter("REFUSED")).await;
    shop.advance(TimeDelta::seconds(1)).await;
    shop.stripe.fail_next(Fault::Answer { status: 500, should_retry: Some(false), acted: false, saved: false });
    assert_eq!(admin.code(COUPON, quarter("WAITS")).await, "PROVIDER_UNAVAILABLE");
}

async fn calls_are_listed_with_their_results(shop: &Shop) {
    calls(shop).await;
    let all = shop.test.admin().data(CALLS, json!({})).await["providerCalls"].take();
    let nodes = all["nodes"].as_array().unwrap();
    let states: Vec<&Value> = nodes.iter().map(|node| &node["callState"]).collect();
    assert_eq!(states, ["PENDING", "REFUSED", "DONE"], "newest first");
    assert_eq!(all["totalCount"], 3);
    let done = &nodes[2];
    assert_eq!(
        (&done["callOperation"], &done["path"], &done["method"]),
        (&json!("coupons.create"), &json!("coupons"), &json!("POST"))
    );
    assert_eq!(
        (&done["objectType"], &done["objectId"], &done["attempts"]),
        (&json!("coupon"), &json!("DONE"), &json!(1))
    );
    assert_eq!((&done["params"]["id"], &done["billedAccount"]), (&json!("DONE"), &Value::Null));
    assert_eq!((&nodes[0]["settledAt"], &nodes[0]["objectId"]), (&Value::Null, &Value::Null));
    assert!(nodes[1]["errorCode"].is_string() && nodes[0]["triedAt"].is_string());
    for (filter, count) in [
        (json!({"state": "REFUSED"}), 1),
        (json!({"createdAt": {"from": done["createdAt"], "to": nodes[1]["createdAt"]}}), 1),
        (json!({"accountId": crate::support::global_id("Account", shop.test.app.new_id())}), 0),
    ] {
        let found = shop.test.admin().data(CALLS, json!({"filter": filter})).await;
        assert_eq!(found["providerCalls"]["totalCount"], count, "{filter}");
    }
    let node = "query($id: ID!) { node(id: $id) { id ... on ProviderCall { callState } } }";
    let found = shop.test.admin().data(node, json!({"id": done["id"]})).await;
    assert_eq!(found["node"]["callState"], "DONE");
    assert_eq!(shop.test.user("ann").data(node, json!({"id": done["id"]})).await["node"], Value::Null);
    shop.advance(TimeDelta::hours(1)).await;
    shop.deliver().await;
    let left = shop.test.admin().data(CALLS, json!({"filter": {"state": "PENDING"}})).await;
    assert_eq!(left["providerCalls"]["totalCount"], 0, "a worker made it");
}

async fn the_scope_of_calls_does_not_show_people(shop: &Shop) {
    let ann = shop.test.user("ann").data("{ viewer { account { id } } }", json!({})).await;
    shop.test.admin().data(COUPON, quarter("ANN")).await;
    let coupons = shop.test.admin().data("{ coupons { nodes { id } } }", json!({})).await;
    let input = json!({"couponId": coupons["coupons"]["nodes"][0]["id"], "code": "ANN", "idempotencyKey": "ann",
        "accountId": ann["viewer"]["account"]["id"]});
    shop.test.admin().data(PORTAL_CUSTOMER, json!({"input": input})).await;
    let filter = json!({"filter": {"accountId": ann["viewer"]["account"]["id"]}});
    let whole = shop.test.admin().data(CALLS, filter.clone()).await["providerCalls"]["nodes"].take();
    assert_eq!(whole[0]["callOperation"], "customers.create");
    assert_eq!(whole[0]["billedAccount"], ann["viewer"]["account"]);
    assert!(whole[0]["params"]["metadata"].is_object());
    let operator = shop.test.service(&[Permission::OperationsRead]);
    let part = operator.data(CALLS, filter.clone()).await["providerCalls"]["nodes"].take();
    assert_eq!((&part[0]["params"], &part[0]["billedAccount"]), (&Value::Null, &Value::Null));
    assert_eq!(part[0]["objectId"], whole[0]["objectId"]);
    for caller in [shop.test.service(&[Permission::BillingRead]), shop.test.user("ann")] {
        assert_eq!(caller.code(CALLS, filter.clone()).await, "FORBIDDEN");
    }
    shop.deliver().await;
}

async fn the_metrics_count_calls(shop: &Shop) {
    calls(shop).await;
    shop.test.advance(TimeDelta::seconds(7));
    let request = axum::http::Request::get("/metrics")
        .header("authorization", format!("Bearer {}", shop.test.admin_token()))
        .body(axum::body::Body::empty());
    let text = shop.test.send(request.unwrap()).await.body;
    for line in [
        "tollgate_provider_calls{state=\"pending\"} 1",
        "tollgate_provider_calls{state=\"refused\"} 1",
        "tollgate_provider_calls{state=\"abandoned\"} 0",
        "tollgate_provider_calls{state=\"unresolved\"} 0",
        "tollgate_provider_calls_oldest_pending_seconds 7",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
    shop.advance(TimeDelta::hours(1)).await;
    shop.deliver().await;
}
