use axum::{Router, http::StatusCode, routing::get};
use serde_json::json;

use super::{GRAPHQL, JSON, Server, post, send};
use crate::{config::Introspection, http::observe::observed};

#[tokio::test]
async fn callers_are_authenticated_before_anything_runs() {
    let app = Server::start().await;
    let bump = json!({ "query": "mutation{bump}" }).to_string();
    let with = |token: &'static str| [("content-type", JSON), ("accept", GRAPHQL), ("authorization", token)];
    let refused = send(&app, "POST", "/graphql", &with("Bearer bad"), &bump).await;
    assert_eq!((refused.status, refused.code().as_str()), (401, "UNAUTHENTICATED"));
    assert_eq!(refused.header("www-authenticate"), "Bearer error=\"invalid_token\"");
    let unavailable = Server::configured(("JWT_JWKS", "http://127.0.0.1:1/keys"), |_| {}).await;
    assert_eq!(send(&unavailable, "POST", "/graphql", &with("Bearer a.b.c"), &bump).await.status, 503);
    let attached = json!({ "query": "mutation M{bump} query Q{attached}", "operationName": "Q" }).to_string();
    let bearer = app.bearer();
    let headers = [("content-type", JSON), ("authorization", bearer.as_str())];
    let attached = send(&app, "POST", "/graphql", &headers, &attached).await;
    assert_eq!(attached.json(), json!({ "data": { "attached": "service:backend" } }), "{}", attached.body);
    let first = post(&app, JSON, json!({ "query": "mutation{bump}" })).await;
    assert_eq!(first.json(), json!({ "data": { "bump": 1 } }));
}

#[tokio::test]
async fn a_handler_that_panics_is_an_internal_error() {
    let mut app = Server::start().await;
    app.router = observed(Router::new().route("/", get(async || -> &str { panic!("on purpose") })));
    let crashed = send(&app, "GET", "/", &[], "").await;
    assert_eq!((crashed.status, crashed.code().as_str()), (500, "INTERNAL_SERVER_ERROR"));
    assert!(!crashed.header("x-request-id").is_empty());
    assert_eq!(crashed.header("x-content-type-options"), "nosniff");
}

#[tokio::test]
async fn the_schema_is_available_to_the_callers_of_the_setting() {
    let query = json!({ "query": "{__schema{queryType{name}}}" }).to_string();
    let table = [
        (Introspection::Everyone, true, true),
        (Introspection::Authenticated, false, true),
        (Introspection::Nobody, false, false),
    ];
    for (introspection, anonymous, signed_in) in table {
        let app = Server::with(|settings| settings.introspection = introspection).await;
        let bearer = app.bearer();
        for (token, open) in [(None, anonymous), (Some(bearer.as_str()), signed_in)] {
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
        let app = Server::with(|settings| settings.origins = origins).await;
        let got = send(&app, "OPTIONS", "/graphql", &preflight(origin), "").await;
        assert_eq!((got.status, got.header("access-control-allow-methods")), (200, "GET,POST"));
        assert_eq!(got.header("access-control-allow-origin"), answer, "{allowed:?} {origin}");
    }
}

#[tokio::test]
async fn request_ids_of_clients_are_kept_if_they_are_suitable_for_logs() {
    let app = Server::start().await;
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
    let app = Server::start().await;
    let browser = [("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")];
    let page = send(&app, "GET", "/graphql", &browser, "").await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(page.header("content-security-policy").contains("frame-ancestors 'none'"));
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    let query = send(&app, "GET", "/graphql?query=%7B__typename%7D", &browser, "").await;
    assert_eq!(query.header("content-type"), "application/json; charset=utf-8");
    let script = send(&app, "GET", "/assets/graphiql.js", &[], "").await;
    assert_eq!((script.status, script.header("content-type")), (200, "text/javascript; charset=utf-8"));
    let again = [("if-none-match", script.header("etag"))];
    assert_eq!(send(&app, "GET", "/assets/graphiql.js", &again, "").await.status, 304);
}

#[tokio::test]
async fn the_other_paths_answer_in_json() {
    let app = Server::start().await;
    let pending = app.app.db.pending_migrations().await.unwrap();
    let reason = format!("{pending} migrations are pending. Run `tollgate migrate up`.");
    let table = [
        ("GET", "/healthz", StatusCode::OK, json!({ "status": "ok" })),
        ("GET", "/readyz", StatusCode::SERVICE_UNAVAILABLE, json!({ "status": "unavailable", "reason": reason })),
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
