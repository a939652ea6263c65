//! Requests: keys, faults, parameters, lists.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use futures_util::FutureExt as _;
use serde_json::json;

use super::*;
use crate::Fault;

#[tokio::test]
async fn a_request_that_comes_again_is_answered_as_before() {
    let shop = Shop::open().await;
    let pairs = [("email", "ann@example.com")];
    let first = shop.send("POST", "customers", &pairs, Some("k1")).await;
    let again = shop.send("POST", "customers", &pairs, Some("k1")).await;
    assert_eq!(first.json(), again.json());
    assert_eq!(
        (first.headers.get("idempotent-replayed").is_some(), again.headers["idempotent-replayed"].len()),
        (false, 4)
    );
    let other = shop.send("POST", "customers", &[("email", "bob@example.com")], Some("k1")).await;
    assert_eq!((other.status, other.json()["error"]["type"].as_str().unwrap()), (400, "idempotency_error"));
    assert_eq!(shop.sandbox.objects("customer").len(), 2);
    shop.pass(2);
    let late = shop.send("POST", "customers", &pairs, Some("k1")).await;
    assert_ne!(first.json()["id"], late.json()["id"]);
}

#[tokio::test]
async fn refusals_are_kept_and_malformed_requests_are_not() {
    let shop = Shop::open().await;
    let malformed = shop.send("POST", "refunds", &[("amont", "5")], Some("k1")).await;
    assert_eq!((malformed.status, malformed.code()), (400, "parameter_unknown"));
    let pairs = [("payment_intent", "pi_none")];
    let refused = shop.send("POST", "refunds", &pairs, Some("k1")).await;
    assert_eq!((refused.status, refused.code()), (400, "resource_missing"));
    let again = shop.send("POST", "refunds", &pairs, Some("k1")).await;
    assert!(again.headers.contains_key("idempotent-replayed"));
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_there_the_next_time() {
    let shop = Shop::open().await;
    let pairs = [("email", "ann@example.com")];
    for (fault, customers) in [(Fault::RefuseBefore, 1), (Fault::CutAfter, 2)] {
        shop.sandbox.fail_next(fault);
        assert!(shop.send("POST", "customers", &pairs, Some("k1")).await.body.is_none());
        assert_eq!(shop.sandbox.objects("customer").len(), customers);
    }
    let again = shop.send("POST", "customers", &pairs, Some("k1")).await;
    assert_eq!(again.headers["idempotent-replayed"], "true");
    assert_eq!(again.json()["email"], "ann@example.com");
    assert_eq!(shop.sandbox.objects("customer").len(), 2);
}

#[tokio::test]
async fn errors_are_answered_as_asked_for() {
    let shop = Shop::open().await;
    let answer = |status, should_retry, acted, saved| Fault::Answer { status, should_retry, acted, saved };
    for (number, fault, then, customers) in [
        (1, answer(429, None, false, false), 200, 2),
        (2, answer(500, Some(false), true, true), 500, 3),
        (3, answer(503, Some(true), true, false), 200, 4),
        (4, answer(500, None, false, true), 500, 4),
    ] {
        let key = format!("k{number}");
        shop.sandbox.fail_next(fault);
        let got = shop.send("POST", "customers", &[], Some(&key)).await;
        let Fault::Answer { status, should_retry, .. } = fault else { unreachable!() };
        assert_eq!(got.status, status);
        let said = got.headers.get("stripe-should-retry").map(|word| word == "true");
        assert_eq!((said, got.headers.contains_key("retry-after")), (should_retry, status == 429));
        assert_eq!(shop.send("POST", "customers", &[], Some(&key)).await.status, then, "{number}");
        assert_eq!(shop.sandbox.objects("customer").len(), customers, "{number}");
    }
}

#[tokio::test]
async fn a_key_is_in_use_while_its_request_hangs() {
    let shop = Shop::open().await;
    shop.sandbox.fail_next(Fault::HangBefore);
    {
        let mut hanging = Box::pin(shop.send("POST", "customers", &[], Some("k1")));
        assert!((&mut hanging).now_or_never().is_none());
        let second = shop.send("POST", "customers", &[], Some("k1")).await;
        assert_eq!((second.status, second.code()), (409, "idempotency_key_in_use"));
    }
    assert_eq!(shop.send("POST", "customers", &[], Some("k1")).await.status, 200);
    shop.sandbox.fail_next(Fault::HangAfter);
    let hanging = shop.send("POST", "customers", &[], Some("k2"));
    assert!(tokio::time::timeout(Duration::from_millis(5), hanging).await.is_err());
    let again = shop.send("POST", "customers", &[], Some("k2")).await;
    assert!(again.headers.contains_key("idempotent-replayed"));
}

#[tokio::test]
async fn chance_is_the_same_for_the_same_seed() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let shop = Shop::open().await;
        shop.sandbox.fail_with(50, 7);
        let mut run = Vec::new();
        for _ in 0..30 {
            let got = shop.post("customers", &[]).await;
            run.push((got.status, got.body.is_some()));
        }
        runs.push(run);
    }
    assert_eq!(runs[0], runs[1]);
    assert!(runs[0].contains(&(200, true)) && runs[0].contains(&(200, false)) && runs[0].iter().any(|run| run.0 > 400));
}

#[tokio::test]
async fn wrong_requests_are_visible() {
    let shop = Shop::open().await;
    let customer = shop.customer.clone();
    let mut request = Request::builder().uri("/v1/customers").header("authorization", "Bearer sk_test_other");
    request = request.header("host", "stripe.test");
    let stranger = shop.ask(request.body(Body::empty()).unwrap()).await;
    assert_eq!((stranger.status, stranger.code()), (401, "invalid_api_key"));
    for (path, pairs, status, code) in [
        ("customers", &[("e_mail", "x")][..], 400, "parameter_unknown"),
        ("customers", &[("metadata[a][b]", "x")], 400, "parameter_unknown"),
        ("subscriptions", &[("customer", &customer)], 400, "parameter_missing"),
        ("subscriptions", &[("customer", "cus_none")], 400, "resource_missing"),
        ("customers/cus_none", &[], 404, "resource_missing"),
        (
            "prices",
            &[("product", "prod_pro"), ("currency", "usd"), ("unit_amount", "x")],
            400,
            "parameter_invalid_integer",
        ),
        ("nowhere", &[], 404, ""),
    ] {
        let got = shop.post(path, pairs).await;
        assert_eq!((got.status, got.code()), (status, code), "{path} {pairs:?}: {}", got.json());
    }
    let seen = shop.sandbox.requests();
    assert_eq!(seen[0].path, "/v1/products");
    assert_eq!(seen[0].params, json!({"id": "prod_pro", "name": "Pro", "metadata": {"plan": "pro"}}));
}

#[tokio::test]
async fn lists_have_pages_and_filters() {
    let shop = Shop::open().await;
    for number in 0..5 {
        shop.pass(1);
        shop.ok("customers", &[("email", &format!("{number}@example.com"))]).await;
    }
    let page = shop.get("customers", &[("limit", "2")]).await;
    assert_eq!((at(&page, "/data/0/email"), page["has_more"].clone()), (json!("4@example.com"), json!(true)));
    let after = at(&page, "/data/1/id");
    let rest = shop.get("customers", &[("limit", "100"), ("starting_after", after.as_str().unwrap())]).await;
    assert_eq!((rest["data"].as_array().unwrap().len(), rest["has_more"].clone()), (4, json!(false)));
    let since = (START + 4 * 86_400).to_string();
    let late = shop.get("customers", &[("created[gte]", &since)]).await;
    assert_eq!(late["data"].as_array().unwrap().len(), 2);
    let events = shop.get("events", &[("types[]", "customer.created"), ("created[gte]", &since)]).await;
    assert_eq!(events["data"].as_array().unwrap().len(), 2);
    shop.new_event_types();
    shop.ok("customers", &[]).await;
    let missed = shop.get("events", &[("delivery_success", "false")]).await;
    assert_eq!(missed["data"].as_array().unwrap().len(), 1);
    let prices = shop.get("prices", &[("active", "true"), ("product", "prod_pro"), ("expand[]", "data.product")]).await;
    assert_eq!(at(&prices, "/data/0/product/name"), "Pro");
    assert_eq!(at(&prices, "/data/2/id"), shop.monthly.as_str());
}

#[tokio::test]
async fn an_empty_value_unsets() {
    let shop = Shop::open().await;
    let path = format!("customers/{}", shop.customer);
    let changed = shop.ok(&path, &[("metadata[user_id]", ""), ("metadata[b.c]", "1"), ("email", "")]).await;
    assert_eq!((&changed["metadata"], &changed["email"]), (&json!({"b.c": "1"}), &json!(null)));
    let event = shop.sandbox.events().pop().unwrap();
    assert_eq!(event["type"], "customer.updated");
    let previous = json!({"email": "jo@example.com", "metadata": {"user_id": "u_1", "b.c": null}});
    assert_eq!(event["data"]["previous_attributes"], previous);
    let bare = shop.ok(&path, &[("metadata", "")]).await;
    assert_eq!(bare["metadata"], json!({}));
}
