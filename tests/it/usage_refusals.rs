//! The rules that refuse a usage event, each with its code, field and message.

use crate::support::usage::{account, card, meters, outcomes, record, stored};
use crate::support::{Schema, TestApp, both_engines, global_id, licences, local_id, sql};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use uuid::Uuid;

both_engines!(every_rule_refuses_an_event_with_its_code, a_malformed_event_is_refused_alone);

/// The code, field and message of the rule that refuses an event with these changes.
const REFUSED: &[(&str, &str, &str, &str)] = &[
    (
        "ACCOUNT_NOT_FOUND",
        "accountId",
        "Account not found: pass the `id` of an `Account`.",
        r#"{"accountId": "NO_ACCOUNT"}"#,
    ),
    ("METER_NOT_FOUND", "meter", "Meter not found: create it with `createMeter`.", r#"{"meter": "no"}"#),
    ("USER_NOT_FOUND", "userId", "User not found: pass the `id` of a `User`, or omit it.", r#"{"userId": "NO_USER"}"#),
    (
        "DEVICE_NOT_FOUND",
        "deviceId",
        "The account has no such device: pass the `id` of one of its devices, or omit it.",
        r#"{"deviceId": "OTHER_DEVICE"}"#,
    ),
    ("VALUE_INVALID", "value", VALUE, r#"{"value": -1}"#),
    ("VALUE_INVALID", "value", VALUE, r#"{"value": null}"#),
    ("VALUE_INVALID", "value", VALUE, r#"{"value": "1000000000000001"}"#),
    ("VALUE_INVALID", "value", VALUE, r#"{"value": "9223372036854775807"}"#),
    ("VALUE_INVALID", "value", "The meter counts events: omit `value`.", r#"{"meter": "messages"}"#),
    (
        "VALUE_INVALID",
        "value",
        "The meter reads the value from `team.seats` in `dimensions`: omit `value`.",
        r#"{"meter": "seats"}"#,
    ),
    (
        "VALUE_INVALID",
        "value",
        "`team.seats` in `dimensions` must be a whole number from 0 to 1,000,000,000,000,000: take back usage with `correctUsage`.",
        r#"{"meter": "seats", "value": null, "dimensions": {"team": {"seats": 1.5}}}"#,
    ),
    (
        "VALUE_INVALID",
        "value",
        "`person` in `dimensions` must be a text of 1 to 255 bytes, a whole number or a flag.",
        r#"{"meter": "people", "value": null, "dimensions": {"person": ["ann"]}}"#,
    ),
    ("DIMENSIONS_INVALID", "dimensions", "`dimensions` must be a JSON object.", r#"{"dimensions": [1]}"#),
    (
        "DIMENSIONS_INVALID",
        "dimensions",
        "`dimensions` must have at most 4,096 bytes as JSON: keep long values in the host application.",
        r#"{"dimensions": {"long": "LONG"}}"#,
    ),
    (
        "DIMENSIONS_INVALID",
        "dimensions",
        "`dimensions` must not contain a NUL character.",
        r#"{"dimensions": {"a": {"b": ["\u0000"]}}}"#,
    ),
    (
        "DIMENSIONS_INVALID",
        "dimensions",
        "`model` in `dimensions` must be a text of at most 255 bytes, a whole number or a flag.",
        r#"{"dimensions": {"model": {"name": "a"}}}"#,
    ),
    (
        "DIMENSIONS_INVALID",
        "dimensions",
        "`input` in `dimensions` has a price: it must be a whole number from 0 to 1,000,000,000,000,000.",
        r#"{"dimensions": {"input": -1}}"#,
    ),
    ("DEDUPE_KEY_INVALID", "dedupeKey", KEY, r#"{"dedupeKey": ""}"#),
    ("DEDUPE_KEY_INVALID", "dedupeKey", KEY, r#"{"dedupeKey": "LONG"}"#),
    ("DEDUPE_KEY_INVALID", "dedupeKey", KEY, r#"{"dedupeKey": "a\u0000"}"#),
    ("DEDUPE_KEY_INVALID", "dedupeKey", KEY, r#"{"dedupeKey": "correction:1"}"#),
    (
        "OCCURRED_AT_INVALID",
        "occurredAt",
        "`occurredAt` must not be more than 5 minutes in the future: check the sender's clock.",
        r#"{"occurredAt": "2026-01-15T12:05:00.000001Z"}"#,
    ),
    (
        "OCCURRED_AT_INVALID",
        "occurredAt",
        "`occurredAt` must not be more than 400 days in the past: leave out what is older.",
        r#"{"occurredAt": "2024-12-11T11:59:59Z"}"#,
    ),
    ("REFERENCE_INVALID", "refId", REFERENCE, r#"{"refType": "chat"}"#),
    ("REFERENCE_INVALID", "refId", REFERENCE, r#"{"refType": "chat", "refId": ""}"#),
    ("PROOF_INVALID", "proof", "`proof` must be 1 to 4,096 bytes long.", r#"{"proof": "LONG"}"#),
    ("CONTENT_HASH_INVALID", "contentHash", "`contentHash` must be 1 to 255 bytes long.", r#"{"contentHash": "LONG"}"#),
    (
        "COST_TOO_LARGE",
        "value",
        "An event can cost at most 1,000,000,000,000,000 credits: split it.",
        r#"{"value": "1000000000000000"}"#,
    ),
    (
        "SUM_TOO_LARGE",
        "value",
        "The sum of this day would exceed 9,223,372,036,854,775,807: use a coarser unit.",
        r#"{"dimensions": {"model": "full"}}"#,
    ),
];
const VALUE: &str =
    "`value` must be a whole number from 0 to 1,000,000,000,000,000: take back usage with `correctUsage`.";
const KEY: &str =
    "`dedupeKey` must be 1 to 255 bytes long, without NUL, and not begin with `correction:` or `consume:`.";
const REFERENCE: &str = "`refType` and `refId` must be given together, each 1 to 255 bytes long.";

async fn every_rule_refuses_an_event_with_its_code(test: &TestApp) {
    meters(test).await;
    let (alice, bob) = (account(test, "alice").await, account(test, "bob").await);
    let unit = "mutation { createCreditUnit(input: {code: \"credit\", name: \"Credits\"}) { userErrors { code } } }";
    test.admin().data(unit, json!({})).await;
    let rates = json!([{"quantity": "value", "credits": 2, "per": 1}, {"quantity": "input", "credits": 0}]);
    card(test, json!({"meter": "tokens", "unit": "credit", "rates": rates})).await;
    let owner = local_id(bob.as_str().unwrap()).1;
    let (licence, _) = licences::issued(&test.app, owner).await;
    let device = licences::device(&test.app, owner, licence).await;
    let base = json!({"accountId": alice, "meter": "tokens", "value": 0, "dedupeKey": "k"});
    let mut full = base.clone();
    full["dimensions"] = json!({"model": "full"});
    full["dedupeKey"] = json!("full");
    record(test, json!([full])).await;
    sql::execute(test.app.db.schema(), "UPDATE usage_daily SET value = 9223372036854775807").await;
    let no = |ty| global_id(ty, Uuid::nil());
    let before = (stored(test).await, sql::number(test.app.db.schema(), "SELECT COUNT(*) FROM usage_events").await);
    for (code, field, message, changes) in REFUSED {
        let changes = changes
            .replace("NO_ACCOUNT", &no("Account"))
            .replace("NO_USER", &no("User"))
            .replace("OTHER_DEVICE", &global_id("Device", device))
            .replace("LONG", &"x".repeat(4_100));
        let changes: Value = serde_json::from_str(&changes).unwrap();
        let mut event = base.clone();
        event.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        if *code == "SUM_TOO_LARGE" {
            event["value"] = json!(1);
        }
        let result = record(test, json!([event])).await.remove(0);
        let error = json!({"code": code, "field": [field], "message": message});
        assert_eq!(result, json!({"outcome": "REFUSED", "event": null, "userErrors": [error]}), "{changes}");
    }
    let after = (stored(test).await, sql::number(test.app.db.schema(), "SELECT COUNT(*) FROM usage_events").await);
    assert_eq!(after, before);
    let promised: BTreeSet<String> = Schema::of(test).await.values("RecordUsageErrorCode").into_iter().collect();
    // The first refuses all events of a request; the other has tests where there are credits.
    let elsewhere = ["TOO_MANY_EVENTS", "INSUFFICIENT_CREDITS"].map(str::to_owned);
    let given = REFUSED.iter().map(|(code, ..)| (*code).to_owned()).chain(elsewhere);
    let unknown: Vec<_> = promised.difference(&given.collect()).cloned().collect();
    assert_eq!(unknown, [""; 0], "each code has an event here");
    // At the limits they are recorded.
    for (at, value) in [("2026-01-15T12:05:00Z", 0), ("2024-12-11T12:00:00Z", 0)] {
        let event = json!({"accountId": alice, "meter": "tokens", "value": value, "dedupeKey": at, "occurredAt": at});
        assert_eq!(outcomes(&record(test, json!([event])).await), ["RECORDED"], "{at}");
    }
}

async fn a_malformed_event_is_refused_alone(test: &TestApp) {
    meters(test).await;
    let alice = account(test, "alice").await;
    let event = |key: &str, changes: Value| {
        let mut event = json!({"accountId": alice, "meter": "messages", "dedupeKey": key});
        event.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        event
    };
    let cases = [
        (json!({"accountId": "acct_1"}), "ACCOUNT_NOT_FOUND", "accountId"),
        (json!({"accountId": global_id("User", Uuid::nil())}), "ACCOUNT_NOT_FOUND", "accountId"),
        (json!({"userId": alice}), "USER_NOT_FOUND", "userId"),
        (json!({"deviceId": ""}), "DEVICE_NOT_FOUND", "deviceId"),
        (json!({"meter": "a\u{0}"}), "METER_NOT_FOUND", "meter"),
        (json!({"meter": "m".repeat(2_001)}), "METER_NOT_FOUND", "meter"),
    ];
    let mut events = vec![event("first", json!({}))];
    events.extend(cases.iter().enumerate().map(|(number, (changes, ..))| event(&number.to_string(), changes.clone())));
    events.push(event("last", json!({})));
    let results = record(test, json!(events)).await;
    let mut expected = vec!["REFUSED"; results.len()];
    (expected[0], expected[results.len() - 1]) = ("RECORDED", "RECORDED");
    assert_eq!(outcomes(&results), expected);
    for ((_, code, field), result) in cases.iter().zip(&results[1..]) {
        let error = &result["userErrors"][0];
        assert_eq!((&error["code"], &error["field"]), (&json!(code), &json!([field])), "{result}");
    }
    // Keys of ours are refused, also one that is in use.
    let events = [event("correction:1", json!({})), event("consume:1", json!({}))];
    let results = record(test, json!(events)).await;
    assert!(results.iter().all(|result| result["userErrors"][0]["message"] == KEY), "{results:?}");
}
