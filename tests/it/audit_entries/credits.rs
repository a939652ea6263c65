//! The entries of changes of credits.

use super::{Log, done, newest};
use crate::support::{TestApp, local_id};
use serde_json::{Value, json};

pub(super) async fn credits(test: &TestApp, log: &mut Log<'_>) {
    let account = test.user("ann").data("{ viewer { account { id } } }", json!({})).await;
    let account = account["viewer"]["account"]["id"].clone();
    let input = json!({"accountId": account, "unit": "gold", "amount": "250", "reason": "an outage", "priority": 3,
        "expiresAt": "2026-03-01T00:00:00Z", "idempotencyKey": "k"});
    let grant = done(&test.admin(), "grantCredits", input.clone(), "creditGrant { id }").await;
    let grant = grant["creditGrant"]["id"].clone();
    let (_, local) = local_id(account.as_str().unwrap());
    let (entry, _) = newest(test).await;
    let after = &entry["after"];
    assert_eq!((&after["account_id"], &after["unit"], &after["amount"]), (&json!(local), &json!("gold"), &json!(250)));
    assert_eq!((&after["reason"], &after["priority"]), (&json!("an outage"), &json!(3)));
    log.has("grantCredits", "credits.grant", &grant, Value::Null, after.clone()).await;
    done(&test.admin(), "grantCredits", input, "creditGrant { id }").await;
    log.has_none("a repeated grantCredits").await;

    let input = json!({"accountId": account, "timeZone": "Asia/Tokyo"});
    done(&test.admin(), "setAccountTimeZone", input, "account { timeZone }").await;
    let after = json!({"timeZone": "Asia/Tokyo"});
    log.has("setAccountTimeZone", "accounts.set_time_zone", &account, Value::Null, after).await;

    // The ledger is the log of all other changes.
    let admin = test.admin();
    let some = |key: &str| json!({"accountId": account, "unit": "gold", "amount": "5", "idempotencyKey": key});
    let spent = done(&admin, "spendCredits", some("ledger s"), "transaction { id }").await["transaction"]["id"].take();
    let input = json!({"transactionId": spent, "idempotencyKey": "ledger r"});
    done(&admin, "reverseLedgerTransaction", input, "available").await;
    for (verb, key) in [("captureHold", "ledger c"), ("releaseHold", "ledger l")] {
        let held = done(&admin, "holdCredits", some(&format!("hold {key}")), "creditHold { id }").await;
        done(&admin, verb, json!({"holdId": held["creditHold"]["id"], "idempotencyKey": key}), "available").await;
    }
    done(&admin, "changeCredits", json!({"changes": [{"spend": some("ledger b")}]}), "results { available }").await;
    log.has_none("a change of credits").await;
    let unaudited = ["spendCredits", "reverseLedgerTransaction", "holdCredits", "captureHold", "releaseHold"];
    log.seen.extend(unaudited.iter().chain(&["changeCredits", "transferCredits"]).map(|name| (*name).to_owned()));
}
