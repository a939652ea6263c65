//! GraphQL over event streams.

use crate::support::live::{Events, Server, record};
use crate::support::{TestApp, World, both_engines, local_id};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tollgate::changes::Change;
use tollgate::http::{ConnectionLimits, Connections, Http};

both_engines!(
    each_who_watches_by_events_hears_what_they_may_see,
    a_query_is_one_event,
    an_operation_that_cannot_run_is_an_error_and_complete,
    a_stream_ends_with_its_credential,
    a_stop_ends_every_stream,
    there_are_as_many_streams_as_may_be,
);

const PAYMENTS: &str = "subscription { paymentRecorded { id account { id } } }";

fn payment(world: &World, label: &str) -> Change {
    let account = if label == "shared" { world.shared } else { local_id(world.id("Account", label)).1 };
    Change::PaymentRecorded(local_id(world.id("Payment", label)).1, account)
}

async fn each_who_watches_by_events_hears_what_they_may_see(test: &TestApp) {
    let world = World::make(test).await;
    let server = Server::start(test).await;
    let mut eve = Events::of(&server, Some(&test.user_token("eve")), PAYMENTS, json!({})).await;
    let mut admin = Events::of(&server, Some(&test.admin_token()), PAYMENTS, json!({})).await;
    assert_eq!(eve.head[0], "http/1.1 200 ok");
    for header in ["content-type: text/event-stream", "cache-control: no-store", "x-accel-buffering: no"] {
        assert!(eve.head.iter().any(|line| line == header), "{header}: {:?}", eve.head);
    }
    assert!(!eve.head.iter().any(|line| line.starts_with("content-encoding")), "{:?}", eve.head);
    for label in ["alice", "shared", "eve"] {
        record(test, payment(&world, label)).await;
        assert_eq!(admin.event().await["paymentRecorded"]["id"], world.id("Payment", label));
    }
    assert_eq!(eve.event().await["paymentRecorded"]["id"], world.id("Payment", "eve"));
}

async fn a_query_is_one_event(test: &TestApp) {
    let server = Server::start(test).await;
    let mut events = Events::of(&server, Some(&test.admin_token()), "{ viewer { role } }", json!({})).await;
    assert_eq!(events.line().await, "event: next");
    assert_eq!(events.line().await, "data: {\"data\":{\"viewer\":{\"role\":\"ADMIN\"}}}");
    assert_eq!(events.next().await, Some(("complete".to_owned(), Value::Null)));
    assert_eq!(events.next().await, None);
    let mut events = Events::request(&server, "GET /graphql?query=%7B__typename%7D HTTP/1.1\r\n", "").await;
    assert_eq!(events.event().await, json!({"__typename": "Query"}));
}

async fn an_operation_that_cannot_run_is_an_error_and_complete(test: &TestApp) {
    let server = Server::start(test).await;
    for (query, code) in
        [("{", "GRAPHQL_PARSE_FAILED"), ("{ nope }", "GRAPHQL_VALIDATION_FAILED"), (PAYMENTS, "UNAUTHENTICATED")]
    {
        assert_eq!(Events::of(&server, None, query, json!({})).await.error().await, code);
    }
    let mutation = "GET /graphql?query=mutation%7BrevokeApiKey(input:%7BapiKeyId:1%7D)%7B__typename%7D%7D HTTP/1.1\r\n";
    assert_eq!(Events::request(&server, mutation, "").await.error().await, "BAD_REQUEST");
    let malformed = "POST /graphql HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: 2\r\n";
    for (head, body, status) in [
        (malformed, "{}", "http/1.1 400 bad request"),
        (malformed, "[]", "http/1.1 400 bad request"),
        (&format!("{malformed}authorization: Bearer x\r\n"), "{}", "http/1.1 401 unauthorized"),
    ] {
        let refused = Events::request(&server, head, body).await;
        assert_eq!(refused.head[0], status);
        assert!(refused.head.iter().any(|line| line == "content-type: application/json; charset=utf-8"));
    }
}

async fn a_stream_ends_with_its_credential(test: &TestApp) {
    let world = World::make(test).await;
    let often = |http: &mut Http| http.settings.live.keep_alive = Duration::from_millis(20);
    let (server, watchful) = (Server::start(test).await, Server::with(test, often).await);
    let mut idle = Events::of(&watchful, Some(&test.user_token("alice")), PAYMENTS, json!({})).await;
    let mut busy = Events::of(&server, Some(&test.admin_token()), PAYMENTS, json!({})).await;
    assert_eq!(idle.line().await, ":");
    test.advance(chrono::TimeDelta::hours(2));
    assert_eq!(idle.error().await, "UNAUTHENTICATED");
    record(test, payment(&world, "eve")).await;
    assert_eq!(busy.error().await, "UNAUTHENTICATED");
}

async fn a_stop_ends_every_stream(test: &TestApp) {
    let server = Server::start(test).await;
    let mut events = Events::of(&server, Some(&test.admin_token()), PAYMENTS, json!({})).await;
    // It is not complete: the client is to come again.
    assert_eq!(tokio::join!(server.stop(), events.next()).1, None);
}

async fn there_are_as_many_streams_as_may_be(test: &TestApp) {
    let server =
        Server::with(test, |http| http.connections = Arc::new(Connections::new(ConnectionLimits::all(1)))).await;
    let token = test.admin_token();
    let events = Events::of(&server, Some(&token), PAYMENTS, json!({})).await;
    let refused = Events::of(&server, Some(&token), PAYMENTS, json!({})).await;
    assert_eq!(refused.head[0], "http/1.1 503 service unavailable");
    drop(events);
    while Events::of(&server, Some(&token), PAYMENTS, json!({})).await.head[0] != "http/1.1 200 ok" {}
}
