//! Rate limits as data: rules, and takes that are exact under many callers on several nodes.

use crate::support::{SECRET, TestApp, both_engines, sql};
use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::sync::Arc;
use tollgate::auth::Permission;

both_engines!(
    a_window_takes_as_much_as_its_rule_says,
    of_many_callers_on_two_nodes_as_many_take_as_there_are_units,
    a_rule_is_changed_from_now_on,
    malformed_rules_and_takes_are_refused,
    old_counters_are_purged,
    only_those_who_may_define_and_take,
);

const TAKE: &str = "mutation($code: String!, $who: String!, $count: Int!) {
    takeRateLimit(input: {code: $code, identifier: $who, count: $count}) {
        allowed remaining resetsAt userErrors { code message } } }";

/// Creates a rule, and returns its id.
async fn rule(test: &TestApp, code: &str, max_count: i64, window_seconds: i64) -> Value {
    let create = "mutation($input: CreateRateLimitInput!) { createRateLimit(input: $input) {
        rateLimit { id } userErrors { code } } }";
    let input = json!({"code": code, "maxCount": max_count, "windowSeconds": window_seconds});
    let mut made = test.admin().data(create, json!({"input": input})).await["createRateLimit"].take();
    assert_eq!(made["userErrors"], json!([]));
    made["rateLimit"]["id"].take()
}

async fn take(test: &TestApp, code: &str, who: &str, count: i64) -> Value {
    let service = test.service(&[Permission::CreditsWrite]);
    service.data(TAKE, json!({"code": code, "who": who, "count": count})).await["takeRateLimit"].take()
}

async fn taken(test: &TestApp, who: &str, count: i64) -> (bool, i64) {
    let taken = take(test, "login", who, count).await;
    assert_eq!(taken["userErrors"], json!([]));
    (taken["allowed"].as_bool().unwrap(), taken["remaining"].as_i64().unwrap())
}

async fn a_window_takes_as_much_as_its_rule_says(test: &TestApp) {
    rule(test, "login", 5, 60).await;
    test.advance(TimeDelta::seconds(59));
    let first = take(test, "login", "a", 2).await;
    let expected = json!({"allowed": true, "remaining": 3, "resetsAt": "2026-01-15T12:01:00Z", "userErrors": []});
    assert_eq!(first, expected);
    assert_eq!(taken(test, "a", 4).await, (false, 3), "all of it or nothing");
    assert_eq!(taken(test, "a", 3).await, (true, 0));
    assert_eq!(taken(test, "a", 1).await, (false, 0));
    assert_eq!(taken(test, "b", 1).await, (true, 4), "each identifier has its own window");
    test.advance(TimeDelta::seconds(1));
    assert_eq!(taken(test, "a", 5).await, (true, 0), "the next window is aligned to the minute");
}

async fn of_many_callers_on_two_nodes_as_many_take_as_there_are_units(test: &TestApp) {
    rule(test, "login", 7, 3600).await;
    let node = test.beside_at(Arc::clone(&test.app.clock), &[("TOLLGATE_JWT_HS256_SECRET", SECRET)]).await;
    for _ in 0..4 {
        let takes = (0..64).map(|number| {
            let on = if number % 2 == 0 { test } else { &node };
            async move { taken(on, ["a", "b"][number / 2 % 2], 1).await }
        });
        let outcomes = join_all(takes).await;
        assert_eq!(outcomes.iter().filter(|(allowed, _)| *allowed).count(), 14);
        test.advance(TimeDelta::hours(1));
    }
}

async fn a_rule_is_changed_from_now_on(test: &TestApp) {
    let id = rule(test, "login", 5, 60).await;
    assert_eq!(taken(test, "a", 5).await, (true, 0));
    let update = "mutation($input: UpdateRateLimitInput!) { updateRateLimit(input: $input) {
        rateLimit { code maxCount windowSeconds } userErrors { code } } }";
    let change = json!({"input": {"rateLimitId": id, "maxCount": 8}});
    let changed = test.admin().data(update, change).await["updateRateLimit"].take();
    assert_eq!(changed["rateLimit"], json!({"code": "login", "maxCount": 8, "windowSeconds": 60}));
    assert_eq!(taken(test, "a", 3).await, (true, 0));
    let change = json!({"input": {"rateLimitId": id, "maxCount": 2}});
    test.admin().data(update, change).await;
    assert_eq!(taken(test, "a", 1).await, (false, 0), "nothing is left, and not less than nothing");
    let rules = "{ rateLimits { nodes { code maxCount } } }";
    let rules = test.service(&[Permission::CreditsWrite]).data(rules, json!({})).await;
    assert_eq!(rules["rateLimits"]["nodes"], json!([{"code": "login", "maxCount": 2}]));
}

async fn malformed_rules_and_takes_are_refused(test: &TestApp) {
    rule(test, "login", 5, 60).await;
    let long = "x".repeat(256);
    for (code, who, count, refusal) in [
        ("login", "a", 0, "COUNT_INVALID"),
        ("login", "a", -1, "COUNT_INVALID"),
        ("login", "a", 1_000_000_001, "COUNT_INVALID"),
        ("login", "", 1, "IDENTIFIER_INVALID"),
        ("login", &long, 1, "IDENTIFIER_INVALID"),
        ("logout", "a", 1, "NOT_FOUND"),
    ] {
        let refused = take(test, code, who, count).await;
        assert_eq!((&refused["userErrors"][0]["code"], &refused["allowed"]), (&json!(refusal), &Value::Null));
    }
}

async fn old_counters_are_purged(test: &TestApp) {
    rule(test, "login", 5, 60).await;
    for minute in 0..3 {
        for who in ["a", "b"] {
            taken(test, &format!("{who}{minute}"), 1).await;
        }
        test.advance(TimeDelta::minutes(40));
    }
    let count = async || {
        sql::column::<String>(test.app.db.schema(), "SELECT identifier FROM rate_limit_counters", []).await.len()
    };
    assert_eq!(count().await, 6);
    tollgate::jobs::Job::run(tollgate::rate_limits::PurgeRateLimits {}, &test.app).await.unwrap();
    assert_eq!(count().await, 2, "those of the last hour are kept");
}

async fn only_those_who_may_define_and_take(test: &TestApp) {
    rule(test, "login", 5, 60).await;
    let variables = json!({"code": "login", "who": "a", "count": 1});
    let others: Vec<_> = Permission::ALL.into_iter().filter(|other| *other != Permission::CreditsWrite).collect();
    for caller in [test.user("alice"), test.service(&others)] {
        assert_eq!(caller.code(TAKE, variables.clone()).await, "FORBIDDEN");
    }
    let rules = test.user("alice").data("{ rateLimits { nodes { id } } }", json!({})).await;
    assert_eq!(rules["rateLimits"]["nodes"], json!([]));
}
