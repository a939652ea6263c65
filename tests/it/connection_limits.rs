//! Limits on connections: silent ones end, and no address and no anonymous crowd can take all of them.

use crate::support::live::{Events, Server, Socket, record, soon};
use crate::support::parts::Parts;
use crate::support::{SECRET, TestApp, World, both_engines, local_id};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::get;
use futures_util::stream;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tollgate::changes::Change;

both_engines!(
    a_connection_without_a_request_is_closed,
    a_connection_between_requests_is_closed,
    a_body_that_does_not_arrive_is_refused,
    a_response_in_progress_is_no_silence,
    an_http2_connection_is_limited_like_others,
    a_client_that_does_not_read_a_response_is_disconnected,
    a_client_that_reads_slowly_gets_all_of_a_response,
    one_address_has_no_more_requests_in_progress_than_connections,
    silent_connections_make_room,
    a_trusted_proxy_may_have_any_number_of_connections,
    one_address_has_no_more_sockets_than_it_may,
    sockets_without_a_credential_make_room,
    anonymous_callers_leave_room_for_others,
    anonymous_callers_may_be_kept_from_sockets,
);

const PAYMENTS: &str = "subscription { paymentRecorded { id } }";
const HEALTH: &str = "GET /healthz HTTP/1.1\r\nhost: test\r\n\r\n";
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// An HTTP/2 frame with settings, all of them defaults.
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

/// Starts a server with these settings, on the same database.
async fn server(test: &TestApp, settings: &[(&str, &str)]) -> Server {
    Server::start(&configured(test, settings).await).await
}

async fn configured(test: &TestApp, settings: &[(&str, &str)]) -> TestApp {
    test.beside(&[&[("TOLLGATE_JWT_HS256_SECRET", SECRET)], settings].concat()).await
}

async fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(server.address).await.unwrap()
}

/// Everything that arrives until the server closes the connection.
async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A reset is an end too.
    let _ = soon(stream.read_to_end(&mut bytes)).await;
    bytes
}

/// Sends a request, and reads its response, which ends with a JSON object.
async fn ask(stream: &mut TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = Vec::new();
    while !response.ends_with(b"}") {
        let mut byte = [0];
        assert_eq!(soon(stream.read(&mut byte)).await.unwrap(), 1, "{}", String::from_utf8_lossy(&response));
        response.push(byte[0]);
    }
    String::from_utf8(response).unwrap()
}

async fn a_connection_without_a_request_is_closed(test: &TestApp) {
    let server = server(test, &[("TOLLGATE_REQUEST_HEAD_TIMEOUT_MS", "100")]).await;
    for sent in [
        "",
        "G",
        "GET /healthz HTTP/1.1\r\n",
        "GET /healthz HTTP/1.1\r\nhost: test\r\nx-slow: ",
        // Not even the preface of HTTP/2 is complete.
        "PRI * HTTP/2.0\r\n\r\n",
    ] {
        let mut stream = connect(&server).await;
        stream.write_all(sent.as_bytes()).await.unwrap();
        let answer = rest(&mut stream).await;
        assert!(!String::from_utf8_lossy(&answer).starts_with("HTTP/1.1 200"), "{sent:?}");
    }
    // Whoever sends a request in time is answered, also with a head in pieces.
    let patient = Server::start(test).await;
    let mut stream = connect(&patient).await;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: te").await.unwrap();
    assert!(ask(&mut stream, "st\r\n\r\n").await.starts_with("HTTP/1.1 200"));
}

async fn a_connection_between_requests_is_closed(test: &TestApp) {
    let server = server(test, &[("TOLLGATE_KEEP_ALIVE_TIMEOUT_MS", "500")]).await;
    for sent in ["", "GET /healthz HTTP/1.1\r\nhost: "] {
        let mut stream = connect(&server).await;
        for _ in 0..3 {
            assert!(ask(&mut stream, HEALTH).await.starts_with("HTTP/1.1 200"));
        }
        stream.write_all(sent.as_bytes()).await.unwrap();
        let answer = rest(&mut stream).await;
        assert!(!String::from_utf8_lossy(&answer).starts_with("HTTP/1.1 200"), "{sent:?}");
    }
}

async fn a_body_that_does_not_arrive_is_refused(test: &TestApp) {
    let server = server(test, &[("TOLLGATE_REQUEST_BODY_TIMEOUT_MS", "50")]).await;
    for path in ["/graphql", "/webhooks/stripe", "/webhooks/paddle"] {
        for (length, body) in [("content-length: 100", "{\"query\""), ("transfer-encoding: chunked", "4\r\n{\"qu\r\n")]
        {
            let mut stream = connect(&server).await;
            let head = format!("POST {path} HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\n{length}");
            let answer = ask(&mut stream, &format!("{head}\r\n\r\n{body}")).await;
            assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("BAD_REQUEST"), "{path}: {answer}");
        }
    }
}

async fn a_response_in_progress_is_no_silence(test: &TestApp) {
    let short = configured(test, &[("TOLLGATE_KEEP_ALIVE_TIMEOUT_MS", "500")]).await;
    let server = Server::with(&short, |http| http.settings.live.keep_alive = Duration::from_millis(1_000)).await;
    let mut events = Events::of(&server, Some(&short.admin_token()), PAYMENTS, json!({})).await;
    let mut parts = Parts::of(&server, Some(&short.admin_token()), PAYMENTS).await;
    let mut socket = Socket::of(&server, Some(&short.admin_token())).await;
    // Each of these takes longer than the limit on silence. The socket answers each ping of the server in between.
    for _ in 0..2 {
        assert_eq!(events.line().await, ":");
        assert_eq!(parts.part().await, Some(json!({})));
        socket.settle().await;
    }
}

/// Reads the frames of HTTP/2 until the connection ends: the type and the payload of each.
fn frames(mut bytes: &[u8]) -> Vec<(u8, &[u8])> {
    let mut frames = Vec::new();
    while let [a, b, c, kind, _, _, _, _, _, rest @ ..] = bytes {
        let length = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
        let (payload, rest) = rest.split_at(length.min(rest.len()));
        frames.push((*kind, payload));
        bytes = rest;
    }
    frames
}

async fn an_http2_connection_is_limited_like_others(test: &TestApp) {
    let server = server(test, &[("TOLLGATE_REQUEST_HEAD_TIMEOUT_MS", "500")]).await;
    let mut stream = connect(&server).await;
    stream.write_all(&[PREFACE, SETTINGS].concat()).await.unwrap();
    let bytes = rest(&mut stream).await;
    let frames = frames(&bytes);
    let (_, settings) = frames.iter().find(|(kind, _)| *kind == 4).expect("settings");
    let max_streams = settings.chunks(6).find(|setting| setting[..2] == [0, 3]).map(|setting| setting[2..].to_vec());
    assert_eq!(max_streams, Some(vec![0, 0, 0, 100]), "{settings:?}");
    assert!(frames.iter().any(|(kind, _)| *kind == 7), "the client is not told of the end: {frames:?}");
}

async fn a_client_that_does_not_read_a_response_is_disconnected(test: &TestApp) {
    let (dropped, gone) = oneshot::channel::<()>();
    let dropped = Arc::new(Mutex::new(Some(dropped)));
    let endless = get(async move || {
        let guard = dropped.lock().unwrap().take();
        let chunks = stream::repeat_with(move || {
            let _ = &guard;
            Ok::<_, Infallible>(Bytes::from_static(&[b'x'; 65_536]))
        });
        Body::from_stream(chunks)
    });
    let routes = Router::new().route("/endless", endless);
    let short = |http: &mut tollgate::http::Http| http.settings.transport.write_timeout = Duration::from_millis(100);
    let server = Server::beside(test, short, Some(routes)).await;
    let mut stream = connect(&server).await;
    stream.write_all(b"GET /endless HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
    // The sender is dropped with the response.
    soon(gone).await.unwrap_err();
    assert!(String::from_utf8_lossy(&rest(&mut stream).await).starts_with("HTTP/1.1 200"));
}

async fn a_client_that_reads_slowly_gets_all_of_a_response(test: &TestApp) {
    // More than the buffers of both sides.
    const LENGTH: usize = 32 << 20;
    let routes = Router::new().route("/long", get(async || Bytes::from(vec![b'x'; LENGTH])));
    let short = |http: &mut tollgate::http::Http| {
        http.settings.transport.idle_timeout = Duration::from_millis(500);
    };
    let server = Server::beside(test, short, Some(routes)).await;
    let mut stream = connect(&server).await;
    stream.write_all(b"GET /long HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
    let mut start = [0; 12];
    soon(stream.read_exact(&mut start)).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 200");
    // A connection with half a head shows when silence is over, and the time to end a connection too.
    let mut silent = connect(&server).await;
    assert!(ask(&mut silent, HEALTH).await.starts_with("HTTP/1.1 200"));
    silent.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    rest(&mut silent).await;
    let response = rest(&mut stream).await;
    let body = response.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    assert_eq!(response.len() - body, LENGTH);
    assert!(String::from_utf8_lossy(&response[..body]).contains(&format!("content-length: {LENGTH}")));
}

async fn one_address_has_no_more_requests_in_progress_than_connections(test: &TestApp) {
    let server = server(test, &[("TOLLGATE_CONNECTIONS_PER_ADDRESS", "2")]).await;
    let token = test.admin_token();
    let mut first = Events::of(&server, Some(&token), PAYMENTS, json!({})).await;
    let second = Events::of(&server, Some(&token), PAYMENTS, json!({})).await;
    let mut third = connect(&server).await;
    let refusal = String::from_utf8(rest(&mut third).await).unwrap();
    assert!(refusal.starts_with("HTTP/1.1 429 Too Many Requests\r\n"), "{refusal}");
    let (head, body) = refusal.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("connection: close"), "{head}");
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["errors"][0]["extensions"]["code"], "RATE_LIMITED");
    // A place is free once the server has seen that another is gone. Those within the limit go on.
    drop(second);
    let free = async {
        loop {
            let mut stream = connect(&server).await;
            // A refused connection may be gone before the request is sent.
            let _ = stream.write_all(HEALTH.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n").as_bytes()).await;
            if rest(&mut stream).await.starts_with(b"HTTP/1.1 200") {
                break;
            }
        }
    };
    soon(free).await;
    let world = World::make(test).await;
    let (payment, account) = (world.id("Payment", "eve"), world.id("Account", "eve"));
    record(test, Change::PaymentRecorded(local_id(payment).1, local_id(account).1)).await;
    assert_eq!(first.event().await["paymentRecorded"]["id"], payment);
}

async fn silent_connections_make_room(test: &TestApp) {
    let server = server(test, &[("TOLLGATE_CONNECTIONS_PER_ADDRESS", "3")]).await;
    let mut answered = connect(&server).await;
    assert!(ask(&mut answered, HEALTH).await.starts_with("HTTP/1.1 200"));
    // Many more than there are places, and none of them ever asks for anything.
    let mut silent = Vec::new();
    for _ in 0..30 {
        let mut stream = connect(&server).await;
        stream.write_all(b"GET /healthz HTTP/1.1\r\n").await.unwrap();
        silent.push(stream);
    }
    let mut newcomer = connect(&server).await;
    assert!(ask(&mut newcomer, HEALTH).await.starts_with("HTTP/1.1 200"));
    // The oldest went first.
    assert!(rest(&mut answered).await.is_empty());
    for stream in &mut silent[..20] {
        rest(stream).await;
    }
    assert!(ask(&mut newcomer, HEALTH).await.starts_with("HTTP/1.1 200"));
}

async fn a_trusted_proxy_may_have_any_number_of_connections(test: &TestApp) {
    let settings = [("TOLLGATE_CONNECTIONS_PER_ADDRESS", "1"), ("TOLLGATE_TRUSTED_PROXIES", "127.0.0.0/8")];
    let server = server(test, &settings).await;
    let mut streams = Vec::new();
    for _ in 0..5 {
        let mut stream = connect(&server).await;
        assert!(ask(&mut stream, HEALTH).await.starts_with("HTTP/1.1 200"));
        streams.push(stream);
    }
}

async fn one_address_has_no_more_sockets_than_it_may(test: &TestApp) {
    let settings = [("TOLLGATE_LIVE_CONNECTIONS_PER_ADDRESS", "1"), ("TOLLGATE_TRUSTED_PROXIES", "127.0.0.1")];
    let server = server(test, &settings).await;
    let token = test.admin_token();
    let authorization = format!("Bearer {token}");
    for (address, same, other) in
        [("198.51.100.1", "198.51.100.1", "198.51.100.2"), ("2001:db8:1:1::1", "2001:db8:1:1:2::2", "2001:db8:1:2::1")]
    {
        let mut socket = Socket::open(&server, &[("x-forwarded-for", address)]).await;
        socket.say(json!({"type": "connection_init", "payload": {"token": token}})).await;
        assert_eq!(socket.hear().await, json!({"type": "connection_ack"}));
        assert_eq!(server.refusal(&[("x-forwarded-for", same)]).await, 429);
        // A credential does not lift the limit.
        assert_eq!(server.refusal(&[("x-forwarded-for", same), ("authorization", &authorization)]).await, 429);
        // Addresses that a client writes before its proxy count for nothing.
        assert_eq!(server.refusal(&[("x-forwarded-for", &format!("{other}, {same}"))]).await, 429);
        let elsewhere = Socket::open(&server, &[("x-forwarded-for", other)]).await;
        // Streams share the limit with sockets.
        for accept in ["text/event-stream", "multipart/mixed;subscriptionSpec=1.0"] {
            let request = format!(
                "GET /graphql?query=%7B__typename%7D HTTP/1.1\r\nhost: test\r\nx-forwarded-for: {same}\r\n\
                 accept: {accept}\r\n\r\n"
            );
            let answer = ask(&mut connect(&server).await, &request).await;
            assert!(answer.starts_with("HTTP/1.1 429") && answer.contains("RATE_LIMITED"), "{answer}");
        }
        socket.settle().await;
        drop(elsewhere);
    }
}

async fn sockets_without_a_credential_make_room(test: &TestApp) {
    let server = server(test, &[("TOLLGATE_LIVE_CONNECTIONS_PER_ADDRESS", "2")]).await;
    let token = test.user_token("alice");
    let mut signed_in = Socket::of(&server, Some(&token)).await;
    let mut anonymous = Socket::of(&server, None).await;
    let mut pending = Socket::open(&server, &[]).await;
    // The oldest without a credential went, not the oldest.
    assert_eq!(anonymous.closed().await, 1013);
    let mut second = Socket::of(&server, Some(&token)).await;
    assert_eq!(pending.closed().await, 1013);
    // Those who signed in stay.
    assert_eq!(server.refusal(&[]).await, 429);
    for socket in [&mut signed_in, &mut second] {
        socket.watch("1", PAYMENTS, json!({})).await;
    }
}

async fn anonymous_callers_leave_room_for_others(test: &TestApp) {
    let test = configured(test, &[("TOLLGATE_LIVE_CONNECTIONS_ANONYMOUS", "1")]).await;
    let server = Server::start(&test).await;
    let token = test.user_token("alice");
    let first = Socket::of(&server, None).await;
    let init = json!({"type": "connection_init"});
    let mut second = Socket::open(&server, &[]).await;
    second.say(init.clone()).await;
    assert_eq!(second.closed().await, 1013);
    for head in [
        Events::of(&server, None, PAYMENTS, json!({})).await.head,
        Events::of(&server, None, "{ __typename }", json!({})).await.head,
        Parts::of(&server, None, PAYMENTS).await.head,
    ] {
        assert_eq!(head[0], "http/1.1 503 service unavailable");
    }
    // Those who sign in find room, also with a credential in the first message.
    let mut signed_in = Socket::of(&server, Some(&token)).await;
    signed_in.watch("1", PAYMENTS, json!({})).await;
    assert_eq!(Events::of(&server, Some(&token), PAYMENTS, json!({})).await.head[0], "http/1.1 200 ok");
    assert_eq!(Parts::of(&server, Some(&token), PAYMENTS).await.head[0], "http/1.1 200 ok");
    // So do those who have not said yet who they are.
    let mut silent = Socket::open(&server, &[]).await;
    silent.say(json!({"type": "connection_init", "payload": {"token": token}})).await;
    assert_eq!(silent.hear().await, json!({"type": "connection_ack"}));
    drop(first);
    let free = async {
        loop {
            let mut socket = Socket::open(&server, &[]).await;
            socket.say(init.clone()).await;
            if socket.answered().await {
                break;
            }
        }
    };
    soon(free).await;
}

async fn anonymous_callers_may_be_kept_from_sockets(test: &TestApp) {
    let test = configured(test, &[("TOLLGATE_LIVE_CONNECTIONS_ANONYMOUS", "0")]).await;
    let server = Server::start(&test).await;
    let mut socket = Socket::open(&server, &[]).await;
    socket.say(json!({"type": "connection_init"})).await;
    assert_eq!(socket.closed().await, 1013);
    assert_eq!(Parts::of(&server, None, "{ __typename }").await.head[0], "http/1.1 503 service unavailable");
    Socket::of(&server, Some(&test.user_token("alice"))).await;
    let metrics = test.send(metrics_request(&test)).await.body;
    for line in [
        "tollgate_connections_refused_total{limit=\"live_connections_anonymous\"} 2",
        "tollgate_connections_refused_total{limit=\"live_connections_per_address\"} 0",
        "tollgate_connections_refused_total{limit=\"live_connections\"} 0",
        "tollgate_connections_refused_total{limit=\"connections_per_address\"} 0",
    ] {
        assert!(metrics.lines().any(|written| written == line), "{line}\n{metrics}");
    }
    // Requests that do not stay open are none of these.
    assert_eq!(test.anonymous().data("{ __typename }", json!({})).await, json!({"__typename": "Query"}));
}

fn metrics_request(test: &TestApp) -> axum::http::Request<Body> {
    let authorization = format!("Bearer {}", test.admin_token());
    axum::http::Request::get("/metrics").header("authorization", authorization).body(Body::empty()).unwrap()
}
