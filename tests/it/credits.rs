//! Credits: granted once, never below zero, and the books always balance.

use crate::support::{TestApp, both_engines};
use serde_json::json;

both_engines!(credits_are_granted_once_under_one_key);

const GRANT: &str = "mutation($account: ID!, $amount: BigInt!) {
    grantCredits(input: {accountId: $account, unit: \"credit\", amount: $amount, idempotencyKey: \"k\"}) {
        creditGrant { id credits }
        userErrors { code }
    }
}";

async fn credits_are_granted_once_under_one_key(test: &TestApp) {
    let admin = test.admin();
    let unit = "mutation { createCreditUnit(input: {code: \"credit\", name: \"Credits\"}) { userErrors { code } } }";
    admin.data(unit, json!({})).await;
    let mine = "{ viewer { account { id creditBalance(unit: \"credit\") { available } } } }";
    let user = test.user("alice");
    let account = user.data(mine, json!({})).await["viewer"]["account"]["id"].clone();

    let first = admin.data(GRANT, json!({"account": account, "amount": "100"})).await;
    let again = admin.data(GRANT, json!({"account": account, "amount": "100"})).await;
    assert_eq!(first, again);
    assert_eq!(first["grantCredits"]["creditGrant"]["credits"], "100");
    let other = admin.code(GRANT, json!({"account": account, "amount": "200"})).await;
    assert_eq!(other, "IDEMPOTENCY_KEY_REUSED");

    let balance = user.data(mine, json!({})).await["viewer"]["account"]["creditBalance"]["available"].clone();
    assert_eq!(balance, "100");
}
