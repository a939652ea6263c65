//! GraphQL over WebSocket: who hears what, and how a socket is closed.

use crate::support::live::{Server, Socket, record, soon};
use crate::support::{Engine, TestApp, World, both_engines, global_id, local_id, run};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio_tungstenite::tungstenite::Message;
use tollgate::changes::Change;
use tollgate::error::Error;
use tollgate::http::{ConnectionLimits, Connections};
use uuid::Uuid;

both_engines!(
    each_who_watches_hears_what_they_may_see,
    a_change_is_told_after_its_commit,
    a_socket_is_closed_as_the_protocol_says,
    queries_and_mutations_run_over_a_socket,
    a_forbidden_subscription_is_an_error,
    no_more_runs_than_may,
    a_completed_operation_is_silent,
    a_socket_ends_with_its_credential,
    a_page_of_another_origin_gets_no_socket,
    a_revoked_key_ends_its_socket,
    a_client_that_does_not_answer_is_disconnected,
    a_client_that_does_not_read_is_disconnected,
    a_stop_closes_every_socket,
);

const PAYMENTS: &str = "subscription($account: ID) { paymentRecorded(accountId: $account) {
    id account { id } subscription { id plan { code } } refunds { nodes { id } } } }";
const SUBSCRIPTIONS: &str = "subscription { subscriptionChanged { id status } }";

/// The row of a type with this label, and whose it is.
fn row(world: &World, ty: &str, label: &str) -> (Uuid, Uuid) {
    let id = |ty| local_id(world.id(ty, label)).1;
    (id(ty), if label == "shared" { world.shared } else { id("Account") })
}

fn payment(world: &World, label: &str) -> Change {
    let (payment, account) = row(world, "Payment", label);
    Change::PaymentRecorded(payment, account)
}

async fn each_who_watches_hears_what_they_may_see(test: &TestApp) {
    let world = World::make(test).await;
    let server = Server::start(test).await;
    let mut sockets = Vec::new();
    for (name, token) in [
        ("alice", test.user_token("alice")),
        ("bob", test.user_token("bob")),
        ("carol", test.user_token("carol")),
        ("eve", test.user_token("eve")),
        ("admin", test.admin_token()),
    ] {
        let mut socket = Socket::of(&server, Some(&token)).await;
        socket.watch("payments", PAYMENTS, json!({})).await;
        socket.watch("subscriptions", SUBSCRIPTIONS, json!({})).await;
        sockets.push((name, socket));
    }
    let mut narrow = Socket::of(&server, Some(&test.admin_token())).await;
    narrow.watch("eve's", PAYMENTS, json!({"account": world.id("Account", "eve")})).await;
    narrow.watch("events", "subscription { webhookEventReceived { id state } }", json!({})).await;

    for label in ["alice", "shared", "eve"] {
        record(test, payment(&world, label)).await;
    }
    for (name, socket) in &mut sockets {
        let expected: &[&str] = match *name {
            "alice" => &["alice", "shared"],
            "bob" => &["shared"],
            "carol" => &[],
            "eve" => &["eve"],
            _ => &["alice", "shared", "eve"],
        };
        for label in expected {
            let event = socket.event("payments").await["paymentRecorded"].take();
            assert_eq!(event["id"], world.id("Payment", label), "{name}");
            assert_eq!(event["subscription"]["plan"]["code"], "sold");
            assert_eq!(event["refunds"]["nodes"][0]["id"], world.id("Refund", label));
        }
        socket.settle().await;
    }
    assert_eq!(narrow.event("eve's").await["paymentRecorded"]["id"], world.id("Payment", "eve"));

    // Nothing of the above is still on its way to those who do not hear it: what comes next is the next they may see.
    let (subscription, account) = row(&world, "Subscription", "shared");
    record(test, Change::SubscriptionChanged(subscription, account)).await;
    let event = local_id(world.ids("WebhookEvent")[0]).1;
    record(test, Change::WebhookEventReceived(event)).await;
    assert_eq!(narrow.event("events").await["webhookEventReceived"]["id"], global_id("WebhookEvent", event));
    for (name, socket) in &mut sockets {
        if ["alice", "bob", "admin"].contains(name) {
            let event = socket.event("subscriptions").await["subscriptionChanged"].take();
            assert_eq!(event, json!({"id": world.id("Subscription", "shared"), "status": "ACTIVE"}), "{name}");
        }
        socket.settle().await;
    }
}

async fn a_change_is_told_after_its_commit(test: &TestApp) {
    let world = World::make(test).await;
    let server = Server::start(test).await;
    let mut socket = Socket::of(&server, Some(&test.admin_token())).await;
    socket.watch("1", PAYMENTS, json!({})).await;
    let undone = payment(&world, "alice");
    let refused = test.app.db.write::<(), _>(move |txn| {
        Box::pin(async move {
            tollgate::changes::record(txn, undone).await?;
            Err(Error::NotFound("what it takes"))
        })
    });
    refused.await.unwrap_err();
    // A row that is gone when its event is delivered is skipped.
    record(test, Change::PaymentRecorded(test.app.new_id(), world.shared)).await;
    record(test, payment(&world, "eve")).await;
    assert_eq!(socket.event("1").await["paymentRecorded"]["id"], world.id("Payment", "eve"));
}

async fn a_socket_is_closed_as_the_protocol_says(test: &TestApp) {
    let server = Server::with(test, |http| http.settings.body_bytes = 2_000).await;
    let init = json!({"type": "connection_init"}).to_string();
    let ask = |id: &str, query: &str| json!({"type": "subscribe", "id": id, "payload": {"query": query}}).to_string();
    let bad = |payload: Value| json!({"type": "connection_init", "payload": payload}).to_string();
    let watch = ask("1", SUBSCRIPTIONS);
    let signed_in = bad(json!({"token": test.user_token("alice")}));
    let table: [(u16, Vec<Message>); 15] = [
        (4400, vec!["nonsense".into()]),
        (4400, vec![init.clone().into(), json!({"type": "start", "id": "1"}).to_string().into()]),
        (4400, vec![Message::binary("{}")]),
        (4401, vec![ask("1", "{ __typename }").into()]),
        (4403, vec![bad(json!({"Authorization": "Bearer nonsense"})).into()]),
        (4403, vec![bad(json!({"authorization": "Basic YTpi"})).into()]),
        (4403, vec![bad(json!({"token": "nonsense"})).into()]),
        (4403, vec![bad(json!({"Authorization": 1})).into()]),
        (4403, vec![bad(json!({"Authorization": "Bearer \n"})).into()]),
        (4409, vec![signed_in.clone().into(), watch.clone().into(), watch.clone().into()]),
        (4429, vec![init.clone().into(), init.clone().into()]),
        (1009, vec![init.clone().into(), ask("1", &"x".repeat(2_000)).into()]),
        (4400, vec![init.clone().into(), ask("", "{ __typename }").into()]),
        (4400, vec![signed_in.into(), watch.into(), json!({"type": "next", "id": "1"}).to_string().into()]),
        (4403, vec![bad(json!({"Authorization": format!("Bearer {}x", test.admin_token())})).into()]),
    ];
    for (code, messages) in table {
        let mut socket = Socket::open(&server, &[]).await;
        let told = format!("{messages:?}");
        for message in messages {
            socket.send(message).await;
        }
        assert_eq!(socket.closed().await, code, "{told}");
    }
    let hasty = Server::with(test, |http| http.settings.live.init_limit = Duration::from_millis(10)).await;
    assert_eq!(Socket::open(&hasty, &[]).await.closed().await, 4408);
}

async fn queries_and_mutations_run_over_a_socket(test: &TestApp) {
    let server = Server::start(test).await;
    // The credential may also stand in the request, as for any other.
    let token = format!("Bearer {}", test.admin_token());
    let mut socket = Socket::open(&server, &[("authorization", &token)]).await;
    socket.say(json!({"type": "connection_init", "payload": {}})).await;
    assert_eq!(socket.hear().await["type"], "connection_ack");
    socket.say(json!({"type": "ping", "payload": {"n": 1}})).await;
    assert_eq!(socket.hear().await, json!({"type": "pong", "payload": {"n": 1}}));
    socket.say(json!({"type": "pong"})).await;

    socket.ask("1", "{ viewer { role } }", json!({})).await;
    assert_eq!(socket.event("1").await, json!({"viewer": {"role": "ADMIN"}}));
    assert_eq!(socket.hear().await, json!({"type": "complete", "id": "1"}));
    let create = "mutation($code: String!) {
        createPlan(input: {code: $code, kind: PLAN, name: \"P\", rank: 1}) { plan { code } } }";
    socket.ask("1", create, json!({"code": "a"})).await;
    assert_eq!(socket.event("1").await["createPlan"]["plan"]["code"], "a");
    assert_eq!(socket.hear().await["type"], "complete");
    for (query, code) in [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("{ nope }", "GRAPHQL_VALIDATION_FAILED"),
        ("query($id: ID!) { payment(id: $id) { id } }", "BAD_USER_INPUT"),
    ] {
        socket.ask("2", query, json!({})).await;
        assert_eq!(socket.error("2").await, code, "{query}");
    }
    // The result of an operation arrives as data, including its errors.
    socket.ask("3", "{ payment(id: \"x\") { id } }", json!({})).await;
    let message = socket.hear().await;
    assert_eq!((&message["type"], &message["payload"]["data"]["payment"]), (&json!("next"), &Value::Null));
    assert_eq!(message["payload"]["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    assert_eq!(socket.hear().await["type"], "complete");

    assert_eq!(Socket::without_protocol(&server).await.closed().await, 4406);
}

async fn a_forbidden_subscription_is_an_error(test: &TestApp) {
    let world = World::make(test).await;
    let server = Server::start(test).await;
    let mut anonymous = Socket::of(&server, None).await;
    let mut eve = Socket::of(&server, Some(&test.user_token("eve"))).await;
    for (name, query, code) in [
        ("", SUBSCRIPTIONS, "UNAUTHENTICATED"),
        ("", "subscription { webhookEventReceived { id } }", "UNAUTHENTICATED"),
        ("eve", "subscription { webhookEventReceived { id } }", "FORBIDDEN"),
        ("eve", "subscription { paymentRecorded(accountId: \"x\") { id } }", "BAD_USER_INPUT"),
        ("eve", "subscription { paymentRecorded { id } subscriptionChanged { id } }", "GRAPHQL_VALIDATION_FAILED"),
        ("eve", "subscription { __typename }", "GRAPHQL_VALIDATION_FAILED"),
        (
            "eve",
            "subscription { ...A } fragment A on Live { a: paymentRecorded { id } b: paymentRecorded { id } }",
            "GRAPHQL_VALIDATION_FAILED",
        ),
    ] {
        let socket = if name.is_empty() { &mut anonymous } else { &mut eve };
        socket.ask("1", query, json!({})).await;
        assert_eq!(socket.error("1").await, code, "{query}");
    }
    eve.ask("1", PAYMENTS, json!({"account": world.id("Account", "shared")})).await;
    assert_eq!(eve.error("1").await, "NOT_FOUND");
    let posted = test.user("eve").post(SUBSCRIPTIONS, json!({})).await.json();
    assert_eq!(posted["errors"][0]["extensions"]["code"], "BAD_REQUEST");
    assert!(posted["errors"][0]["message"].as_str().unwrap().contains("graphql-transport-ws"), "{posted}");
}

async fn no_more_runs_than_may(test: &TestApp) {
    let server = Server::with(test, |http| {
        http.settings.live.operations = 2;
        http.connections = Arc::new(Connections::new(ConnectionLimits::all(1)));
    });
    let server = server.await;
    let mut socket = Socket::of(&server, Some(&test.user_token("alice"))).await;
    socket.watch("1", SUBSCRIPTIONS, json!({})).await;
    socket.watch("2", SUBSCRIPTIONS, json!({})).await;
    socket.ask("3", SUBSCRIPTIONS, json!({})).await;
    assert_eq!(socket.error("3").await, "RATE_LIMITED");
    socket.say(json!({"type": "complete", "id": "1"})).await;
    socket.watch("3", SUBSCRIPTIONS, json!({})).await;

    assert_eq!(server.refusal(&[]).await, 503);
    drop(socket);
    // The place is free once the server has seen that the other is gone.
    soon(async { while !Socket::can_open(&server).await {} }).await;
}

async fn a_completed_operation_is_silent(test: &TestApp) {
    let world = World::make(test).await;
    let server = Server::start(test).await;
    let mut socket = Socket::of(&server, Some(&test.admin_token())).await;
    socket.watch("old", PAYMENTS, json!({})).await;
    socket.say(json!({"type": "complete", "id": "old"})).await;
    socket.say(json!({"type": "complete", "id": "unknown"})).await;
    socket.watch("new", PAYMENTS, json!({})).await;
    socket.say(json!({"type": "complete", "id": "new"})).await;
    socket.watch("new", PAYMENTS, json!({})).await;
    record(test, payment(&world, "eve")).await;
    socket.event("new").await;
    socket.settle().await;
}

async fn a_socket_ends_with_its_credential(test: &TestApp) {
    let world = World::make(test).await;
    let server = Server::start(test).await;
    let mut busy = Socket::of(&server, Some(&test.admin_token())).await;
    busy.watch("1", PAYMENTS, json!({})).await;
    let mut asking = Socket::of(&server, Some(&test.admin_token())).await;
    let often = |http: &mut tollgate::http::Http| http.settings.live.keep_alive = Duration::from_millis(500);
    let watchful = Server::with(test, often).await;
    let mut idle = Socket::of(&watchful, Some(&test.user_token("alice"))).await;
    test.advance(chrono::TimeDelta::hours(2));
    assert_eq!(idle.closed().await, 4403);
    record(test, payment(&world, "eve")).await;
    assert_eq!(busy.closed().await, 4403);
    asking.ask("1", "{ viewer { role } }", json!({})).await;
    assert_eq!(asking.closed().await, 4403);
}

async fn a_page_of_another_origin_gets_no_socket(test: &TestApp) {
    let allow = |http: &mut tollgate::http::Http| http.settings.origins = vec!["https://a.example".to_owned()];
    let server = Server::with(test, allow).await;
    assert_eq!(server.refusal(&[("origin", "https://b.example")]).await, 403);
    assert_eq!(server.refusal(&[("origin", "null")]).await, 403);
    let own = format!("http://{}", server.address);
    for origin in ["https://a.example", &own] {
        Socket::open(&server, &[("origin", origin)]).await;
    }
}

async fn a_revoked_key_ends_its_socket(test: &TestApp) {
    let world = World::make(test).await;
    let server = Server::start(test).await;
    let create =
        "mutation { createApiKey(input: {name: \"live\", scopes: [\"billing:read\"]}) { apiKey { id } secret } }";
    let key = test.admin().data(create, json!({})).await["createApiKey"].take();
    let mut socket = Socket::of(&server, key["secret"].as_str()).await;
    socket.watch("1", PAYMENTS, json!({})).await;
    record(test, payment(&world, "eve")).await;
    socket.event("1").await;
    let revoke = "mutation($id: ID!) { revokeApiKey(input: {apiKeyId: $id}) { userErrors { message } } }";
    test.admin().data(revoke, json!({"id": key["apiKey"]["id"]})).await;
    record(test, payment(&world, "eve")).await;
    assert_eq!(socket.closed().await, 4403);
}

async fn a_client_that_does_not_answer_is_disconnected(test: &TestApp) {
    let server = Server::with(test, |http| {
        http.settings.live.keep_alive = Duration::from_millis(500);
        http.connections = Arc::new(Connections::new(ConnectionLimits::all(1)));
    });
    let server = server.await;
    let mut answers = Socket::of(&server, None).await;
    // Pings are answered while the client reads.
    let reading = tokio::time::timeout(Duration::from_millis(2_500), answers.hear());
    reading.await.expect_err("nothing is said, and the socket is open");
    soon(async { while !Socket::can_open(&server).await {} }).await;
}

async fn a_client_that_does_not_read_is_disconnected(test: &TestApp) {
    let server = Server::with(test, |http| {
        http.settings.live.write_limit = Duration::from_millis(50);
        http.connections = Arc::new(Connections::new(ConnectionLimits::all(1)));
    });
    let server = server.await;
    let mut socket = Socket::of(&server, None).await;
    let ping = json!({"type": "ping", "payload": {"much": "x".repeat(500_000)}}).to_string();
    // The response is larger than the buffers on the way.
    soon(async {
        for _ in 0..100 {
            socket.send(ping.clone()).await;
        }
    })
    .await;
    soon(async { while !Socket::can_open(&server).await {} }).await;
}

async fn a_stop_closes_every_socket(test: &TestApp) {
    let server = Server::start(test).await;
    let mut idle = Socket::open(&server, &[]).await;
    let mut busy = Socket::of(&server, Some(&test.admin_token())).await;
    busy.watch("1", PAYMENTS, json!({})).await;
    let told = async { (idle.closed().await, busy.closed().await) };
    assert_eq!(tokio::join!(server.stop(), told).1, (1001, 1001));
}

#[test]
fn a_stop_waits_for_what_runs_on_a_socket() {
    run(Engine::Sqlite, async |test: &TestApp| {
        let server = Server::start(test).await;
        let mut socket = Socket::of(&server, Some(&test.admin_token())).await;
        let (go_on, wait) = tokio::sync::oneshot::channel::<()>();
        let (entered, inside) = tokio::sync::oneshot::channel::<()>();
        // Nothing else is written while this is.
        let write = test.app.db.write(move |_| {
            Box::pin(async move {
                entered.send(()).unwrap();
                let _ = wait.await;
                Ok(())
            })
        });
        let told = async {
            inside.await.unwrap();
            let create =
                "mutation { createPlan(input: {code: \"a\", kind: PLAN, name: \"P\", rank: 1}) { plan { code } } }";
            socket.watch("1", create, json!({})).await;
            let stop = server.stop();
            let rest = async {
                go_on.send(()).unwrap();
                let told = socket.event("1").await;
                assert_eq!(told["createPlan"]["plan"]["code"], "a");
                assert_eq!(socket.hear().await["type"], "complete");
                assert_eq!(socket.closed().await, 1001);
            };
            tokio::join!(stop, rest);
        };
        tokio::join!(async { write.await.unwrap() }, told);
    });
}
