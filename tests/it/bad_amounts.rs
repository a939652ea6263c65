//! Amounts, units, times and numbers of operations that make no sense: every verb of credits and usage refuses them with a
//! code, and changes nothing.

use crate::support::entitlements::set_override;
use crate::support::usage::{account, meter};
use crate::support::{TestApp, both_engines, sql};
use serde_json::{Value, json};

both_engines!(
    every_verb_refuses_an_amount_out_of_range,
    every_verb_refuses_what_makes_no_sense,
    a_batch_of_too_many_operations_does_none_of_them,
);

/// A person with 10 credits, a limit of 10 uses a day, a rule of rates and an open hold: the account and the hold.
async fn prepare(test: &TestApp) -> (String, String) {
    crate::support::credits::unit(test, "credit").await;
    meter(test, json!({"code": "chat", "name": "Chat", "aggregation": "SUM"})).await;
    let account = account(test, "ann").await;
    let made = "mutation($a: ID!) {
        createFeature(input: {code: \"chat\", kind: LIMIT, name: \"Chat\"}) { userErrors { code } }
        createRateLimit(input: {code: \"login\", maxCount: 5, windowSeconds: 60}) { userErrors { code } }
        grantCredits(input: {accountId: $a, unit: \"credit\", amount: 10, idempotencyKey: \"g\"}) { userErrors { code } }
        holdCredits(input: {accountId: $a, unit: \"credit\", amount: 3, idempotencyKey: \"h\"}) { creditHold { id } } }";
    let made = test.admin().data(made, json!({"a": account})).await;
    set_override(test, &account, "chat", json!({"limit": 10, "window": "DAY"})).await;
    let hold = made["holdCredits"]["creditHold"]["id"].as_str().unwrap().to_owned();
    (account.as_str().unwrap().to_owned(), hold)
}

/// The rows that changes of credits and usage leave.
async fn counts(test: &TestApp) -> Vec<i64> {
    let mut counts = Vec::new();
    for table in
        ["ledger_entries", "credit_grants", "credit_holds", "usage_events", "usage_counters", "idempotency_keys"]
    {
        counts.push(sql::number(test.app.db.read(), &format!("SELECT COUNT(*) FROM {table}")).await);
    }
    counts.push(sql::number(test.app.db.read(), "SELECT COUNT(*) FROM entitlement_overrides").await);
    counts
}

/// The code with which a request is refused, by GraphQL or by a rule; `None` if it was done.
async fn refusal(test: &TestApp, fields: &str) -> Option<String> {
    let reply = test.admin().post(&format!("mutation {{ done: {fields} }}"), json!({})).await.json();
    let done = &reply["data"]["done"];
    let places = [
        &reply["errors"][0]["extensions"]["code"],
        &done["userErrors"][0]["code"],
        &done["results"][0]["userErrors"][0]["code"],
    ];
    places.into_iter().find_map(|code| code.as_str().map(str::to_owned))
}

const ERRORS: &str = "{ userErrors { code } }";
const RESULTS: &str = "{ results { userErrors { code } } userErrors { code } }";

/// The verbs that take an amount, each with AMOUNT in its place, and the code of a wrong one.
fn verbs_with_amounts(account: &str, hold: &str) -> Vec<(String, &'static str)> {
    let (errors, results) = (ERRORS, RESULTS);
    let wallet = format!("accountId: \"{account}\", unit: \"credit\"");
    vec![
        (
            format!("grantCredits(input: {{{wallet}, amount: AMOUNT, idempotencyKey: \"k\"}}) {errors}"),
            "AMOUNT_INVALID",
        ),
        (
            format!("spendCredits(input: {{{wallet}, amount: AMOUNT, idempotencyKey: \"k\"}}) {errors}"),
            "AMOUNT_INVALID",
        ),
        (format!("holdCredits(input: {{{wallet}, amount: AMOUNT, idempotencyKey: \"k\"}}) {errors}"), "AMOUNT_INVALID"),
        (
            format!("captureHold(input: {{holdId: \"{hold}\", amount: AMOUNT, idempotencyKey: \"k\"}}) {errors}"),
            "AMOUNT_INVALID",
        ),
        (
            format!(
                "transferCredits(input: {{accountId: \"{account}\", toAccountId: \"{account}\", unit: \"credit\", \
                 amount: AMOUNT, idempotencyKey: \"k\"}}) {errors}"
            ),
            "AMOUNT_INVALID",
        ),
        (
            format!(
                "changeCredits(input: {{changes: [{{spend: {{{wallet}, amount: AMOUNT, idempotencyKey: \"k\"}}}}]}}) \
                 {results}"
            ),
            "AMOUNT_INVALID",
        ),
        (
            format!(
                "consume(input: {{accountId: \"{account}\", feature: \"chat\", amount: AMOUNT, idempotencyKey: \"k\"}}) \
                 {errors}"
            ),
            "AMOUNT_INVALID",
        ),
        (
            format!(
                "recordUsage(input: {{events: [{{accountId: \"{account}\", meter: \"chat\", value: AMOUNT, \
                 dedupeKey: \"k\"}}]}}) {results}"
            ),
            "VALUE_INVALID",
        ),
    ]
}

async fn every_verb_refuses_an_amount_out_of_range(test: &TestApp) {
    let (account, hold) = prepare(test).await;
    let before = counts(test).await;
    for (verb, code) in &verbs_with_amounts(&account, &hold) {
        for amount in ["\"0\"", "\"-1\"", "\"1000000000000001\"", "\"9223372036854775807\"", "\"-9223372036854775808\""]
        {
            // Usage of nothing is a fact like any other.
            if amount == "\"0\"" && *code == "VALUE_INVALID" {
                continue;
            }
            let refused = refusal(test, &verb.replace("AMOUNT", amount)).await;
            assert_eq!(refused.as_deref(), Some(*code), "{amount}: {verb}");
        }
        for amount in ["\"9223372036854775808\"", "1.5", "\"much\""] {
            let refused = refusal(test, &verb.replace("AMOUNT", amount)).await;
            assert_eq!(refused.as_deref(), Some("BAD_USER_INPUT"), "{amount}: {verb}");
        }
    }
    assert_eq!(counts(test).await, before);
}

/// Requests with times, limits and counts that make no sense, and their codes.
fn senseless(account: &str) -> Vec<(String, &'static str)> {
    let (errors, results) = (ERRORS, RESULTS);
    let one = format!("accountId: \"{account}\", unit: \"credit\", amount: 1, idempotencyKey: \"k\"");
    let event = format!("accountId: \"{account}\", meter: \"chat\", value: 1, dedupeKey: \"k\"");
    vec![
        (format!("grantCredits(input: {{{one}, expiresAt: \"2026-01-15T12:00:00Z\"}}) {errors}"), "EXPIRY_INVALID"),
        (format!("grantCredits(input: {{{one}, expiresAt: \"0001-01-01T00:00:00Z\"}}) {errors}"), "BAD_USER_INPUT"),
        (format!("grantCredits(input: {{{one}, expiresAt: \"99999-01-01T00:00:00Z\"}}) {errors}"), "BAD_USER_INPUT"),
        (format!("holdCredits(input: {{{one}, expiresAt: \"1970-01-01T00:00:00Z\"}}) {errors}"), "EXPIRY_INVALID"),
        (format!("holdCredits(input: {{{one}, expiresAt: \"9999-12-31T00:00:00Z\"}}) {errors}"), "EXPIRY_INVALID"),
        (
            format!("recordUsage(input: {{events: [{{{event}, occurredAt: \"1970-01-01T00:00:00Z\"}}]}}) {results}"),
            "OCCURRED_AT_INVALID",
        ),
        (
            format!("recordUsage(input: {{events: [{{{event}, occurredAt: \"9999-12-31T00:00:00Z\"}}]}}) {results}"),
            "OCCURRED_AT_INVALID",
        ),
        (
            format!(
                "setEntitlementOverride(input: {{accountId: \"{account}\", feature: \"chat\", reason: \"x\", \
                 expiresAt: \"1970-01-01T00:00:00Z\"}}) {errors}"
            ),
            "EXPIRY_INVALID",
        ),
        (
            format!(
                "setEntitlementOverride(input: {{accountId: \"{account}\", feature: \"chat\", reason: \"x\", limit: -1}}) \
                 {errors}"
            ),
            "LIMIT_INVALID",
        ),
        (
            "takeRateLimit(input: {code: \"login\", identifier: \"a\", count: 0}) { userErrors { code } }".to_owned(),
            "COUNT_INVALID",
        ),
    ]
}

async fn every_verb_refuses_what_makes_no_sense(test: &TestApp) {
    let (account, _) = prepare(test).await;
    let before = counts(test).await;
    for (verb, code) in &senseless(&account) {
        assert_eq!(refusal(test, verb).await.as_deref(), Some(*code), "{verb}");
    }
    for (verb, code) in
        [("grantCredits", "UNIT_NOT_FOUND"), ("spendCredits", "UNIT_NOT_FOUND"), ("holdCredits", "UNIT_NOT_FOUND")]
    {
        let input = format!("accountId: \"{account}\", unit: \"no\", amount: 1, idempotencyKey: \"k\"");
        let fields = format!("{verb}(input: {{{input}}}) {ERRORS}");
        assert_eq!(refusal(test, &fields).await.as_deref(), Some(code), "{verb}");
    }
    assert_eq!(counts(test).await, before);
    // Balances of the past and the future.
    let ask = async |at: &str| {
        let query = "query($id: ID!, $at: DateTime!) { account(id: $id) {
            creditBalanceAt(unit: \"credit\", at: $at) { available held } } }";
        test.admin().post(query, json!({"id": account, "at": at})).await.json()
    };
    let nothing = json!({"available": "0", "held": "0"});
    assert_eq!(ask("1970-01-01T00:00:00Z").await["data"]["account"]["creditBalanceAt"], nothing);
    for later in ["2026-01-15T12:00:00.000001Z", "9999-12-31T23:59:59Z", "99999-01-01T00:00:00Z"] {
        assert_eq!(ask(later).await["errors"][0]["extensions"]["code"], "BAD_USER_INPUT", "{later}");
    }
}

async fn a_batch_of_too_many_operations_does_none_of_them(test: &TestApp) {
    let (account, _) = prepare(test).await;
    let before = counts(test).await;
    let spend = |number: usize| json!({"spend": {"accountId": account, "unit": "credit", "amount": 1, "idempotencyKey": format!("{number}")}});
    let event =
        |number: usize| json!({"accountId": account, "meter": "chat", "value": 1, "dedupeKey": format!("{number}")});
    let many = |one: &dyn Fn(usize) -> Value| (0..1_001).map(one).collect::<Value>();
    for (query, list, code) in [
        (
            "mutation($list: [CreditChangeInput!]!) { done: changeCredits(input: {changes: $list}) {",
            many(&spend),
            "TOO_MANY_OPERATIONS",
        ),
        (
            "mutation($list: [UsageEventInput!]!) { done: recordUsage(input: {events: $list}) {",
            many(&event),
            "TOO_MANY_EVENTS",
        ),
    ] {
        let query = format!("{query} results {{ userErrors {{ code }} }} userErrors {{ code }} }} }}");
        let done = test.admin().data(&query, json!({"list": list})).await["done"].take();
        assert_eq!((&done["results"], &done["userErrors"][0]["code"]), (&Value::Null, &json!(code)));
    }
    assert_eq!(counts(test).await, before);
}
