//! Spending, holds, transfers, usage and limits of the accounts that everything else happens to.

use super::Storm;
use crate::support::TestApp;
use crate::support::entitlements::{features, set_override};
use crate::support::usage::{card, meter};
use rand::RngExt as _;
use rand::seq::IndexedRandom as _;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

/// The credit units of the accounts.
pub(super) const UNITS: [&str; 3] = ["a", "b", "c"];

const CHANGES: &str = "mutation($input: ChangeCreditsInput!) { changeCredits(input: $input) {
    results { userErrors { code } } userErrors { code } } }";
const CAPTURE: &str = "mutation($input: CaptureHoldInput!) { captureHold(input: $input) { userErrors { code } } }";
const RELEASE: &str = "mutation($input: ReleaseHoldInput!) { releaseHold(input: $input) { userErrors { code } } }";
const REVERSE: &str = "mutation($input: ReverseLedgerTransactionInput!) { reverseLedgerTransaction(input: $input) {
    userErrors { code } } }";
const CONSUME: &str = "mutation($input: ConsumeInput!) { consume(input: $input) { userErrors { code } } }";
const RECORD: &str = "mutation($input: RecordUsageInput!) { recordUsage(input: $input) {
    results { outcome userErrors { code } } userErrors { code } } }";
const CORRECT: &str = "mutation($input: CorrectUsageInput!) { correctUsage(input: $input) { userErrors { code } } }";

/// Creates a feature with a limit, and a meter whose usage spends credits.
pub(super) async fn prepare(test: &TestApp, accounts: &[String]) {
    features(test, &[("exports", "LIMIT")]).await;
    for account in accounts {
        set_override(test, &json!(account), "exports", json!({"limit": "40", "window": "HOUR"})).await;
    }
    meter(test, json!({"code": "tokens", "name": "Tokens", "aggregation": "SUM"})).await;
    card(test, json!({"meter": "tokens", "unit": "a", "rates": [{"quantity": "value", "credits": "1"}]})).await;
}

impl Storm<'_> {
    /// Uses credits, limits and meters.
    pub(super) async fn use_credits(&self, node: &TestApp, rng: &mut ChaCha8Rng, key: &str) {
        let account = self.accounts.choose(rng).unwrap();
        match rng.random_range(0..9) {
            0..3 => {
                let changes: Vec<Value> =
                    (0..8).map(|number| self.credit_change(rng, &format!("{key} {number}"))).collect();
                self.send(&node.admin(), CHANGES, json!({"changes": changes})).await;
            }
            3 => {
                let Some(hold) = self.any(node, "CreditHold", "credit_holds", "state = 'open'").await else { return };
                let verb = *[CAPTURE, RELEASE].choose(rng).unwrap();
                self.send(&node.admin(), verb, json!({"holdId": hold, "idempotencyKey": key})).await;
            }
            4 => {
                let kinds = "kind IN ('spend', 'grant', 'capture')";
                let Some(id) = self.any(node, "LedgerTransaction", "ledger_txns", kinds).await else { return };
                self.send(&node.admin(), REVERSE, json!({"transactionId": id, "idempotencyKey": key})).await;
            }
            5 | 6 => {
                let input = json!({"accountId": account, "feature": "exports", "idempotencyKey": key});
                self.send(&node.admin(), CONSUME, input).await;
            }
            7 => {
                let event = |number| {
                    json!({"accountId": self.accounts.choose(rng), "meter": "tokens", "value": "1",
                        "dedupeKey": format!("{key} {number}")})
                };
                let events: Vec<Value> = (0..6).map(event).collect();
                self.send(&node.admin(), RECORD, json!({"events": events})).await;
            }
            _ => {
                let Some(id) = self.any(node, "UsageEvent", "usage_events", "corrects_id IS NULL").await else {
                    return;
                };
                self.send(&node.admin(), CORRECT, json!({"usageEventId": id, "idempotencyKey": key})).await;
            }
        }
    }

    /// A change of the credits of any account.
    fn credit_change(&self, rng: &mut ChaCha8Rng, key: &str) -> Value {
        let (account, other) = (self.accounts.choose(rng), self.accounts.choose(rng));
        let mut change = json!({"accountId": account, "unit": UNITS.choose(rng), "amount": "2", "idempotencyKey": key});
        let verb = *["grant", "spend", "hold", "transfer"].choose(rng).unwrap();
        if verb == "transfer" {
            change["toAccountId"] = json!(other);
        }
        json!({verb: change})
    }
}
