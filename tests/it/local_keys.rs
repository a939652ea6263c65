//! Idempotency keys of the mutations that need no provider: their form, their callers, their time, and many at once.

use crate::support::{Client, TestApp, both_engines, sql};
use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tollgate::auth::Permission;

both_engines!(
    a_key_has_1_to_255_bytes,
    a_key_is_for_one_mutation_with_one_input,
    each_caller_has_keys_of_their_own,
    of_many_equal_requests_at_once_one_shows_the_secret,
    of_many_other_requests_under_one_key_at_once_one_is_done,
    a_key_is_free_again_after_thirty_days,
    a_refused_request_leaves_its_key_free,
);

const GRANT: &str = "mutation($input: GrantCreditsInput!) { grantCredits(input: $input) {
    creditGrant { id credits } userErrors { code } } }";
const ISSUE: &str = "mutation($input: IssueLicenseKeyInput!) { issueLicenseKey(input: $input) {
    licenseKey { id } key userErrors { code } } }";

/// A credit unit and an account, which grants are for.
async fn account(test: &TestApp) -> Value {
    let unit = "mutation { createCreditUnit(input: {code: \"gold\", name: \"Gold\"}) { creditUnit { id } } }";
    test.admin().data(unit, json!({})).await;
    test.user("ann").data("{ viewer { account { id } } }", json!({})).await["viewer"]["account"]["id"].take()
}

fn grant(account: &Value, amount: i64, key: &str) -> Value {
    json!({"accountId": account, "unit": "gold", "amount": amount.to_string(), "idempotencyKey": key})
}

fn licence(account: &Value, devices: i64, key: &str) -> Value {
    json!({"accountId": account, "maxDevices": devices, "idempotencyKey": key})
}

async fn granted(caller: &Client<'_>, input: Value) -> Value {
    let payload = caller.data(GRANT, json!({"input": input})).await["grantCredits"].take();
    assert_eq!(payload["userErrors"], json!([]));
    payload["creditGrant"].clone()
}

async fn count(test: &TestApp, table: &str) -> i64 {
    sql::number(test.app.db.read(), &format!("SELECT COUNT(*) FROM {table}")).await
}

async fn a_key_has_1_to_255_bytes(test: &TestApp) {
    let account = account(test).await;
    for key in ["".to_owned(), "x".repeat(256), "ä".repeat(128), "a\0b".to_owned()] {
        for (query, input) in [(GRANT, grant(&account, 1, &key)), (ISSUE, licence(&account, 1, &key))] {
            let reply = test.admin().post(query, json!({"input": input})).await.json();
            let error = &reply["errors"][0];
            assert_eq!(error["extensions"]["code"], "BAD_USER_INPUT", "{} bytes: {reply}", key.len());
            assert_eq!(error["message"], "`idempotencyKey` must be 1 to 255 bytes long, without NUL.");
        }
    }
    assert_eq!((count(test, "credit_grants").await, count(test, "license_keys").await), (0, 0));
    for key in ["k", " ", &"x".repeat(255), &"💶".repeat(63)] {
        let first = granted(&test.admin(), grant(&account, 1, key)).await;
        assert_eq!(granted(&test.admin(), grant(&account, 1, key)).await, first);
    }
    // Keys differ by every byte, so that neither case nor space is folded.
    for key in ["K", "k ", " k"] {
        granted(&test.admin(), grant(&account, 1, key)).await;
    }
    assert_eq!(count(test, "credit_grants").await, 7);
}

async fn a_key_is_for_one_mutation_with_one_input(test: &TestApp) {
    let account = account(test).await;
    let bob = test.user("bob").data("{ viewer { account { id } } }", json!({})).await;
    let admin = test.admin();
    let first = granted(&admin, grant(&account, 5, "k")).await;
    let mut others = vec![
        (GRANT, grant(&account, 6, "k")),
        (GRANT, grant(&bob["viewer"]["account"]["id"], 5, "k")),
        (ISSUE, licence(&account, 5, "k")),
    ];
    for (field, value) in [
        ("reason", json!("an outage")),
        ("expiresAt", json!("2027-01-01T00:00:00Z")),
        ("priority", json!(1)),
        ("unit", json!("silver")),
    ] {
        let mut input = grant(&account, 5, "k");
        input[field] = value;
        others.push((GRANT, input));
    }
    for (query, input) in others {
        assert_eq!(admin.code(query, json!({"input": input})).await, "IDEMPOTENCY_KEY_REUSED", "{input}");
    }
    // Defaults that are written out make no other input.
    let mut input = grant(&account, 5, "k");
    (input["priority"], input["reason"]) = (json!(0), Value::Null);
    assert_eq!(granted(&admin, input).await, first);
    assert_eq!(count(test, "credit_grants").await, 1);
}

async fn each_caller_has_keys_of_their_own(test: &TestApp) {
    let account = account(test).await;
    let create = "mutation { createApiKey(input: {name: \"k\", scopes: [\"credits:write\"]}) { secret } }";
    let mut callers = vec![test.admin(), test.service(&[Permission::CreditsWrite])];
    for _ in 0..2 {
        let made = test.admin().data(create, json!({})).await;
        callers.push(test.bearer(made["createApiKey"]["secret"].as_str()));
    }
    let mut grants = Vec::new();
    for caller in &callers {
        let first = granted(caller, grant(&account, 5, "k")).await;
        assert_eq!(granted(caller, grant(&account, 5, "k")).await, first);
        grants.push(first["id"].to_string());
    }
    grants.sort();
    grants.dedup();
    assert_eq!(grants.len(), callers.len());
    // Another input under the key is refused to the one, and does not concern the others.
    assert_eq!(callers[0].code(GRANT, json!({"input": grant(&account, 6, "k")})).await, "IDEMPOTENCY_KEY_REUSED");
    granted(&callers[1], grant(&account, 6, "another")).await;
}

async fn of_many_equal_requests_at_once_one_shows_the_secret(test: &TestApp) {
    let account = account(test).await;
    let input = licence(&account, 2, "k");
    let replies = join_all(
        (0..8).map(async |_| test.admin().data(ISSUE, json!({"input": input})).await["issueLicenseKey"].take()),
    )
    .await;
    let shown = replies.iter().filter(|reply| reply["key"].is_string()).count();
    assert_eq!(shown, 1, "{replies:?}");
    assert!(replies.iter().all(|reply| reply["licenseKey"] == replies[0]["licenseKey"]), "{replies:?}");
    assert_eq!(count(test, "license_keys").await, 1);
}

async fn of_many_other_requests_under_one_key_at_once_one_is_done(test: &TestApp) {
    let account = account(test).await;
    let replies = join_all(
        (1..=8)
            .map(async |amount| test.admin().post(GRANT, json!({"input": grant(&account, amount, "k")})).await.json()),
    )
    .await;
    let done = replies.iter().filter(|reply| reply["data"]["grantCredits"]["creditGrant"].is_object()).count();
    let reused = |reply: &&Value| reply["errors"][0]["extensions"]["code"] == "IDEMPOTENCY_KEY_REUSED";
    assert_eq!((done, replies.iter().filter(reused).count()), (1, 7), "{replies:?}");
    assert_eq!(count(test, "credit_grants").await, 1);
}

async fn a_key_is_free_again_after_thirty_days(test: &TestApp) {
    let account = account(test).await;
    let first = granted(&test.admin(), grant(&account, 5, "k")).await;
    test.advance(TimeDelta::days(29));
    test.run_jobs().await;
    assert_eq!(granted(&test.admin(), grant(&account, 5, "k")).await, first, "within thirty days");
    assert_eq!(test.admin().code(GRANT, json!({"input": grant(&account, 6, "k")})).await, "IDEMPOTENCY_KEY_REUSED");
    test.advance(TimeDelta::days(3));
    test.run_jobs().await;
    let second = granted(&test.admin(), grant(&account, 6, "k")).await;
    assert_ne!(second["id"], first["id"], "the key is forgotten");
    assert_eq!(count(test, "credit_grants").await, 2);
}

async fn a_refused_request_leaves_its_key_free(test: &TestApp) {
    let account = account(test).await;
    for (input, code) in [
        (grant(&account, 0, "k"), "AMOUNT_INVALID"),
        (grant(&json!(crate::support::global_id("Account", uuid::Uuid::nil())), 1, "k"), "ACCOUNT_NOT_FOUND"),
    ] {
        let refused = test.admin().data(GRANT, json!({"input": input})).await["grantCredits"].take();
        assert_eq!(refused, json!({"creditGrant": null, "userErrors": [{"code": code}]}));
    }
    assert_eq!(test.user("ann").code(GRANT, json!({"input": grant(&account, 1, "k")})).await, "FORBIDDEN");
    assert_eq!(count(test, "idempotency_keys").await, 0);
    granted(&test.admin(), grant(&account, 1, "k")).await;
    assert_eq!(count(test, "idempotency_keys").await, 1);
}
