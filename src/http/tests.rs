use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, StatusCode},
};
use futures_util::FutureExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::{Caller, Connections, Http, Introspection, Settings, router};
use crate::{
    error::Error,
    graphql::engine::{documents::Limits, execute::Engine, test_schema},
    inbox::Declined,
};

const JSON: &str = "application/json";
const GRAPHQL: &str = "application/graphql-response+json";

fn app(settings: Settings) -> Router {
    let http = Http {
        engine: Engine::new(test_schema::schema(), &Limits::default(), Duration::from_millis(200)).unwrap(),
        authenticate: Arc::new(|headers, _| authenticate(headers).boxed()),
        ready: Arc::new(|| async { Err("the database does not answer".to_owned()) }.boxed()),
        receive: Arc::new(|_| async { Err(Declined::NotConfigured) }.boxed()),
        figures: Arc::new(|_| async { Err(Error::Forbidden("not for you".into())) }.boxed()),
        watch: Arc::new(|_| async { Err(Error::NotFound("feed")) }.boxed()),
        connections: Arc::new(Connections::new(1)),
        settings,
    };
    router(http).unwrap()
}

async fn authenticate(headers: &HeaderMap) -> Result<Caller, Error> {
    let credential = headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
    match credential.as_deref() {
        Some("Bearer crash") => panic!("on purpose"),
        Some("Bearer later") => Err(Error::Unavailable("Sign-in", anyhow::anyhow!("refused"))),
        None | Some("Bearer good") => Ok(Caller {
            anonymous: credential.is_none(),
            attach: Box::new(move |request| request.data(credential.clone().unwrap_or_default())),
        }),
        Some(_) => Err(Error::Unauthenticated("the token is not valid".into())),
    }
}

struct Got {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Got {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.body))
    }

    fn code(&self) -> String {
        self.json()["errors"][0]["extensions"]["code"].as_str().unwrap_or_default().to_owned()
    }
}

async fn send(app: &Router, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Got {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = app.clone().oneshot(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let body = String::from_utf8_lossy(&body).into_owned();
    Got { status: parts.status.as_u16(), headers: parts.headers, body }
}

async fn post(app: &Router, accept: &str, body: Value) -> Got {
    send(app, "POST", "/graphql", &[("content-type", JSON), ("accept", accept)], &body.to_string()).await
}

#[tokio::test]
async fn the_reply_is_of_the_type_that_the_client_wants_most() {
    let app = app(Settings::default());
    let table = [
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (GRAPHQL, GRAPHQL),
        ("application/graphql-response+json, application/json;q=0.9", GRAPHQL),
        ("application/json;q=0.9, application/graphql-response+json;q=0.1", JSON),
        ("application/json, application/graphql-response+json", JSON),
        ("*/*, application/graphql-response+json", GRAPHQL),
        ("*/*, application/json;q=0", GRAPHQL),
        ("application/json; charset=utf-8; q=0.5, text/html", JSON),
        ("text/css", ""),
        ("application/json;q=0", ""),
        ("text/html", ""),
    ];
    for (accept, expected) in table {
        let got = post(&app, accept, json!({ "query": "{__typename}" })).await;
        if expected.is_empty() {
            assert_eq!((got.status, got.code().as_str()), (406, "BAD_REQUEST"), "{accept}");
        } else {
            assert_eq!(got.status, 200, "{accept}");
            assert_eq!(got.header("content-type"), format!("{expected}; charset=utf-8"), "{accept}");
            assert_eq!(got.header("cache-control"), "no-store");
        }
    }
}

/// Why the handler is our own: where the stock one comes to run a field once as well, it may take its place.
#[tokio::test]
async fn a_field_written_twice_runs_once_and_with_the_stock_handler_twice() {
    let stock = Router::new().route_service("/graphql", async_graphql_axum::GraphQL::new(test_schema::schema()));
    let twice = "mutation { bump ...Again } fragment Again on Mutation { bump }";
    for (app, runs) in [(app(Settings::default()), 1), (stock, 2)] {
        post(&app, JSON, json!({ "query": twice })).await;
        let next = post(&app, JSON, json!({ "query": "mutation { bump }" })).await.json();
        assert_eq!(next["data"]["bump"], runs + 1);
    }
}

#[tokio::test]
async fn only_json_bodies_are_read() {
    let app = app(Settings::default());
    let body = json!({ "query": "{__typename}" }).to_string();
    let table = [
        (Some("application/json"), 200),
        (Some("Application/JSON; charset=UTF-8"), 200),
        (Some("application/json; charset=\"utf-8\""), 200),
        (Some("application/json; charset=utf-16"), 415),
        (Some("text/plain"), 415),
        (Some("application/x-www-form-urlencoded"), 415),
        (Some("multipart/form-data; boundary=x"), 415),
        (Some("application/jsonp"), 415),
        (None, 415),
    ];
    for (content_type, status) in table {
        let headers: Vec<_> = content_type.map(|value| ("content-type", value)).into_iter().collect();
        assert_eq!(send(&app, "POST", "/graphql", &headers, &body).await.status, status, "{content_type:?}");
    }
}

#[tokio::test]
async fn the_status_follows_from_how_far_the_operation_came() {
    let app = app(Settings::default());
    let table = [
        (json!({ "query": "{viewer{id}}" }), 200, 200, ""),
        (json!({ "query": "{away}" }), 200, 200, "SERVICE_UNAVAILABLE"),
        (json!({ "query": "{" }), 200, 400, "GRAPHQL_PARSE_FAILED"),
        (json!({ "query": "{nope}" }), 200, 400, "GRAPHQL_VALIDATION_FAILED"),
        (json!({ "query": "query($i:Int!){user(id:$i){id}}" }), 200, 400, "BAD_USER_INPUT"),
        (json!({ "query": "{viewer{id}}", "operationName": "No" }), 200, 400, "GRAPHQL_VALIDATION_FAILED"),
        (json!({ "query": "{slow}" }), 504, 504, "TIMEOUT"),
        (json!({ "query": "{panics}" }), 500, 500, "INTERNAL_SERVER_ERROR"),
        (json!({}), 400, 400, "BAD_REQUEST"),
        (json!({ "query": 1 }), 400, 400, "BAD_REQUEST"),
        (json!({ "query": "{viewer{id}}", "variables": "x" }), 400, 400, "BAD_REQUEST"),
        (json!({ "query": "{viewer{id}}", "operationName": 1 }), 400, 400, "BAD_REQUEST"),
        (json!("x"), 400, 400, "BAD_REQUEST"),
        (json!([]), 400, 400, "BAD_REQUEST"),
        (json!({ "extensions": { "persistedQuery": { "version": 1 } } }), 200, 400, "PERSISTED_QUERY_NOT_FOUND"),
    ];
    for (body, json_status, graphql_status, code) in table {
        for (accept, status) in [(JSON, json_status), (GRAPHQL, graphql_status)] {
            let got = post(&app, accept, body.clone()).await;
            assert_eq!((got.status, got.code().as_str()), (status, code), "{accept} {body}");
        }
    }
    let broken = send(&app, "POST", "/graphql", &[("content-type", JSON)], "{ \"query").await;
    assert_eq!((broken.status, broken.code().as_str()), (400, "BAD_REQUEST"));
}

#[tokio::test]
async fn a_mutation_never_runs_by_get() {
    let app = app(Settings::default());
    for query in ["mutation%7Bbump%7D", "query+A%7B__typename%7D+mutation+B%7Bbump%7D&operationName=B"] {
        let got = send(&app, "GET", &format!("/graphql?query={query}"), &[("accept", "*/*")], "").await;
        assert_eq!((got.status, got.header("allow")), (405, "POST"), "{}", got.body);
    }
    let bumped = post(&app, JSON, json!({ "query": "mutation{bump bump}" })).await;
    assert_eq!(bumped.json(), json!({ "data": { "bump": 1 } }));
    let variables = "/graphql?query=query($i:Int!)%7Buser(id:$i)%7Blate%7D%7D&variables=%7B%22i%22:3%7D";
    assert_eq!(send(&app, "GET", variables, &[], "").await.json(), json!({ "data": { "user": { "late": 3 } } }));
    for (query, status) in [("", 400), ("query=%7B__typename%7D&variables=%7B", 400), ("query=a&query=b", 400)] {
        assert_eq!(send(&app, "GET", &format!("/graphql?{query}"), &[], "").await.status, status, "{query}");
    }
    for method in ["PUT", "DELETE", "PATCH", "HEAD"] {
        let got = send(&app, method, "/graphql", &[], "").await;
        assert_eq!((got.status, got.header("allow")), (405, "GET, POST"), "{method}");
    }
}

#[tokio::test]
async fn a_batch_is_answered_in_its_order_up_to_the_limit() {
    let app = app(Settings { batch: 3, ..Settings::default() });
    let bump = json!({ "query": "mutation{bump}" });
    let got = post(&app, GRAPHQL, json!([bump, { "query": "{nope}" }, bump])).await;
    let replies = got.json();
    assert_eq!((got.status, &replies[0], &replies[2]), (200, &json!({"data":{"bump":1}}), &json!({"data":{"bump":2}})));
    assert_eq!(replies[1]["errors"][0]["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED");
    let over = post(&app, JSON, json!([bump, bump, bump, bump])).await;
    assert_eq!(over.status, 400);
    assert!(over.body.contains("4 operations; the limit is 3"), "{}", over.body);
    assert_eq!(post(&app, JSON, bump).await.json(), json!({ "data": { "bump": 3 } }));
}

#[tokio::test]
async fn callers_are_known_before_anything_runs() {
    let app = app(Settings::default());
    let bump = json!({ "query": "mutation{bump}" }).to_string();
    let with = |token: &'static str| [("content-type", JSON), ("accept", GRAPHQL), ("authorization", token)];
    let refused = send(&app, "POST", "/graphql", &with("Bearer bad"), &bump).await;
    assert_eq!((refused.status, refused.code().as_str()), (401, "UNAUTHENTICATED"));
    assert_eq!(refused.header("www-authenticate"), "Bearer error=\"invalid_token\"");
    assert_eq!(send(&app, "POST", "/graphql", &with("Bearer later"), &bump).await.status, 503);
    let crashed = send(&app, "POST", "/graphql", &with("Bearer crash"), &bump).await;
    assert_eq!((crashed.status, crashed.code().as_str()), (500, "INTERNAL_SERVER_ERROR"));
    assert!(!crashed.header("x-request-id").is_empty());
    let attached = json!({ "query": "mutation M{bump} query Q{attached}", "operationName": "Q" }).to_string();
    let attached = send(&app, "POST", "/graphql", &with("Bearer good"), &attached).await;
    assert_eq!(attached.json(), json!({ "data": { "attached": "Bearer good" } }), "{}", attached.body);
    let first = post(&app, JSON, json!({ "query": "mutation{bump}" })).await;
    assert_eq!(first.json(), json!({ "data": { "bump": 1 } }));
}

#[tokio::test]
async fn the_schema_is_open_to_whom_the_settings_say() {
    let query = json!({ "query": "{__schema{queryType{name}}}" }).to_string();
    let table = [
        (Introspection::Everyone, true, true),
        (Introspection::Authenticated, false, true),
        (Introspection::Nobody, false, false),
    ];
    for (introspection, anonymous, signed_in) in table {
        let app = app(Settings { introspection, ..Settings::default() });
        for (token, open) in [(None, anonymous), (Some("Bearer good"), signed_in)] {
            let mut headers = vec![("content-type", JSON)];
            headers.extend(token.map(|token| ("authorization", token)));
            let got = send(&app, "POST", "/graphql", &headers, &query).await;
            assert_eq!(got.code(), if open { "" } else { "FORBIDDEN" }, "{introspection:?} {token:?}");
            let sdl = send(&app, "GET", "/schema.graphql", &headers, "").await;
            assert_eq!(sdl.status, if open { 200 } else { 403 }, "{introspection:?} {token:?}");
        }
    }
}

#[tokio::test]
async fn bodies_over_the_limit_are_refused() {
    let app = app(Settings { body_bytes: 100, ..Settings::default() });
    let body = json!({ "query": "{__typename}", "variables": { "x": "a".repeat(200) } });
    let got = post(&app, JSON, body.clone()).await;
    assert_eq!((got.status, got.code().as_str()), (413, "BAD_REQUEST"));
    let endless = body.to_string().repeat(50);
    assert_eq!(send(&app, "POST", "/graphql", &[("content-type", JSON)], &endless).await.status, 413);
    let announced = [("content-type", JSON), ("content-length", "5000000")];
    assert_eq!(send(&app, "POST", "/graphql", &announced, "").await.status, 413);
    assert_eq!(post(&app, JSON, json!({ "query": "{__typename}" })).await.status, 200);
}

#[tokio::test]
async fn origins_are_let_in_by_the_settings_alone() {
    let preflight = |origin: &'static str| {
        [
            ("origin", origin),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "content-type,authorization"),
        ]
    };
    let table: [(&[&str], &str, &str); 4] = [
        (&[], "https://a.example", ""),
        (&["https://a.example"], "https://a.example", "https://a.example"),
        (&["https://a.example"], "https://b.example", ""),
        (&["*"], "https://b.example", "*"),
    ];
    for (allowed, origin, answer) in table {
        let origins = allowed.iter().map(|it| (*it).to_owned()).collect();
        let app = app(Settings { origins, ..Settings::default() });
        let got = send(&app, "OPTIONS", "/graphql", &preflight(origin), "").await;
        assert_eq!((got.status, got.header("access-control-allow-methods")), (200, "GET,POST"));
        assert_eq!(got.header("access-control-allow-origin"), answer, "{allowed:?} {origin}");
    }
}

#[tokio::test]
async fn request_ids_are_taken_over_when_they_are_fit_for_logs() {
    let app = app(Settings::default());
    let long = "a".repeat(129);
    for (sent, kept) in [("abc-1", true), ("with space", false), (long.as_str(), false), ("", false)] {
        let got = send(&app, "GET", "/healthz", &[("x-request-id", sent)], "").await;
        assert_eq!(got.header("x-request-id") == sent, kept, "{sent}");
        assert!(got.header("x-request-id").len() > 3);
    }
    let headers = [("content-type", JSON), ("x-request-id", "abc-2")];
    let got = send(&app, "POST", "/graphql", &headers, "{\"query\":\"{broken}\"}").await;
    assert_eq!(got.json()["errors"][0]["extensions"]["requestId"], "abc-2");
    assert!(!got.body.contains("hunter2"));
}

#[tokio::test]
async fn browsers_get_graphiql_and_tools_get_json() {
    let app = app(Settings::default());
    let browser = [("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")];
    let page = send(&app, "GET", "/graphql", &browser, "").await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(page.header("content-security-policy").contains("frame-ancestors 'none'"));
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    let query = send(&app, "GET", "/graphql?query=%7B__typename%7D", &browser, "").await;
    assert_eq!(query.header("content-type"), "application/json; charset=utf-8");
    let off = self::app(Settings { graphiql: false, ..Settings::default() });
    assert_eq!(send(&off, "GET", "/graphql", &browser, "").await.status, 400);
    let script = send(&app, "GET", "/assets/graphiql.js", &[], "").await;
    assert_eq!((script.status, script.header("content-type")), (200, "text/javascript; charset=utf-8"));
    let again = [("if-none-match", script.header("etag"))];
    assert_eq!(send(&app, "GET", "/assets/graphiql.js", &again, "").await.status, 304);
}

#[tokio::test]
async fn the_other_paths_answer_in_json() {
    let app = app(Settings::default());
    let table = [
        ("GET", "/healthz", StatusCode::OK, json!({ "status": "ok" })),
        (
            "GET",
            "/readyz",
            StatusCode::SERVICE_UNAVAILABLE,
            json!({ "status": "unavailable", "reason": "the database does not answer" }),
        ),
    ];
    for (method, path, status, body) in table {
        let got = send(&app, method, path, &[], "").await;
        assert_eq!((got.status, got.json()), (status.as_u16(), body), "{path}");
    }
    assert_eq!(send(&app, "GET", "/nowhere", &[], "").await.code(), "NOT_FOUND");
    assert_eq!(send(&app, "POST", "/healthz", &[], "").await.status, 405);
    let zipped = [("content-type", JSON), ("accept-encoding", "gzip")];
    let query = json!({ "query": "{__schema{types{name description}}}" }).to_string();
    assert_eq!(send(&app, "POST", "/graphql", &zipped, &query).await.header("content-encoding"), "gzip");
}
