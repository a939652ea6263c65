//! Rate cards: the price of each event, exact and rounded up once, by the card that holds at its time.

use crate::support::usage::{CARD, account, card, correct, days, meter, recomputed, record, stored};
use crate::support::{TestApp, both_engines};
use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::{Value, json};

both_engines!(
    each_model_has_its_prices_and_a_card_without_a_model_prices_the_others,
    a_cost_is_rounded_up_once_for_each_event,
    a_card_prices_the_events_of_its_time,
    usage_spends_credits_with_it_and_a_correction_returns_them,
    the_last_credits_go_to_one_event,
    cards_of_one_time_never_price_the_same_event,
    a_card_ends_once_and_never_in_the_past,
    a_feature_counts_on_a_meter_of_its_own_or_on_a_given_one,
);

const END: &str = "mutation($id: ID!, $at: DateTime) { endRateCard(input: {rateCardId: $id, endsAt: $at}) {
    rateCard { endsAt } userErrors { code } } }";

/// A meter of tokens by model, a credit unit, and Alice's account.
async fn tokens(test: &TestApp) -> Value {
    meter(test, json!({"code": "tokens", "name": "Tokens", "aggregation": "SUM", "groupBy": "model"})).await;
    let unit = "mutation($code: String!) {
        createCreditUnit(input: {code: $code, name: \"Credits\"}) { userErrors { code } } }";
    for code in ["credit", "gold"] {
        test.admin().data(unit, json!({"code": code})).await;
    }
    let account = account(test, "alice").await;
    let grant = "mutation($account: ID!) { grantCredits(input: {accountId: $account, unit: \"credit\",
        amount: \"1000000000\", idempotencyKey: \"k\"}) { userErrors { code } } }";
    test.admin().data(grant, json!({"account": account})).await;
    account
}

fn card_input(model: Option<&str>, rates: Value, more: Value) -> Value {
    let mut input = json!({"meter": "tokens", "unit": "credit", "rates": rates});
    if let Some(model) = model {
        input["dimension"] = json!("model");
        input["dimensionValue"] = json!(model);
    }
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    input
}

/// The credits that events cost, given as their key, time and dimensions.
async fn costs(test: &TestApp, account: &Value, events: &[(&str, &str, Value)]) -> Vec<String> {
    let event = |(key, at, dimensions): &(&str, &str, Value)| {
        json!({"accountId": account, "meter": "tokens", "value": 10, "dedupeKey": key, "occurredAt": at,
            "dimensions": dimensions})
    };
    let results = record(test, events.iter().map(event).collect()).await;
    let credits = |result: &Value| {
        assert_eq!(result["userErrors"], json!([]));
        result["event"]["credits"].as_str().unwrap().to_owned()
    };
    results.iter().map(credits).collect()
}

const NOW: &str = "2026-01-15T12:00:00Z";

async fn each_model_has_its_prices_and_a_card_without_a_model_prices_the_others(test: &TestApp) {
    let alice = tokens(test).await;
    let free = costs(test, &alice, &[("free", NOW, json!({"model": "large"}))]).await;
    assert_eq!(free, ["0"]);
    let large = json!([{"quantity": "input", "credits": 250, "per": 1000}, {"quantity": "output", "credits": 1000,
        "per": 1000}, {"quantity": "cached", "credits": 125, "per": 1000}]);
    let small = json!([{"quantity": "input", "credits": 15, "per": 1000}, {"quantity": "output", "credits": 60,
        "per": 1000}]);
    card(test, card_input(Some("large"), large, json!({}))).await;
    card(test, card_input(Some("small"), small, json!({}))).await;
    card(test, card_input(None, json!([{"quantity": "value", "credits": 7}]), json!({}))).await;
    let found = costs(
        test,
        &alice,
        &[
            ("1", NOW, json!({"model": "large", "input": 1000, "output": 1000, "cached": 1000})),
            ("2", NOW, json!({"model": "large", "input": 3, "output": 1, "cached": 2})),
            ("3", NOW, json!({"model": "small", "input": 100_000, "output": 2_000, "cached": 5_000})),
            ("4", NOW, json!({"model": "small"})),
            ("5", NOW, json!({"model": "other", "input": 5})),
            ("6", NOW, json!({})),
            ("7", NOW, json!({"model": "LARGE"})),
        ],
    )
    .await;
    assert_eq!(found, ["1375", "2", "1620", "0", "70", "70", "70"]);
    let sums = json!([
        ["2026-01-15", null, 1, "10", "70"],
        ["2026-01-15", "LARGE", 1, "10", "70"],
        ["2026-01-15", "large", 3, "30", "1377"],
        ["2026-01-15", "other", 1, "10", "70"],
        ["2026-01-15", "small", 2, "20", "1620"]
    ]);
    assert_eq!(days(test, &alice, "tokens").await, sums);
    assert_eq!(stored(test).await, recomputed(test).await);
}

async fn a_cost_is_rounded_up_once_for_each_event(test: &TestApp) {
    let alice = tokens(test).await;
    let thirds = json!([{"quantity": "a", "credits": 1, "per": 3}, {"quantity": "b", "credits": 1, "per": 3},
        {"quantity": "c", "credits": 1, "per": 3}, {"quantity": "big", "credits": 1_000_000_000, "per": 1_000_000_007}]);
    card(test, card_input(None, thirds, json!({}))).await;
    let found = costs(
        test,
        &alice,
        &[
            // Three thirds are one; rounded one by one they would be three.
            ("1", NOW, json!({"a": 1, "b": 1, "c": 1})),
            ("2", NOW, json!({"a": 1, "b": 1, "c": 2})),
            ("3", NOW, json!({"a": "3", "b": 0})),
            // Whole to the last digit: 1,000,000 * 1,000,000,000 / 1,000,000,007 is 999,999.993.
            ("4", NOW, json!({"big": 1_000_000})),
        ],
    )
    .await;
    assert_eq!(found, ["1", "2", "1", "1000000"]);
}

async fn a_card_prices_the_events_of_its_time(test: &TestApp) {
    let alice = tokens(test).await;
    let rate = |credits: i64| json!([{"quantity": "value", "credits": credits}]);
    let (first, second) = ("2026-01-10T00:00:00Z", "2026-01-12T00:00:00Z");
    let ended = json!({"startsAt": first, "endsAt": "2026-02-01T00:00:00Z"});
    card(test, card_input(None, rate(1), ended)).await;
    card(test, card_input(Some("a"), rate(2), json!({"startsAt": second}))).await;
    let a = json!({"model": "a"});
    let found = costs(
        test,
        &alice,
        &[
            ("1", "2026-01-09T23:59:59.999999Z", a.clone()),
            ("2", first, a.clone()),
            ("3", "2026-01-11T23:59:59.999999Z", a.clone()),
            ("4", second, a.clone()),
            ("5", second, json!({"model": "b"})),
        ],
    )
    .await;
    assert_eq!(found, ["0", "10", "10", "20", "10"]);
    // An event that comes late costs what it would have cost in time.
    test.advance(TimeDelta::days(30));
    let late = [("6", "2026-01-31T23:59:59Z", json!({})), ("7", "2026-02-01T00:00:00Z", json!({}))];
    assert_eq!(costs(test, &alice, &late).await, ["10", "0"]);
}

/// The credits that an account can spend.
async fn available(test: &TestApp) -> String {
    let query = "{ viewer { account { creditBalance(unit: \"credit\") { available } } } }";
    let data = test.user("alice").data(query, json!({})).await;
    data["viewer"]["account"]["creditBalance"]["available"].as_str().unwrap().to_owned()
}

async fn usage_spends_credits_with_it_and_a_correction_returns_them(test: &TestApp) {
    let alice = tokens(test).await;
    card(test, card_input(None, json!([{"quantity": "value", "credits": 1_000_000}]), json!({}))).await;
    let event =
        |value: i64, key: &str| json!({"accountId": alice, "meter": "tokens", "value": value, "dedupeKey": key});
    // There are 1,000,000,000: the third is refused, and the fourth fits again.
    let results = record(test, json!([event(400, "1"), event(500, "2"), event(101, "3"), event(100, "4")])).await;
    let outcomes: Vec<_> = results.iter().map(|result| result["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["RECORDED", "RECORDED", "REFUSED", "RECORDED"]);
    let error = json!({"code": "INSUFFICIENT_CREDITS", "field": null,
        "message": "101000000 credits are needed, and 100000000 are available: grant or buy more."});
    assert_eq!(results[2]["userErrors"], json!([error]));
    assert_eq!(available(test).await, "0");
    assert_eq!(days(test, &alice, "tokens").await, json!([["2026-01-15", null, 3, "1000", "1000000000"]]));
    // A duplicate costs nothing.
    assert_eq!(record(test, json!([event(400, "1")])).await[0]["outcome"], "DUPLICATE");
    let payload = correct(test, &results[0]["event"]["id"], "c").await;
    assert_eq!(payload["correction"]["credits"], "-400000000");
    assert_eq!(available(test).await, "400000000");
    assert_eq!(correct(test, &results[0]["event"]["id"], "c").await, payload);
    assert_eq!(available(test).await, "400000000");
    assert_eq!(record(test, json!([event(101, "3")])).await[0]["outcome"], "RECORDED");
    assert_eq!(available(test).await, "299000000");
    assert_eq!(stored(test).await, recomputed(test).await);
    let query = "{ viewer { account { usageEvents(orderBy: {field: OCCURRED_AT, direction: ASC}) { nodes { credits
        ledgerTransaction { operation } rateCard { id } creditUnit { code } } } } } }";
    let seen = test.user("alice").data(query, json!({})).await;
    let nodes = seen["viewer"]["account"]["usageEvents"]["nodes"].as_array().unwrap().clone();
    let operations: Vec<_> = nodes.iter().map(|node| &node["ledgerTransaction"]["operation"]).collect();
    assert_eq!(operations.iter().filter(|operation| **operation == "SPEND").count(), 4);
    assert_eq!(operations.iter().filter(|operation| **operation == "REVERSE").count(), 1);
}

async fn the_last_credits_go_to_one_event(test: &TestApp) {
    let alice = tokens(test).await;
    card(test, card_input(None, json!([{"quantity": "value", "credits": 1_000_000}]), json!({}))).await;
    let requests = (0..16).map(|number| {
        let event = json!({"accountId": alice, "meter": "tokens", "value": 1_000, "dedupeKey": format!("k{number}")});
        async move { record(test, json!([event])).await }
    });
    let results = join_all(requests).await.concat();
    assert_eq!(results.iter().filter(|result| result["outcome"] == "RECORDED").count(), 1, "{results:?}");
    assert_eq!(available(test).await, "0");
    assert_eq!(stored(test).await, recomputed(test).await);
}

async fn refusal(test: &TestApp, input: Value) -> Value {
    test.admin().data(CARD, json!({"input": input})).await["createRateCard"]["userErrors"][0]["code"].take()
}

async fn cards_of_one_time_never_price_the_same_event(test: &TestApp) {
    tokens(test).await;
    let rate = json!([{"quantity": "value", "credits": 1}]);
    let input = |model: Option<&str>, from: &str, to: Option<&str>| {
        card_input(model, rate.clone(), json!({"startsAt": from, "endsAt": to}))
    };
    let (feb, march, april) = ("2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z");
    card(test, input(Some("a"), feb, Some(march))).await;
    for (from, to) in [(feb, None), (feb, Some(march)), ("2026-02-15T00:00:00Z", Some(april)), (NOW, None)] {
        assert_eq!(refusal(test, input(Some("a"), from, to)).await, "RATE_CARD_OVERLAPS", "{from} {to:?}");
    }
    card(test, input(Some("a"), march, None)).await;
    card(test, input(Some("a"), NOW, Some(feb))).await;
    card(test, input(Some("b"), NOW, None)).await;
    card(test, input(None, NOW, Some(april))).await;
    assert_eq!(refusal(test, input(None, march, None)).await, "RATE_CARD_OVERLAPS");
    let mut region = input(Some("eu"), feb, None);
    region["dimension"] = json!("region");
    assert_eq!(refusal(test, region).await, "DIMENSION_INVALID");
    let mut gold = input(Some("c"), feb, None);
    gold["unit"] = json!("gold");
    assert_eq!(refusal(test, gold).await, "UNIT_INVALID");
    let list = "{ rateCards(filter: {meter: \"tokens\"}, orderBy: {field: CREATED_AT, direction: ASC}) { totalCount
        nodes { meter { code } unit { code } dimension dimensionValue rates { quantity credits per } createdBy } } }";
    let listed = test.user("alice").data(list, json!({})).await["rateCards"].take();
    assert_eq!(listed["totalCount"], 5);
    let card = json!({"meter": {"code": "tokens"}, "unit": {"code": "credit"}, "dimension": "model",
        "dimensionValue": "a", "rates": [{"quantity": "value", "credits": "1", "per": "1"}]});
    let mut shown = listed["nodes"][0].clone();
    shown.as_object_mut().unwrap().remove("createdBy");
    assert_eq!(shown, card);
}

async fn a_card_ends_once_and_never_in_the_past(test: &TestApp) {
    let alice = tokens(test).await;
    let rate = json!([{"quantity": "value", "credits": 1}]);
    let first = card(test, card_input(None, rate.clone(), json!({}))).await;
    let end = async |id: &Value, at: Value| {
        let payload = test.admin().data(END, json!({"id": id, "at": at})).await["endRateCard"].take();
        match payload["userErrors"][0]["code"].as_str() {
            Some(code) => code.to_owned(),
            None => payload["rateCard"]["endsAt"].as_str().unwrap().to_owned(),
        }
    };
    assert_eq!(end(&first, json!("2026-01-15T11:59:59Z")).await, "ENDS_AT_INVALID");
    // It has just begun.
    assert_eq!(end(&first, Value::Null).await, "ENDS_AT_INVALID");
    assert_eq!(end(&first, json!("2026-03-01T00:00:00Z")).await, "2026-03-01T00:00:00Z");
    assert_eq!(end(&first, json!("2026-03-02T00:00:00Z")).await, "ENDS_AT_INVALID");
    test.advance(TimeDelta::hours(1));
    let now = "2026-01-15T13:00:00Z";
    assert_eq!(end(&first, Value::Null).await, now);
    assert_eq!(end(&first, json!(now)).await, now);
    assert_eq!(end(&first, json!("2026-02-01T00:00:00Z")).await, "ALREADY_ENDED");
    let found = costs(test, &alice, &[("1", "2026-01-15T12:59:59Z", json!({})), ("2", now, json!({}))]).await;
    assert_eq!(found, ["10", "0"]);
    // Another one can follow.
    card(test, card_input(None, rate, json!({}))).await;
    assert_eq!(costs(test, &alice, &[("3", now, json!({}))]).await, ["10"]);
}

async fn a_feature_counts_on_a_meter_of_its_own_or_on_a_given_one(test: &TestApp) {
    meter(test, json!({"code": "calls", "name": "Calls", "aggregation": "COUNT"})).await;
    let query = "mutation($input: CreateFeatureInput!) { createFeature(input: $input) {
        feature { limitMeter { code aggregation name } } userErrors { code } } }";
    let create = async |input: Value| {
        let payload = test.admin().data(query, json!({"input": input})).await["createFeature"].take();
        match payload["userErrors"][0]["code"].as_str() {
            Some(code) => json!(code),
            None => payload["feature"]["limitMeter"].clone(),
        }
    };
    let input = |code: &str, kind: &str, meter: Value| json!({"code": code, "kind": kind, "name": "N", "meter": meter});
    let own = create(input("exports", "LIMIT", Value::Null)).await;
    assert_eq!(own, json!({"code": "exports", "aggregation": "SUM", "name": "N"}));
    let calls = json!({"code": "calls", "aggregation": "COUNT", "name": "Calls"});
    assert_eq!(create(input("api", "LIMIT", json!("calls"))).await, calls);
    // One with its code is there already.
    assert_eq!(create(input("calls", "LIMIT", Value::Null)).await, calls);
    assert_eq!(create(input("sso", "SWITCH", Value::Null)).await, Value::Null);
    assert_eq!(create(input("other", "LIMIT", json!("no"))).await, "METER_NOT_FOUND");
    assert_eq!(create(input("other", "CONFIG", json!("calls"))).await, "METER_INVALID");
    // A code that is taken leaves no meter behind.
    create(input("taken", "SWITCH", Value::Null)).await;
    assert_eq!(create(input("taken", "LIMIT", Value::Null)).await, "CODE_TAKEN");
    let codes = test.user("alice").data("{ meters(filter: {code: \"taken\"}) { totalCount } }", json!({})).await;
    assert_eq!(codes["meters"]["totalCount"], 0);
}
