//! The details of graphql-transport-ws that clients rely on: the handshake, the first message, and operations by id.

use crate::support::live::{Server, Socket, record, soon};
use crate::support::{TestApp, World, both_engines, local_id};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tollgate::changes::Change;

both_engines!(
    the_protocol_is_chosen_among_those_offered,
    a_handshake_that_is_none_is_refused,
    the_first_message_decides_who_calls,
    an_invalid_first_message_closes_the_socket,
    an_id_is_free_again_when_its_operation_has_ended,
    operations_are_independent_of_each_other,
    the_limit_on_operations_counts_those_that_run,
    an_operation_may_be_named_among_several,
    a_client_that_leaves_ends_its_operations,
);

const PAYMENTS: &str = "subscription { paymentRecorded { id } }";

fn payment(world: &World, label: &str) -> Change {
    Change::PaymentRecorded(local_id(world.id("Payment", label)).1, local_id(world.id("Account", label)).1)
}

/// Sends a handshake by hand, and returns the response with all bytes until the server ends the connection or has sent
/// a frame that closes it.
async fn shake_hands(server: &Server, head: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(format!("{head}\r\nhost: test\r\n\r\n").as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    loop {
        let read = soon(stream.read_buf(&mut bytes)).await.unwrap();
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(end) = end {
            let rest = &bytes[end + 4..];
            let is_closed = matches!(rest, [0x88, length, payload @ ..] if payload.len() >= usize::from(*length));
            if read == 0 || is_closed || rest.ends_with(b"}") {
                return (String::from_utf8_lossy(&bytes[..end]).to_lowercase(), rest.to_vec());
            }
        }
        assert!(read > 0, "{}", String::from_utf8_lossy(&bytes));
    }
}

const UPGRADE: &str = "GET /graphql HTTP/1.1\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
    sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==";

async fn the_protocol_is_chosen_among_those_offered(test: &TestApp) {
    let server = Server::start(test).await;
    for offered in ["foo, graphql-transport-ws", "graphql-transport-ws,graphql-ws"] {
        let mut socket = Socket::offering(&server, offered).await;
        socket.say(json!({"type": "connection_init"})).await;
        assert_eq!(socket.hear().await["type"], "connection_ack", "{offered}");
    }
    // The older protocol, whose messages have other names.
    for offered in ["graphql-ws", "foo", "graphql-transport-ws2"] {
        let (head, frame) = shake_hands(&server, &format!("{UPGRADE}\r\nsec-websocket-protocol: {offered}")).await;
        assert!(head.starts_with("http/1.1 101 ") && !head.contains("sec-websocket-protocol"), "{head}");
        assert_eq!(frame[2..4], 4406_u16.to_be_bytes(), "{offered}");
    }
}

async fn a_handshake_that_is_none_is_refused(test: &TestApp) {
    let server = Server::start(test).await;
    for (from, to, status) in [
        ("sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==", "x-other: 1", "400"),
        ("sec-websocket-version: 13", "sec-websocket-version: 8", "400"),
        ("connection: Upgrade", "connection: keep-alive", "400"),
    ] {
        let (head, body) = shake_hands(&server, &UPGRADE.replace(from, to)).await;
        assert!(head.starts_with(&format!("http/1.1 {status} ")), "{to}: {head}");
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["errors"][0]["extensions"]["code"], "BAD_REQUEST", "{to}");
    }
    // Another protocol is ignored, as HTTP allows, and a request without a document remains.
    let (head, _) = shake_hands(&server, &UPGRADE.replace("upgrade: websocket", "upgrade: h2c")).await;
    assert!(head.starts_with("http/1.1 400 "), "{head}");
    let (head, _) = shake_hands(&server, &UPGRADE.replace("GET /graphql", "GET /healthz")).await;
    assert!(head.starts_with("http/1.1 200 "), "{head}");
}

async fn the_first_message_decides_who_calls(test: &TestApp) {
    let server = Server::start(test).await;
    let (alice, admin) = (test.user_token("alice"), test.admin_token());
    let header = format!("Bearer {alice}");
    for (headers, payload, role) in [
        (None, json!({"Authorization": format!("Bearer {admin}")}), "ADMIN"),
        (None, json!({"authorization": format!("bearer {admin}")}), "ADMIN"),
        (None, json!({"token": admin}), "ADMIN"),
        (None, json!({"token": format!("Bearer {admin}")}), "ADMIN"),
        (None, json!({}), "ANONYMOUS"),
        (None, json!({"Authorization": null, "token": null, "other": 1}), "ANONYMOUS"),
        (Some(&header), json!({}), "USER"),
        (Some(&header), json!({"Authorization": format!("Bearer {admin}")}), "ADMIN"),
    ] {
        let headers: Vec<(&str, &str)> = headers.iter().map(|header| ("authorization", header.as_str())).collect();
        let mut socket = Socket::open(&server, &headers).await;
        socket.say(json!({"type": "connection_init", "payload": payload})).await;
        assert_eq!(socket.hear().await, json!({"type": "connection_ack"}), "{payload}");
        socket.ask("1", "{ viewer { role } }", json!({})).await;
        assert_eq!(socket.event("1").await["viewer"]["role"], role, "{payload}");
    }
    // A wrong credential in the request is not forgiven because the first message has none.
    let mut socket = Socket::open(&server, &[("authorization", "Bearer nonsense")]).await;
    socket.say(json!({"type": "connection_init"})).await;
    assert_eq!(socket.closed().await, 4403);
}

async fn an_invalid_first_message_closes_the_socket(test: &TestApp) {
    let server = Server::start(test).await;
    for (message, code) in [
        (json!({"type": "connection_init", "payload": []}), 4400),
        (json!({"type": "connection_init", "payload": "x"}), 4400),
        (json!({"type": "connection_ack"}), 4400),
        (json!({"type": "next", "id": "1", "payload": {}}), 4400),
        (json!({"payload": {}}), 4400),
        (json!(["connection_init"]), 4400),
        (json!({"type": "subscribe", "id": "1", "payload": {"query": "{ __typename }"}}), 4401),
        (json!({"type": "subscribe", "id": "1"}), 4400),
        (json!({"type": "complete"}), 4400),
        (json!({"type": "ping", "payload": []}), 4400),
    ] {
        let mut socket = Socket::open(&server, &[]).await;
        socket.say(message.clone()).await;
        assert_eq!(socket.closed().await, code, "{message}");
    }
    // Before it, pings are answered, and the end of an operation that never began is nothing.
    let mut socket = Socket::open(&server, &[]).await;
    socket.settle().await;
    socket.say(json!({"type": "complete", "id": "1"})).await;
    socket.say(json!({"type": "connection_init", "payload": null})).await;
    assert_eq!(socket.hear().await["type"], "connection_ack");
}

async fn an_id_is_free_again_when_its_operation_has_ended(test: &TestApp) {
    let server = Server::start(test).await;
    let mut socket = Socket::of(&server, Some(&test.admin_token())).await;
    for _ in 0..3 {
        socket.ask("1", "{ __typename }", json!({})).await;
        assert_eq!(socket.event("1").await, json!({"__typename": "Query"}));
        assert_eq!(socket.hear().await, json!({"type": "complete", "id": "1"}));
        socket.ask("1", "{ nope }", json!({})).await;
        assert_eq!(socket.error("1").await, "GRAPHQL_VALIDATION_FAILED");
        socket.watch("1", PAYMENTS, json!({})).await;
        socket.say(json!({"type": "complete", "id": "1"})).await;
    }
    // Ids are texts of the client, whatever they contain.
    for id in ["a b", "\"", "é", "00000000-0000-0000-0000-000000000000"] {
        socket.ask(id, "{ __typename }", json!({})).await;
        socket.event(id).await;
        assert_eq!(socket.hear().await, json!({"type": "complete", "id": id}));
    }
}

async fn operations_are_independent_of_each_other(test: &TestApp) {
    let world = World::make(test).await;
    let server = Server::start(test).await;
    let mut socket = Socket::of(&server, Some(&test.admin_token())).await;
    socket.watch("a", PAYMENTS, json!({})).await;
    socket.watch("b", "subscription { paymentRecorded { chargeStatus } }", json!({})).await;
    socket.ask("c", "{", json!({})).await;
    assert_eq!(socket.error("c").await, "GRAPHQL_PARSE_FAILED");
    record(test, payment(&world, "eve")).await;
    let mut heard = [socket.hear().await, socket.hear().await];
    heard.sort_by_key(|message| message["id"].to_string());
    assert_eq!(heard[0]["payload"]["data"]["paymentRecorded"], json!({"id": world.id("Payment", "eve")}));
    assert_eq!(heard[1]["payload"]["data"]["paymentRecorded"]["chargeStatus"], "SUCCEEDED");
    socket.say(json!({"type": "complete", "id": "a"})).await;
    socket.settle().await;
    record(test, payment(&world, "alice")).await;
    socket.event("b").await;
    socket.settle().await;
}

async fn the_limit_on_operations_counts_those_that_run(test: &TestApp) {
    let server = Server::with(test, |http| http.settings.live.operations = 1).await;
    let mut socket = Socket::of(&server, Some(&test.admin_token())).await;
    // Those that ended, or never began, do not count.
    for id in ["1", "2", "3"] {
        socket.ask(id, "{ __typename }", json!({})).await;
        socket.event(id).await;
        assert_eq!(socket.hear().await["type"], "complete");
        socket.ask(id, "{ nope }", json!({})).await;
        socket.error(id).await;
    }
    socket.watch("4", PAYMENTS, json!({})).await;
    for query in [PAYMENTS, "{ __typename }", "mutation { revokeApiKey(input: {apiKeyId: \"x\"}) { __typename } }"] {
        socket.ask("5", query, json!({})).await;
        assert_eq!(socket.error("5").await, "RATE_LIMITED", "{query}");
    }
    // An id that is in use is a fault of the client in any case.
    socket.ask("4", "{ __typename }", json!({})).await;
    assert_eq!(socket.closed().await, 4409);
}

async fn an_operation_may_be_named_among_several(test: &TestApp) {
    let server = Server::start(test).await;
    let mut socket = Socket::of(&server, Some(&test.admin_token())).await;
    let query = "query A { a: __typename } query B($with: Boolean!) { b: __typename @include(if: $with) __typename }";
    for (payload, data) in [
        (json!({"operationName": "A", "variables": null, "extensions": {}}), json!({"a": "Query"})),
        (json!({"operationName": "B", "variables": {"with": false}}), json!({"__typename": "Query"})),
        (json!({"operationName": "B", "variables": {"with": true}}), json!({"b": "Query", "__typename": "Query"})),
    ] {
        let mut payload = payload;
        payload["query"] = json!(query);
        socket.say(json!({"type": "subscribe", "id": "1", "payload": payload})).await;
        assert_eq!(socket.event("1").await, data);
        assert_eq!(socket.hear().await, json!({"type": "complete", "id": "1"}));
    }
    for (payload, code) in [
        (json!({"query": query}), "GRAPHQL_VALIDATION_FAILED"),
        (json!({"query": query, "operationName": "C"}), "GRAPHQL_VALIDATION_FAILED"),
        (json!({"query": query, "operationName": "B"}), "BAD_USER_INPUT"),
    ] {
        let mut socket = Socket::of(&server, None).await;
        socket.say(json!({"type": "subscribe", "id": "1", "payload": payload})).await;
        assert_eq!(socket.error("1").await, code, "{payload}");
    }
}

async fn a_client_that_leaves_ends_its_operations(test: &TestApp) {
    let world = World::make(test).await;
    let server = Server::start(test).await;
    let mut leaving = Socket::of(&server, Some(&test.admin_token())).await;
    leaving.watch("1", PAYMENTS, json!({})).await;
    let mut staying = Socket::of(&server, Some(&test.admin_token())).await;
    staying.watch("1", PAYMENTS, json!({})).await;
    drop(leaving);
    for label in ["alice", "eve"] {
        record(test, payment(&world, label)).await;
        assert_eq!(staying.event("1").await["paymentRecorded"]["id"], world.id("Payment", label));
    }
    server.stop().await;
    assert_eq!(staying.closed().await, 1001);
}
