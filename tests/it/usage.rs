//! Usage: each event is recorded once, refused for a reason, taken back once, and summed by day.

use crate::support::usage::{account, correct, days, meters, outcomes, recomputed, record, stored};
use crate::support::{TestApp, both_engines, clock};
use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tollgate::auth::Permission;

both_engines!(
    an_event_is_recorded_once_for_its_account_meter_and_key,
    of_many_equal_events_at_once_on_two_nodes_one_is_recorded,
    a_batch_takes_a_constant_number_of_statements,
    each_event_of_a_batch_has_its_outcome,
    a_thousand_events_are_recorded_at_once_and_no_more,
    each_aggregation_sums_a_day_in_its_way,
    an_event_is_taken_back_once,
    what_was_the_greatest_or_the_only_one_is_no_more_when_it_is_taken_back,
    an_event_that_was_recorded_is_a_duplicate_however_old_it_is,
    usage_is_listed_by_meter_and_time,
    callers_without_the_permission_record_nothing,
);

async fn an_event_is_recorded_once_for_its_account_meter_and_key(test: &TestApp) {
    meters(test).await;
    let (alice, bob) = (account(test, "alice").await, account(test, "bob").await);
    let event =
        |account: &Value, meter: &str, key: &str| json!({"accountId": account, "meter": meter, "dedupeKey": key});
    let mut first = event(&alice, "tokens", "k");
    first["value"] = json!("5");
    let mut again = first.clone();
    // It is the same event, also if it says something else.
    again["value"] = json!("7");
    let results = record(test, json!([first, again])).await;
    assert_eq!(outcomes(&results), ["RECORDED", "DUPLICATE"]);
    assert_eq!(results[0]["event"], results[1]["event"]);
    assert_eq!(results[0]["event"]["measuredValue"], "5");
    test.advance(TimeDelta::days(3));
    assert_eq!(record(test, json!([again])).await, [results[1].clone()]);
    let mut others = [event(&alice, "messages", "k"), event(&bob, "tokens", "k"), event(&alice, "tokens", "l")];
    others[1]["value"] = json!(1);
    others[2]["value"] = json!(2);
    assert_eq!(outcomes(&record(test, json!(others)).await), ["RECORDED"; 3]);
    let sums = json!([["2026-01-15", null, 1, "5", "0"], ["2026-01-18", null, 1, "2", "0"]]);
    assert_eq!(days(test, &alice, "tokens").await, sums);
}

async fn of_many_equal_events_at_once_on_two_nodes_one_is_recorded(test: &TestApp) {
    meters(test).await;
    let alice = account(test, "alice").await;
    let node = test.beside_at(clock(), &[("TOLLGATE_JWT_HS256_SECRET", crate::support::SECRET)]).await;
    for round in 0..4 {
        let event = json!({"accountId": alice, "meter": "tokens", "value": 3, "dedupeKey": format!("k{round}")});
        let requests = (0..32).map(|number| {
            let (on, event) = (if number % 2 == 0 { test } else { &node }, event.clone());
            // Each is another request, some with another event beside it.
            let other = json!({"accountId": alice, "meter": "messages", "dedupeKey": format!("{round} {number}")});
            async move { record(on, if number % 3 == 0 { json!([other, event]) } else { json!([event]) }).await }
        });
        let results = join_all(requests).await;
        let same: Vec<Value> = results.into_iter().map(|mut results| results.pop().unwrap()).collect();
        let recorded = same.iter().filter(|result| result["outcome"] == "RECORDED").count();
        assert_eq!(recorded, 1, "{same:?}");
        assert!(same.iter().all(|result| result["event"] == same[0]["event"]), "{same:?}");
    }
    assert_eq!(days(test, &alice, "tokens").await, json!([["2026-01-15", null, 4, "12", "0"]]));
    assert_eq!(stored(test).await, recomputed(test).await);
}

async fn a_batch_takes_a_constant_number_of_statements(test: &TestApp) {
    meters(test).await;
    let accounts = [account(test, "alice").await, account(test, "bob").await];
    let batch = |size: usize, name: &str| -> Value {
        let event = |number: usize| {
            json!({"accountId": accounts[number % 2], "meter": (["messages", "people"][number % 2 * (number / 2 % 2)]),
                "dimensions": {"person": number}, "dedupeKey": format!("{name} {number}")})
        };
        (0..size).map(event).collect()
    };
    record(test, batch(1, "warm")).await;
    let statements = async |events: Value| {
        let before = test.app.db.statements();
        let results = record(test, events).await;
        assert!(outcomes(&results).iter().all(|outcome| *outcome == "RECORDED"), "{results:?}");
        test.app.db.statements() - before
    };
    let few = statements(batch(8, "few")).await;
    let many = statements(batch(800, "many")).await;
    // The collectors may divide a request, but not into its events.
    assert!(many <= few * 12, "{few} statements for 8 events, {many} for 800");
}

async fn each_event_of_a_batch_has_its_outcome(test: &TestApp) {
    meters(test).await;
    let alice = account(test, "alice").await;
    let event =
        |key: &str, value: i64| json!({"accountId": alice, "meter": "tokens", "value": value, "dedupeKey": key});
    // A refused event leaves its key to the next one.
    let events = json!([event("a", 1), event("b", -1), event("b", 2), event("a", 3), event("c", 4)]);
    let results = record(test, events).await;
    assert_eq!(outcomes(&results), ["RECORDED", "REFUSED", "RECORDED", "DUPLICATE", "RECORDED"]);
    assert_eq!(results[1]["event"], Value::Null);
    assert_eq!(results[1]["userErrors"][0]["code"], "VALUE_INVALID");
    assert_eq!(results[1]["userErrors"][0]["field"], json!(["value"]));
    assert_eq!(days(test, &alice, "tokens").await, json!([["2026-01-15", null, 3, "7", "0"]]));
    assert_eq!(record(test, json!([])).await, Vec::<Value>::new());
}

async fn a_thousand_events_are_recorded_at_once_and_no_more(test: &TestApp) {
    meters(test).await;
    let alice = account(test, "alice").await;
    let events = |count: usize| -> Value {
        let event = |number| json!({"accountId": alice, "meter": "messages", "dedupeKey": format!("k{number}")});
        (0..count).map(event).collect()
    };
    let query = "mutation($events: [UsageEventInput!]!) { recordUsage(input: {events: $events}) {
        results { outcome } userErrors { code field } } }";
    let refused = test.admin().data(query, json!({"events": events(1_001)})).await["recordUsage"].take();
    let error = json!({"code": "TOO_MANY_EVENTS", "field": ["events"]});
    assert_eq!(refused, json!({"results": null, "userErrors": [error]}));
    assert_eq!(days(test, &alice, "messages").await, json!([]));
    let recorded = test.admin().data(query, json!({"events": events(1_000)})).await["recordUsage"].take();
    assert_eq!(outcomes(recorded["results"].as_array().unwrap()), ["RECORDED"; 1_000]);
    assert_eq!(days(test, &alice, "messages").await, json!([["2026-01-15", null, 1000, "1000", "0"]]));
}

async fn each_aggregation_sums_a_day_in_its_way(test: &TestApp) {
    meters(test).await;
    let alice = account(test, "alice").await;
    let event = |meter: &str, key: &str, at: &str, more: Value| {
        let mut event = json!({"accountId": alice, "meter": meter, "dedupeKey": key, "occurredAt": at});
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    let (late, early) = ("2026-01-14T23:59:59.999999Z", "2026-01-15T01:00:00+01:00");
    let events = json!([
        event("tokens", "1", late, json!({"value": 5, "dimensions": {"model": "a"}})),
        event("tokens", "2", early, json!({"value": 7, "dimensions": {"model": "a"}})),
        event("tokens", "3", early, json!({"value": 1, "dimensions": {"model": "b"}})),
        event("tokens", "4", early, json!({"value": 2})),
        event("tokens", "5", early, json!({"value": 0, "dimensions": {"model": 3}})),
        event("messages", "1", early, json!({})),
        event("messages", "2", early, json!({"dimensions": {"model": "a"}})),
        event("seats", "1", early, json!({"dimensions": {"team": {"seats": 4}}})),
        event("seats", "2", early, json!({"dimensions": {"team": {"seats": "9"}}})),
        event("seats", "3", early, json!({"dimensions": {"team": {"seats": 2}}})),
        event("people", "1", early, json!({"dimensions": {"person": "ann"}})),
        event("people", "2", early, json!({"dimensions": {"person": 7}})),
        event("people", "3", early, json!({"dimensions": {"person": "ann"}})),
        event("people", "4", late, json!({"dimensions": {"person": "ann"}})),
    ]);
    let results = record(test, events).await;
    assert!(outcomes(&results).iter().all(|outcome| *outcome == "RECORDED"), "{results:?}");
    // And in another transaction.
    record(test, json!([event("people", "5", early, json!({"dimensions": {"person": "ann"}}))])).await;
    record(test, json!([event("people", "6", early, json!({"dimensions": {"person": "bob"}}))])).await;
    record(test, json!([event("seats", "4", early, json!({"dimensions": {"team": {"seats": 5}}}))])).await;
    let day = "2026-01-15";
    let tokens = json!([
        ["2026-01-14", "a", 1, "5", "0"],
        [day, null, 1, "2", "0"],
        [day, "3", 1, "0", "0"],
        [day, "a", 1, "7", "0"],
        [day, "b", 1, "1", "0"]
    ]);
    assert_eq!(days(test, &alice, "tokens").await, tokens);
    assert_eq!(days(test, &alice, "messages").await, json!([[day, null, 2, "2", "0"]]));
    assert_eq!(days(test, &alice, "seats").await, json!([[day, null, 4, "9", "0"]]));
    let people = json!([["2026-01-14", null, 1, "1", "0"], [day, null, 5, "3", "0"]]);
    assert_eq!(days(test, &alice, "people").await, people);
    let wide = "query($id: ID!) { account(id: $id) {
        usageDaily(meter: \"tokens\", from: \"2025-01-01\", to: \"2026-02-06\") { day } } }";
    assert_eq!(test.admin().code(wide, json!({"id": alice})).await, "BAD_USER_INPUT");
}

async fn an_event_is_taken_back_once(test: &TestApp) {
    meters(test).await;
    let alice = account(test, "alice").await;
    let event = |key: &str, value: i64| {
        json!({"accountId": alice, "meter": "tokens", "value": value, "dedupeKey": key,
        "occurredAt": "2026-01-10T12:00:00Z"})
    };
    let results = record(test, json!([event("a", 5), event("b", 6)])).await;
    let wrong = &results[0]["event"]["id"];
    let payload = correct(test, wrong, "c").await;
    assert_eq!(payload["userErrors"], json!([]));
    let correction = &payload["correction"];
    assert_eq!((&correction["measuredValue"], &correction["corrects"]["id"]), (&json!("-5"), wrong));
    assert_eq!(correction["corrects"]["correctedBy"]["id"], correction["id"]);
    let sums = json!([["2026-01-10", null, 1, "6", "0"]]);
    assert_eq!(days(test, &alice, "tokens").await, sums);
    // A repetition has the same answer, and another request none.
    assert_eq!(correct(test, wrong, "c").await, payload);
    assert_eq!(correct(test, wrong, "d").await["userErrors"][0]["code"], "ALREADY_CORRECTED");
    assert_eq!(correct(test, &correction["id"], "e").await["userErrors"][0]["code"], "IS_CORRECTION");
    let requests = (0..8).map(async |number| correct(test, &results[1]["event"]["id"], &format!("n{number}")).await);
    let answers = join_all(requests).await;
    assert_eq!(answers.iter().filter(|answer| answer["userErrors"] == json!([])).count(), 1, "{answers:?}");
    assert_eq!(days(test, &alice, "tokens").await, json!([]), "days without usage are left out");
    // Its key stays used.
    assert_eq!(outcomes(&record(test, json!([event("a", 5)])).await), ["DUPLICATE"]);
}

async fn what_was_the_greatest_or_the_only_one_is_no_more_when_it_is_taken_back(test: &TestApp) {
    meters(test).await;
    let alice = account(test, "alice").await;
    let event = |meter: &str, key: &str, dimensions: Value| {
        json!({"accountId": alice, "meter": meter, "dedupeKey": key,
        "dimensions": dimensions})
    };
    let events = json!([
        event("seats", "1", json!({"team": {"seats": 9}})),
        event("seats", "2", json!({"team": {"seats": 4}})),
        event("people", "1", json!({"person": "ann"})),
        event("people", "2", json!({"person": "ann"})),
    ]);
    let results = record(test, events).await;
    let mut values = Vec::new();
    for (number, meter) in ["seats", "seats", "people", "people"].iter().enumerate() {
        correct(test, &results[number]["event"]["id"], &format!("c{number}")).await;
        values.push(days(test, &alice, meter).await[0][3].clone());
    }
    assert_eq!(json!(values), json!(["4", null, "1", null]));
    // And counts again when it comes back.
    record(test, json!([event("people", "3", json!({"person": "ann"}))])).await;
    assert_eq!(days(test, &alice, "people").await, json!([["2026-01-15", null, 1, "1", "0"]]));
    assert_eq!(stored(test).await, recomputed(test).await);
}

async fn an_event_that_was_recorded_is_a_duplicate_however_old_it_is(test: &TestApp) {
    meters(test).await;
    let alice = account(test, "alice").await;
    let event =
        json!({"accountId": alice, "meter": "messages", "dedupeKey": "k", "occurredAt": "2026-01-01T00:00:00Z"});
    let first = record(test, json!([event])).await.remove(0);
    test.advance(TimeDelta::days(500));
    let again = record(test, json!([event])).await.remove(0);
    assert_eq!((&again["outcome"], &again["event"]), (&json!("DUPLICATE"), &first["event"]));
}

async fn usage_is_listed_by_meter_and_time(test: &TestApp) {
    meters(test).await;
    let alice = account(test, "alice").await;
    let event = |meter: &str, day: i64| {
        json!({"accountId": alice, "meter": meter, "value": if meter == "tokens" { json!(day) } else { Value::Null },
            "dedupeKey": day.to_string(), "occurredAt": format!("2026-01-{day:02}T00:00:00Z"), "refType": "chat",
            "refId": day.to_string(), "verified": true, "proof": "p", "contentHash": "h"})
    };
    let events: Vec<Value> = (1..10).flat_map(|day| [event("tokens", day), event("messages", day)]).collect();
    record(test, json!(events)).await;
    let query = "{ viewer { account { usageEvents(filter: {meter: \"tokens\", occurredAt: {
        from: \"2026-01-03T00:00:00Z\", to: \"2026-01-06T00:00:00Z\"}}) { totalCount nodes { measuredValue meter { code }
            account { id } refId verified proof contentHash usedBy { id } } } } } }";
    let seen = test.user("alice").data(query, json!({})).await["viewer"]["account"]["usageEvents"].take();
    let row = |value: &str| {
        json!({"measuredValue": value, "meter": {"code": "tokens"}, "account": {"id": alice}, "refId": value,
            "verified": true, "proof": "p", "contentHash": "h", "usedBy": null})
    };
    assert_eq!(seen, json!({"totalCount": 3, "nodes": [row("5"), row("4"), row("3")]}));
    let theirs = "query($id: ID!) { account(id: $id) { usageEvents { totalCount } } }";
    assert_eq!(test.user("bob").data(theirs, json!({"id": alice})).await["account"], Value::Null);
}

async fn callers_without_the_permission_record_nothing(test: &TestApp) {
    meters(test).await;
    let alice = account(test, "alice").await;
    let events = json!([{"accountId": alice, "meter": "messages", "dedupeKey": "k"}]);
    let query = crate::support::usage::RECORD;
    let variables = json!({"events": events});
    assert_eq!(test.user("alice").code(query, variables.clone()).await, "FORBIDDEN");
    assert_eq!(test.service(&[Permission::BillingWrite]).code(query, variables.clone()).await, "FORBIDDEN");
    assert_eq!(days(test, &alice, "messages").await, json!([]));
    let recorded = test.service(&[Permission::CreditsWrite]).data(query, variables).await;
    assert_eq!(recorded["recordUsage"]["results"][0]["outcome"], "RECORDED");
    let mine = "{ viewer { account { usageEvents { nodes { recordedBy } } } } }";
    let seen = test.user("alice").data(mine, json!({})).await;
    assert_eq!(seen["viewer"]["account"]["usageEvents"]["nodes"], json!([{"recordedBy": "service:backend"}]));
}
