//! The result of a sequence for users and for the ledger.

use super::sequences::Sequence;
use crate::support::TestApp;
use crate::support::sql::rows;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Checks the plans of the users, the ledger and the sums of money against the sequence.
pub(super) async fn check(test: &TestApp, sequence: &Sequence, run: &str) {
    let derived = &sequence.expected["derived"];
    for (user, expected) in derived["users"].as_object().unwrap() {
        let actual = held(test, user, expected).await;
        assert_eq!(&actual, expected, "{run}: {}: {user}", sequence.name);
    }
    if let Some(expected) = derived["credit_ledger"].as_array() {
        let sum = |entries: Vec<(String, i64)>| {
            entries.into_iter().fold(BTreeMap::<String, i64>::new(), |mut sums, (key, amount)| {
                *sums.entry(key).or_default() += amount;
                sums
            })
        };
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let expected = expected.iter().map(|entry| (text(&entry["session"]), entry["delta"].as_i64().unwrap()));
        let actual = ledger(test, &sequence.users()).await;
        assert_eq!(sum(actual), sum(expected.collect()), "{run}: {}: ledger", sequence.name);
    }
    if let Some(expected) = derived.get("licenses") {
        let actual = licences(test, &sequence.users()).await;
        assert_eq!(&actual, expected, "{run}: {}: licences", sequence.name);
    }
    let expected = &derived["totals"];
    let actual = totals(test, &sequence.users(), sequence.provider.name()).await;
    assert_eq!(&actual, expected, "{run}: {}: totals", sequence.name);
}

/// Returns a user's plan, credits and licences.
async fn held(test: &TestApp, user: &str, expected: &Value) -> Value {
    const QUERY: &str = "{ viewer { account {
        creditBalance(unit: \"credits\") { available }
        subscriptions(first: 1) { nodes { externalId subscriptionStatus: status currentPeriodEnd cancelAt endedAt } }
        subscription { externalId subscriptionStatus: status currentPeriodEnd cancelAt endedAt plan { code rank } }
    } } }";
    let data = test.user(user).data(QUERY, json!({})).await;
    let account = &data["viewer"]["account"];
    let current = &account["subscription"];
    let subscription = if current.is_null() { &account["subscriptions"]["nodes"][0] } else { current };
    let instant = |value: &Value| value.as_str().map(|at| at.parse::<DateTime<Utc>>().unwrap().timestamp());
    let ends_at = instant(&subscription["endedAt"]).or_else(|| instant(&subscription["cancelAt"]));
    let mut held = json!({
        "plan": current["plan"]["code"].as_str().unwrap_or("free"),
        "tier": current["plan"]["rank"].as_i64().unwrap_or(0),
        "subscription": subscription["externalId"],
        "subscription_status": subscription["subscriptionStatus"].as_str().map(str::to_lowercase),
        "period_end": instant(&subscription["currentPeriodEnd"]),
        "ends_at": ends_at,
    });
    if expected.get("credits_balance").is_some() {
        let available = account["creditBalance"]["available"].as_str();
        held["credits_balance"] = json!(available.map_or(0, |available| available.parse::<i64>().unwrap()));
    }
    if expected.get("licenses_active").is_some() {
        let all = licences(test, &[user.to_owned()]).await;
        let good = |licence: &Value| licence["issued"].as_i64().unwrap() - licence["revoked"].as_i64().unwrap();
        held["licenses_active"] = json!(all.as_array().unwrap().iter().map(good).sum::<i64>());
    }
    held
}

const OF_USER: &str = "JOIN accounts ON accounts.id = x.account_id \
    JOIN user_identities ON user_identities.user_id = accounts.owner_id WHERE user_identities.subject = $1";

/// Returns the additions to and deductions from the available credits, by the session of the purchase.
async fn ledger(test: &TestApp, users: &[String]) -> Vec<(String, i64)> {
    let sql = format!(
        "SELECT g.business_key AS bought, x.amount AS amount FROM ledger_entries x \
         JOIN credit_grants g ON g.id = x.grant_id {OF_USER} AND x.bucket = 'available'"
    );
    let mut entries = Vec::new();
    for user in users {
        for row in rows(test.app.db.read(), &sql, [user.clone().into()]).await {
            let bought: String = row.try_get("", "bought").unwrap();
            entries.push((bought.trim_start_matches("stripe:").to_owned(), row.try_get("", "amount").unwrap()));
        }
    }
    entries
}

async fn licences(test: &TestApp, users: &[String]) -> Value {
    let sql = format!(
        "SELECT x.order_external_id AS bought, x.product_external_id AS product, x.status AS status \
         FROM license_keys x {OF_USER} ORDER BY x.order_external_id"
    );
    let mut orders: BTreeMap<(String, String, String), (i64, i64)> = BTreeMap::new();
    for user in users {
        for row in rows(test.app.db.read(), &sql, [user.clone().into()]).await {
            let key = (row.try_get("", "bought").unwrap(), row.try_get("", "product").unwrap(), user.clone());
            let counts = orders.entry(key).or_default();
            counts.0 += 1;
            counts.1 += i64::from(row.try_get::<String>("", "status").unwrap() == "revoked");
        }
    }
    let licence = |((transaction, product, user), (issued, revoked))| json!({"user": user, "transaction": transaction, "product": product, "issued": issued, "revoked": revoked});
    orders.into_iter().map(licence).collect()
}

async fn totals(test: &TestApp, users: &[String], provider: &str) -> Value {
    let paid = format!(
        "SELECT x.currency AS currency, x.received_minor AS paid, x.refunded_minor AS refunded, \
         COALESCE((SELECT CAST(SUM(d.amount_minor) AS bigint) FROM disputes d WHERE d.payment_id = x.id AND d.status = 'lost'), 0) AS lost \
         FROM payments x {OF_USER} AND x.status = 'succeeded'"
    );
    let mut sums: BTreeMap<String, [i64; 3]> = BTreeMap::new();
    for user in users {
        for row in rows(test.app.db.read(), &paid, [user.clone().into()]).await {
            let currency: String = row.try_get("", "currency").unwrap();
            let sum = sums.entry(currency).or_default();
            for (sum, column) in sum.iter_mut().zip(["paid", "refunded", "lost"]) {
                *sum += row.try_get::<i64>("", column).unwrap();
            }
        }
    }
    let total = |(currency, [paid, refunded, lost]): (String, [i64; 3])| {
        if provider == "paddle" {
            (currency, json!({"gross_paid": paid, "refunded": refunded, "net": paid - refunded - lost}))
        } else {
            let net = paid - refunded - lost;
            let total = json!({"gross_paid": paid, "refunded": refunded, "dispute_lost": lost, "net": net});
            (currency.to_lowercase(), total)
        }
    };
    Value::Object(sums.into_iter().map(total).collect())
}
