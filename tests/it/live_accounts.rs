//! Live balances and entitlements: who is told what, how often, and of what time alone changes.

use crate::spending::{SPEND, ask, code, person, spend};
use crate::support::credits::{grant, number};
use crate::support::entitlements::{consume, features, plan, refusal, set, set_override, subscribe};
use crate::support::live::{Events, Server, Socket, record, soon};
use crate::support::{Engine, SECRET, TestApp, both_engines, credits, local_id, run};
use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::sync::Arc;
use tollgate::auth::Permission;
use tollgate::changes::Change;
use tollgate::http::{ConnectionLimits, Connections};

both_engines!(
    a_balance_is_told_to_those_who_see_it,
    many_changes_at_once_are_one_event_with_the_newest_state,
    a_balance_that_time_changes_is_told_at_its_instant,
    entitlements_are_told_after_all_that_changes_them,
    entitlements_that_time_changes_are_told_at_their_instant,
    a_feature_that_credits_pay_for_changes_with_them,
    another_node_tells_of_changes_too,
    a_watcher_who_hangs_up_leaves_nothing_behind,
    the_events_of_balances_are_charged,
);

const BALANCE: &str = "subscription($account: ID) { balanceChanged(accountId: $account) {
    account { id } unit { code } available held expired } }";
const ENTITLEMENTS: &str = "subscription($account: ID) { entitlementsChanged(accountId: $account) {
    feature { code } allowed reason remaining } }";

/// The answer about one feature in an event.
fn of(event: &Value, feature: &str) -> Value {
    let all = event["entitlementsChanged"].as_array().unwrap();
    let found = all.iter().find(|answer| answer["feature"]["code"] == feature).unwrap();
    json!([found["allowed"], found["reason"], found["remaining"]])
}

async fn a_balance_is_told_to_those_who_see_it(test: &TestApp) {
    let ann = person(test, "ann", 100).await;
    let eve = credits::account(test, "eve").await;
    let server = Server::start(test).await;
    let mut own = Socket::of(&server, Some(&test.user_token("ann"))).await;
    let mut other = Socket::of(&server, Some(&test.user_token("eve"))).await;
    let mut anonymous = Socket::of(&server, None).await;
    own.watch("1", BALANCE, json!({})).await;
    other.watch("1", BALANCE, json!({})).await;
    for query in [BALANCE, ENTITLEMENTS] {
        other.ask("2", query, json!({"account": ann})).await;
        assert_eq!(other.error("2").await, "NOT_FOUND");
        anonymous.ask("1", query, json!({})).await;
        assert_eq!(anonymous.error("1").await, "UNAUTHENTICATED");
    }
    other.ask("2", BALANCE, json!({"account": "x"})).await;
    assert_eq!(other.error("2").await, "BAD_USER_INPUT");
    let mut service = Socket::of(&server, Some(&test.admin_token())).await;
    service.watch("1", BALANCE, json!({"account": ann})).await;
    let mut stream = Events::of(&server, Some(&test.user_token("ann")), BALANCE, json!({})).await;

    assert_eq!(code(&ask(test, SPEND, spend(&ann, 30)).await), "");
    let expected = json!({"account": {"id": ann}, "unit": {"code": "credit"}, "available": "70", "held": "0",
        "expired": "0"});
    assert_eq!(own.event("1").await["balanceChanged"], expected);
    assert_eq!(service.event("1").await["balanceChanged"], expected);
    assert_eq!(stream.event().await["balanceChanged"], expected);
    // A refusal changes nothing, and the next event of the other is their own.
    assert_eq!(code(&ask(test, SPEND, spend(&ann, 1_000)).await), "INSUFFICIENT_CREDITS");
    grant(test, &eve, 5, json!({})).await;
    assert_eq!(other.event("1").await["balanceChanged"]["account"]["id"], eve);
    own.settle().await;
    service.settle().await;

    // Callers who change credits see them.
    let engine = tollgate::graphql::engine(&test.app).unwrap();
    let change = Change::BalanceChanged(balance_of(test, &ann).await, local_id(&ann).1);
    let service = test.service(&[Permission::CreditsWrite]);
    let answer = service.told(&engine, "subscription { balanceChanged { available } }", change).await;
    assert_eq!(answer["data"]["balanceChanged"]["available"], "70");
}

async fn balance_of(test: &TestApp, account: &str) -> uuid::Uuid {
    let query = "query($id: ID!) { account(id: $id) { creditBalance(unit: \"credit\") { id } } }";
    let found = test.admin().data(query, json!({"id": account})).await;
    local_id(found["account"]["creditBalance"]["id"].as_str().unwrap()).1
}

async fn many_changes_at_once_are_one_event_with_the_newest_state(test: &TestApp) {
    let ann = person(test, "ann", 1_000).await;
    let server = Server::start(test).await;
    let mut socket = Socket::of(&server, Some(&test.user_token("ann"))).await;
    socket.watch("1", BALANCE, json!({})).await;
    // Of one transaction.
    let changes: Vec<Value> = (0..50)
        .map(|number| {
            json!({"spend": {"accountId": ann, "unit": "credit", "amount": 2, "idempotencyKey": format!("b{number}")}})
        })
        .collect();
    let batch = "mutation($input: ChangeCreditsInput!) { changeCredits(input: $input) { userErrors { code } } }";
    ask(test, batch, json!({"changes": changes})).await;
    assert_eq!(socket.event("1").await["balanceChanged"]["available"], "900");
    // Of many: an event has the state of its delivery, and the last one the newest.
    let spends = join_all((0..100).map(|_| ask(test, SPEND, spend(&ann, 1))));
    let told = async {
        let (mut count, mut last) = (0, 900);
        while last > 800 {
            let available = number(&socket.event("1").await["balanceChanged"]["available"]);
            assert!(available < last, "{available} after {last}");
            (count, last) = (count + 1, available);
        }
        (count, last)
    };
    let (answers, (count, last)) = tokio::join!(spends, told);
    assert!(answers.iter().all(|answer| code(answer).is_empty()));
    assert_eq!(last, 800);
    assert!(count <= 25, "{count} events of 100 spends");
    socket.settle().await;
}

async fn a_balance_that_time_changes_is_told_at_its_instant(test: &TestApp) {
    let ann = person(test, "ann", 10).await;
    let at = |minutes| test.app.now() + TimeDelta::minutes(minutes);
    let server = Server::start(test).await;
    let mut socket = Socket::of(&server, Some(&test.user_token("ann"))).await;
    let mut of_one = Socket::of(&server, Some(&test.admin_token())).await;
    grant(test, &ann, 5, json!({"expiresAt": at(10)})).await;
    socket.watch("1", BALANCE, json!({})).await;
    of_one.watch("1", BALANCE, json!({"account": ann})).await;
    test.advance(TimeDelta::minutes(10));
    for socket in [&mut socket, &mut of_one] {
        let event = socket.event("1").await["balanceChanged"].take();
        assert_eq!((&event["available"], &event["expired"]), (&json!("10"), &json!("5")));
    }
    // Changes of later instants are awaited too.
    let hold = "mutation($input: HoldCreditsInput!) { holdCredits(input: $input) { userErrors { code } } }";
    let mut input = spend(&ann, 4);
    input["expiresAt"] = json!(at(5));
    ask(test, hold, input).await;
    let event = socket.event("1").await["balanceChanged"].take();
    assert_eq!((&event["available"], &event["held"]), (&json!("6"), &json!("4")));
    test.advance(TimeDelta::minutes(5));
    let event = socket.event("1").await["balanceChanged"].take();
    assert_eq!((&event["available"], &event["held"]), (&json!("10"), &json!("0")));
    // The job that writes it later changes nothing that could be told.
    let settled = tollgate::credits::settle_all(&test.app, &tollgate::auth::Viewer::system("test")).await.unwrap();
    assert_eq!(settled, 1);
    ask(test, SPEND, spend(&ann, 1)).await;
    assert_eq!(socket.event("1").await["balanceChanged"]["available"], "9");
}

/// A person with a plan of ten chats an hour, without export.
async fn chatting(test: &TestApp, name: &str) -> (Value, uuid::Uuid) {
    features(test, &[("chat", "LIMIT"), ("export", "SWITCH")]).await;
    let chat = json!([{"feature": "chat", "limit": 10, "window": "HOUR"}]);
    let version = plan(test, "free", 1, "PLAN", chat, json!({"pastDueGraceDays": 3})).await;
    let account = json!(credits::account(test, name).await);
    let subscription = subscribe(test, &account, version, "active").await;
    (account, subscription)
}

async fn entitlements_are_told_after_all_that_changes_them(test: &TestApp) {
    let (ann, subscription) = chatting(test, "ann").await;
    credits::unit(test, "credit").await;
    let server = Server::start(test).await;
    let mut socket = Socket::of(&server, Some(&test.user_token("ann"))).await;
    let mut service = Socket::of(&server, Some(&test.admin_token())).await;
    service.watch("1", ENTITLEMENTS, json!({"account": ann})).await;
    socket.watch("1", ENTITLEMENTS, json!({})).await;
    // Only users have an account of their own.
    let engine = tollgate::graphql::engine(&test.app).unwrap();
    let query = "subscription { entitlementsChanged { allowed } }";
    let id = local_id(ann.as_str().unwrap()).1;
    let refused = test.service(&[Permission::CreditsWrite]).told(&engine, query, Change::EntitlementsChanged(id)).await;
    assert_eq!(refused["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    let mut balances = Socket::of(&server, Some(&test.user_token("ann"))).await;
    balances.watch("1", BALANCE, json!({})).await;

    assert_eq!(refusal(&consume(test, &ann, "chat", 4, "a").await), None);
    let event = socket.event("1").await;
    assert_eq!(of(&event, "chat"), json!([true, "INCLUDED", "6"]));
    assert_eq!(of(&event, "export"), json!([false, "NOT_IN_PLAN", null]));
    assert_eq!(service.event("1").await, event);
    // Credits pay for nothing here, so that nobody is told.
    grant(test, ann.as_str().unwrap(), 5, json!({})).await;
    balances.event("1").await;
    set_override(test, &ann, "export", json!({})).await;
    assert_eq!(of(&socket.event("1").await, "export"), json!([true, "OVERRIDE", null]));
    // As a webhook changes a subscription.
    set(test, subscription, "status = 'paused'").await;
    record(test, Change::SubscriptionChanged(subscription, local_id(ann.as_str().unwrap()).1)).await;
    assert_eq!(of(&socket.event("1").await, "chat"), json!([false, "PAUSED", null]));
    let usage = "mutation($account: ID!) { recordUsage(input: {events: [
        {accountId: $account, meter: \"chat\", value: 1, dedupeKey: \"x\"}]}) { userErrors { code } } }";
    set(test, subscription, "status = 'active'").await;
    test.admin().data(usage, json!({"account": ann})).await;
    assert_eq!(of(&socket.event("1").await, "chat"), json!([true, "INCLUDED", "5"]));
    socket.settle().await;
}

async fn entitlements_that_time_changes_are_told_at_their_instant(test: &TestApp) {
    let (ann, subscription) = chatting(test, "ann").await;
    let at = |minutes| test.app.now() + TimeDelta::minutes(minutes);
    let server = Server::start(test).await;
    let mut socket = Socket::of(&server, Some(&test.user_token("ann"))).await;
    set_override(test, &ann, "export", json!({"expiresAt": at(10)})).await;
    consume(test, &ann, "chat", 10, "a").await;
    socket.watch("1", ENTITLEMENTS, json!({})).await;
    test.advance(TimeDelta::minutes(10));
    let event = socket.event("1").await;
    assert_eq!(of(&event, "export"), json!([false, "NOT_IN_PLAN", null]));
    assert_eq!(of(&event, "chat"), json!([false, "LIMIT_REACHED", "0"]));
    // The hour ends.
    let left =
        TimeDelta::minutes(60) - (test.app.now() - "2026-01-15T12:00:00Z".parse::<chrono::DateTime<_>>().unwrap());
    test.advance(left);
    let mut socket = Socket::of(&server, Some(&test.user_token("ann"))).await;
    consume(test, &ann, "chat", 1, "b").await;
    set(test, subscription, "status = 'past_due', current_period_start = '2026-01-12T13:20:00+00:00'").await;
    socket.watch("1", ENTITLEMENTS, json!({})).await;
    // The time to pay ends.
    test.advance(TimeDelta::minutes(20));
    assert_eq!(of(&socket.event("1").await, "chat"), json!([false, "PAST_DUE", null]));
}

async fn a_feature_that_credits_pay_for_changes_with_them(test: &TestApp) {
    credits::unit(test, "credit").await;
    features(test, &[("seconds", "LIMIT")]).await;
    let seconds = json!([{"feature": "seconds", "limit": 1, "window": "MONTH", "onExceed": "OVERAGE",
        "overage": {"unit": "credit", "credits": 5}}]);
    let version = plan(test, "paid", 1, "PLAN", seconds, json!({})).await;
    let ann = credits::account(test, "ann").await;
    subscribe(test, &json!(ann), version, "active").await;
    consume(test, &json!(ann), "seconds", 1, "a").await;
    let server = Server::start(test).await;
    let mut socket = Socket::of(&server, Some(&test.user_token("ann"))).await;
    socket.watch("1", ENTITLEMENTS, json!({})).await;
    grant(test, &ann, 5, json!({"expiresAt": test.app.now() + TimeDelta::minutes(10)})).await;
    assert_eq!(of(&socket.event("1").await, "seconds"), json!([true, "OVERAGE", "0"]));
    test.advance(TimeDelta::minutes(10));
    assert_eq!(of(&socket.event("1").await, "seconds"), json!([false, "LIMIT_REACHED", "0"]));
}

async fn another_node_tells_of_changes_too(test: &TestApp) {
    let (ann, _) = chatting(test, "ann").await;
    credits::unit(test, "credit").await;
    let settings = [("TOLLGATE_JWT_HS256_SECRET", SECRET), ("TOLLGATE_REPORT_COST", "false")];
    let other = test.beside_at(Arc::clone(&test.app.clock), &settings).await;
    let server = Server::start(&other).await;
    let mut socket = Socket::of(&server, Some(&test.user_token("ann"))).await;
    socket.watch("1", BALANCE, json!({})).await;
    socket.watch("2", ENTITLEMENTS, json!({})).await;
    let id = ann.as_str().unwrap();
    grant(test, id, 100, json!({})).await;
    assert_eq!(socket.event("1").await["balanceChanged"]["available"], "100");
    // Both nodes spend, and the last event has both.
    join_all((0..40).map(|number| ask([test, &other][number % 2], SPEND, spend(id, 1)))).await;
    while socket.event("1").await["balanceChanged"]["available"] != "60" {}
    consume(test, &ann, "chat", 4, "a").await;
    assert_eq!(of(&socket.event("2").await, "chat"), json!([true, "INCLUDED", "6"]));
}

async fn a_watcher_who_hangs_up_leaves_nothing_behind(test: &TestApp) {
    let ann = person(test, "ann", 10).await;
    // One that hangs up, and one that asks for room.
    let server =
        Server::with(test, |http| http.connections = Arc::new(Connections::new(ConnectionLimits::all(2)))).await;
    for number in 0..4 {
        let mut socket = Socket::of(&server, Some(&test.user_token("ann"))).await;
        socket.watch("1", BALANCE, json!({})).await;
        socket.watch("2", ENTITLEMENTS, json!({})).await;
        ask(test, SPEND, spend(&ann, 1)).await;
        // A change from just before can still be delivered.
        let left = (9 - 2 * number).to_string();
        while socket.event("1").await["balanceChanged"]["available"] != left.as_str() {}
        drop(socket);
        // A change on its way to somebody who is gone hinders nobody.
        ask(test, SPEND, spend(&ann, 1)).await;
        soon(async { while !Socket::can_open(&server).await {} }).await;
    }
}

async fn the_events_of_balances_are_charged(test: &TestApp) {
    let ann = person(test, "ann", 10).await;
    let settings = [
        ("TOLLGATE_JWT_HS256_SECRET", SECRET),
        ("TOLLGATE_LIMIT_COST_USER", "10"),
        ("TOLLGATE_COST_PER_MINUTE_USER", "10"),
    ];
    let other = test.beside_at(Arc::clone(&test.app.clock), &settings).await;
    let server = Server::start(&other).await;
    let watch = "subscription { balanceChanged { available unit { code } } }";
    let mut events = Events::of(&server, Some(&test.user_token("ann")), watch, json!({})).await;
    for left in ["9", "8"] {
        ask(test, SPEND, spend(&ann, 1)).await;
        assert_eq!(events.event().await["balanceChanged"]["available"], left);
    }
    ask(test, SPEND, spend(&ann, 1)).await;
    assert_eq!(events.error().await, "RATE_LIMITED");
}

/// Two nodes on PostgreSQL, whose clocks differ.
#[test]
fn a_node_whose_clock_is_behind_tells_of_changes_too() {
    run(Engine::Postgres, async |test: &TestApp| {
        let ann = person(test, "ann", 10).await;
        let behind = Arc::new(tollgate::clock::Clock::fixed(test.app.now() - TimeDelta::minutes(1)));
        let other = test.beside_at(behind, &[("TOLLGATE_JWT_HS256_SECRET", SECRET)]).await;
        let server = Server::start(test).await;
        let mut socket = Socket::of(&server, Some(&test.admin_token())).await;
        socket.watch("1", BALANCE, json!({})).await;
        ask(&other, SPEND, spend(&ann, 1)).await;
        assert_eq!(socket.event("1").await["balanceChanged"]["available"], "9");
    });
}
