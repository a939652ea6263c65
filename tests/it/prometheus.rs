//! Access to `/metrics`, and its values.

use crate::support::webhooks::{deliver, event, send};
use crate::support::{Reply, TestApp, both_engines, sql};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use chrono::TimeDelta;
use serde_json::json;
use tollgate::providers::Provider;

both_engines!(only_who_may_reads_the_metrics, the_metrics_tell_how_far_behind_we_are);

async fn read(test: &TestApp, credential: Option<&str>) -> Reply {
    let mut request = Request::get("/metrics");
    if let Some(credential) = credential {
        request = request.header("authorization", format!("Bearer {credential}"));
    }
    test.send(request.body(Body::empty()).unwrap()).await
}

async fn key(test: &TestApp, scope: &str) -> String {
    let make = "mutation($scope: String!) { createApiKey(input: {name: \"k\", scopes: [$scope]}) { secret } }";
    let made = test.admin().data(make, json!({"scope": scope})).await;
    made["createApiKey"]["secret"].as_str().unwrap().to_owned()
}

async fn only_who_may_reads_the_metrics(test: &TestApp) {
    assert_eq!(read(test, None).await.status, StatusCode::UNAUTHORIZED);
    let reply = read(test, Some("nonsense")).await;
    assert_eq!(
        (reply.status, &reply.headers["www-authenticate"]),
        (StatusCode::UNAUTHORIZED, &"Bearer".parse().unwrap())
    );
    assert_eq!(read(test, Some(&key(test, "analytics:read").await)).await.status, StatusCode::FORBIDDEN);
    let reply = read(test, Some(&key(test, "operations:read").await)).await;
    assert_eq!(
        (reply.status, reply.headers["content-type"].to_str().unwrap().starts_with("text/plain; version=0.0.4")),
        (StatusCode::OK, true)
    );
    assert_eq!(read(test, Some(&test.admin_token())).await.status, StatusCode::OK);
}

async fn the_metrics_tell_how_far_behind_we_are(test: &TestApp) {
    let has = async |lines: &[&str]| {
        let body = read(test, Some(&test.admin_token())).await.body;
        for line in lines {
            assert!(body.lines().any(|written| written == *line), "{line}\n{body}");
        }
    };
    // Events can wait for a user's first sign-in.
    read(test, Some(&test.admin_token())).await;
    test.run_jobs().await;
    has(&[
        "# TYPE tollgate_webhooks_total counter",
        "tollgate_webhooks_total{provider=\"stripe\",outcome=\"accepted\"} 0",
        "tollgate_inbox_events{state=\"received\"} 0",
        "tollgate_inbox_oldest_unapplied_seconds 0",
        "tollgate_jobs{state=\"queued\"} 0",
    ])
    .await;
    for number in 0..5 {
        let id = format!("evt_{number}");
        for _ in 0..2 {
            deliver(test, Provider::Stripe, &event(Provider::Stripe, &id, &id)).await;
        }
        test.advance(TimeDelta::seconds(10));
    }
    send(test, Provider::Paddle, None, b"{}").await;
    for (number, set) in [
        (0, "state = 'applied', applied_at = received_at"),
        (1, "state = 'failed'"),
        (2, "state = 'parked'"),
        (3, "waits_for = 'user:x'"),
    ] {
        let update = format!("UPDATE inbox_events SET {set} WHERE external_id = 'evt_{number}'");
        sql::execute(test.app.db.schema(), &update).await;
    }
    sql::execute(test.app.db.schema(), "UPDATE jobs SET state = 'parked' WHERE unique_key = 'stripe:customer:evt_2'")
        .await;
    has(&[
        "tollgate_webhooks_total{provider=\"stripe\",outcome=\"accepted\"} 5",
        "tollgate_webhooks_total{provider=\"stripe\",outcome=\"duplicate\"} 5",
        "tollgate_webhooks_total{provider=\"paddle\",outcome=\"forged\"} 1",
        "tollgate_inbox_events{state=\"received\"} 1",
        "tollgate_inbox_events{state=\"failed\"} 1",
        "tollgate_inbox_events{state=\"parked\"} 1",
        "tollgate_inbox_events{state=\"waiting\"} 1",
        "tollgate_inbox_oldest_unapplied_seconds 40",
        "tollgate_jobs{state=\"queued\"} 4",
        "tollgate_jobs{state=\"parked\"} 1",
    ])
    .await;
    test.run_jobs().await;
}
