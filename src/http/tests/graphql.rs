use axum::Router;
use serde_json::json;

use super::{GRAPHQL, JSON, Server, post, send};
use crate::graphql::engine::test_schema;

#[tokio::test]
async fn the_reply_is_of_the_type_that_the_client_wants_most() {
    let app = Server::start().await;
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

/// The reason for our own handler: when the stock one runs a field once too, it can replace ours.
#[tokio::test]
async fn a_field_written_twice_runs_once_and_with_the_stock_handler_twice() {
    let mut stock = Server::start().await;
    stock.router = Router::new().route_service("/graphql", async_graphql_axum::GraphQL::new(test_schema::schema()));
    let twice = "mutation { bump ...Again } fragment Again on Mutation { bump }";
    for (app, runs) in [(Server::start().await, 1), (stock, 2)] {
        post(&app, JSON, json!({ "query": twice })).await;
        let next = post(&app, JSON, json!({ "query": "mutation { bump }" })).await.json();
        assert_eq!(next["data"]["bump"], runs + 1);
    }
}

#[tokio::test]
async fn only_json_bodies_are_read() {
    let app = Server::start().await;
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
    let app = Server::start().await;
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
        (json!({ "extensions": { "persistedQuery": { "version": 1 } } }), 400, 400, "BAD_REQUEST"),
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
    let app = Server::start().await;
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
    let app = Server::with(|settings| settings.batch = 3).await;
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
async fn bodies_over_the_limit_are_refused() {
    let app = Server::with(|settings| settings.body_bytes = 100).await;
    let body = json!({ "query": "{__typename}", "variables": { "x": "a".repeat(200) } });
    let got = post(&app, JSON, body.clone()).await;
    assert_eq!((got.status, got.code().as_str()), (413, "BAD_REQUEST"));
    let endless = body.to_string().repeat(50);
    assert_eq!(send(&app, "POST", "/graphql", &[("content-type", JSON)], &endless).await.status, 413);
    let announced = [("content-type", JSON), ("content-length", "5000000")];
    assert_eq!(send(&app, "POST", "/graphql", &announced, "").await.status, 413);
    assert_eq!(post(&app, JSON, json!({ "query": "{__typename}" })).await.status, 200);
}
