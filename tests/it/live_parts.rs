//! GraphQL over multipart responses, as Apollo's clients subscribe.

use crate::persisted_queries::{get, persisted, post, sha256};
use crate::support::live::{Server, record};
use crate::support::parts::{APOLLO, Parts};
use crate::support::{TestApp, World, both_engines, local_id};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tollgate::changes::Change;
use tollgate::http::{ConnectionLimits, Connections, Http};

both_engines!(
    each_who_subscribes_by_parts_hears_what_they_may_see,
    a_query_is_one_part,
    an_operation_that_cannot_run_is_a_payload_with_errors,
    a_request_that_is_refused_has_no_parts,
    the_type_of_the_response_is_the_one_preferred,
    the_transport_ends_with_the_credential,
    a_stop_ends_every_response,
    there_are_as_many_responses_as_may_be,
    a_persisted_subscription_is_found_by_its_hash,
);

const PAYMENTS: &str = "subscription { paymentRecorded { id account { id } } }";
const JSON: &str = "application/json; charset=utf-8";
const PARTS: &str = "multipart/mixed;boundary=\"graphql\";subscriptionSpec=1.0";

fn payment(world: &World, label: &str) -> Change {
    let account = if label == "shared" { world.shared } else { local_id(world.id("Account", label)).1 };
    Change::PaymentRecorded(local_id(world.id("Payment", label)).1, account)
}

/// Settings with which an open response is checked often.
fn often(http: &mut Http) {
    http.settings.live.keep_alive = Duration::from_millis(20);
}

async fn each_who_subscribes_by_parts_hears_what_they_may_see(test: &TestApp) {
    let world = World::make(test).await;
    let server = Server::start(test).await;
    let mut eve = Parts::of(&server, Some(&test.user_token("eve")), PAYMENTS).await;
    let mut admin = Parts::of(&server, Some(&test.admin_token()), PAYMENTS).await;
    assert_eq!(eve.head[0], "http/1.1 200 ok");
    let content_type = format!("content-type: {}", PARTS.to_lowercase());
    for header in
        [content_type.as_str(), "cache-control: no-store", "x-accel-buffering: no", "transfer-encoding: chunked"]
    {
        assert!(eve.head.iter().any(|line| line == header), "{header}: {:?}", eve.head);
    }
    assert!(!eve.head.iter().any(|line| line.starts_with("content-encoding")), "{:?}", eve.head);
    for label in ["alice", "shared", "eve"] {
        record(test, payment(&world, label)).await;
        assert_eq!(admin.event().await["paymentRecorded"]["id"], world.id("Payment", label));
    }
    assert_eq!(eve.event().await["paymentRecorded"]["id"], world.id("Payment", "eve"));
    assert!(!eve.complete && !admin.complete);
}

async fn a_query_is_one_part(test: &TestApp) {
    let server = Server::start(test).await;
    let mut parts = Parts::of(&server, Some(&test.admin_token()), "{ viewer { role } }").await;
    assert_eq!(parts.part().await, Some(json!({"payload": {"data": {"viewer": {"role": "ADMIN"}}}})));
    parts.end().await;
    let mut parts = Parts::request(&server, "GET /graphql?query=%7B__typename%7D HTTP/1.1\r\n", "").await;
    assert_eq!(parts.event().await, json!({"__typename": "Query"}));
    parts.end().await;
    // An error of a field is part of the payload, beside the data.
    let mut parts = Parts::of(&server, Some(&test.admin_token()), "{ payment(id: \"x\") { id } }").await;
    let part = parts.next().await.unwrap();
    assert_eq!(part["payload"]["data"], json!({"payment": null}));
    assert_eq!(part["payload"]["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    parts.end().await;
}

async fn an_operation_that_cannot_run_is_a_payload_with_errors(test: &TestApp) {
    let server = Server::start(test).await;
    for (query, code) in
        [("{", "GRAPHQL_PARSE_FAILED"), ("{ nope }", "GRAPHQL_VALIDATION_FAILED"), (PAYMENTS, "UNAUTHENTICATED")]
    {
        assert_eq!(Parts::of(&server, None, query).await.error().await, code);
    }
    let mutation = "GET /graphql?query=mutation%7BrevokeApiKey(input:%7BapiKeyId:1%7D)%7B__typename%7D%7D HTTP/1.1\r\n";
    assert_eq!(Parts::request(&server, mutation, "").await.error().await, "BAD_REQUEST");
}

async fn a_request_that_is_refused_has_no_parts(test: &TestApp) {
    let server = Server::start(test).await;
    let malformed = "POST /graphql HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: 2\r\n";
    for (head, body, status) in [
        (malformed, "{}", "http/1.1 400 bad request"),
        (malformed, "[]", "http/1.1 400 bad request"),
        (malformed, "{,", "http/1.1 400 bad request"),
        (&malformed.replace("json", "xml"), "{}", "http/1.1 415 unsupported media type"),
        (&format!("{malformed}authorization: Bearer x\r\n"), "{}", "http/1.1 401 unauthorized"),
    ] {
        let refused = Parts::request(&server, head, body).await;
        assert_eq!(refused.head[0], status);
        assert!(refused.head.iter().any(|line| *line == format!("content-type: {JSON}")), "{:?}", refused.head);
    }
    let batch = json!([{"query": "{ __typename }"}, {"query": "{ __typename }"}]).to_string();
    assert_eq!(Parts::post(&server, None, &batch).await.head[0], "http/1.1 400 bad request");
}

async fn the_type_of_the_response_is_the_one_preferred(test: &TestApp) {
    let graphql = "application/graphql-response+json; charset=utf-8";
    let body = json!({"query": "{ __typename }"});
    for (accept, expected) in [
        (APOLLO, PARTS),
        ("multipart/mixed;subscriptionSpec=1.0", PARTS),
        ("multipart/mixed; boundary=\"graphql\"; subscriptionSpec=\"1.0\", application/json", PARTS),
        ("Multipart/Mixed; SubscriptionSpec=1.0", PARTS),
        ("application/json;q=0.5, multipart/mixed;subscriptionSpec=1.0;q=0.6", PARTS),
        ("multipart/mixed;subscriptionSpec=1.0;q=0.4, application/json;q=0.5", JSON),
        ("multipart/mixed;subscriptionSpec=1.0;q=0, application/json", JSON),
        ("application/json, multipart/mixed;subscriptionSpec=1.0", JSON),
        // The protocol of `@defer`, and others with parts.
        ("multipart/mixed;deferSpec=20220824,application/json", JSON),
        ("multipart/mixed, application/graphql-response+json", graphql),
        ("multipart/*, application/json;q=0.1", JSON),
        ("multipart/mixed;subscriptionSpec=2.0, application/json", JSON),
        ("*/*", JSON),
        ("text/event-stream, multipart/mixed", "text/event-stream"),
        ("multipart/mixed", ""),
        ("multipart/mixed;subscriptionSpec=2.0", ""),
    ] {
        for reply in [post(test, accept, &body).await, get(test, accept, &body).await] {
            if expected.is_empty() {
                assert_eq!(reply.status.as_u16(), 406, "{accept}");
            } else {
                assert_eq!(reply.headers["content-type"], expected, "{accept}");
                assert!(reply.body.contains("\"__typename\":\"Query\""), "{accept}: {}", reply.body);
            }
        }
    }
}

async fn the_transport_ends_with_the_credential(test: &TestApp) {
    let world = World::make(test).await;
    let (server, watchful) = (Server::start(test).await, Server::with(test, often).await);
    let mut idle = Parts::of(&watchful, Some(&test.user_token("alice")), PAYMENTS).await;
    let mut busy = Parts::of(&server, Some(&test.admin_token()), PAYMENTS).await;
    // A heartbeat.
    assert_eq!(idle.part().await, Some(json!({})));
    assert_eq!(idle.part().await, Some(json!({})));
    test.advance(chrono::TimeDelta::hours(2));
    assert_eq!(idle.interruption().await, "UNAUTHENTICATED");
    record(test, payment(&world, "eve")).await;
    assert_eq!(busy.interruption().await, "UNAUTHENTICATED");
}

async fn a_stop_ends_every_response(test: &TestApp) {
    let server = Server::start(test).await;
    let mut parts = Parts::of(&server, Some(&test.admin_token()), PAYMENTS).await;
    let ((), code) = tokio::join!(server.stop(), parts.interruption());
    assert_eq!(code, "SERVICE_UNAVAILABLE");
}

async fn there_are_as_many_responses_as_may_be(test: &TestApp) {
    let one = |http: &mut Http| http.connections = Arc::new(Connections::new(ConnectionLimits::all(1)));
    let server = Server::with(test, one).await;
    let token = test.admin_token();
    let parts = Parts::of(&server, Some(&token), PAYMENTS).await;
    let refused = Parts::of(&server, Some(&token), PAYMENTS).await;
    assert_eq!(refused.head[0], "http/1.1 503 service unavailable");
    drop(parts);
    while Parts::of(&server, Some(&token), PAYMENTS).await.head[0] != "http/1.1 200 ok" {}
}

async fn a_persisted_subscription_is_found_by_its_hash(test: &TestApp) {
    let world = World::make(test).await;
    let server = Server::start(test).await;
    let token = test.admin_token();
    let by_hash = json!({"extensions": persisted(&sha256(PAYMENTS))}).to_string();
    let mut unknown = Parts::post(&server, Some(&token), &by_hash).await;
    assert_eq!(unknown.error().await, "PERSISTED_QUERY_NOT_FOUND");
    let both = json!({"query": PAYMENTS, "extensions": persisted(&sha256(PAYMENTS))}).to_string();
    let mut first = Parts::post(&server, Some(&token), &both).await;
    let mut second = Parts::post(&server, Some(&token), &by_hash).await;
    record(test, payment(&world, "eve")).await;
    for parts in [&mut first, &mut second] {
        let id: Value = parts.event().await["paymentRecorded"]["id"].take();
        assert_eq!(id, world.id("Payment", "eve"));
    }
}
