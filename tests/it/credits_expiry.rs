//! Unspent credits expire at their time, once, and the ledger stays balanced.

use crate::support::{TestApp, both_engines};
use chrono::{DateTime, TimeDelta, Utc};
use entity::{balances, credit_grants, ledger_entries, ledger_txns};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use sea_orm::{EntityTrait, QueryOrder};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use tollgate::auth::Viewer;
use tollgate::credits;

both_engines!(whatever_is_granted_expires_in_time, expiring_at_once_is_exact, an_expiry_shows_in_the_api);

const UNITS: [&str; 2] = ["credit", "minute"];

const GRANT: &str = "mutation($input: GrantCreditsInput!) {
    grantCredits(input: $input) { creditGrant { id } userErrors { code } }
}";

/// A grant in the test's own records.
#[derive(Debug, Clone, Copy)]
struct Granted {
    account: usize,
    unit: usize,
    amount: i64,
    expires_at: Option<DateTime<Utc>>,
    expired: bool,
}

/// The accounts of some users, and the units.
async fn accounts(test: &TestApp, count: usize) -> Vec<Value> {
    for code in UNITS {
        let unit =
            "mutation($code: String!) { createCreditUnit(input: {code: $code, name: \"U\"}) { userErrors { code } } }";
        test.admin().data(unit, json!({"code": code})).await;
    }
    let mut accounts = Vec::new();
    for number in 0..count {
        let user = test.user(&format!("user {number}"));
        accounts.push(user.data("{ viewer { account { id } } }", json!({})).await["viewer"]["account"]["id"].take());
    }
    accounts
}

async fn grant(test: &TestApp, accounts: &[Value], key: &str, granted: Granted) {
    let input = json!({
        "accountId": accounts[granted.account],
        "unit": UNITS[granted.unit],
        "amount": granted.amount.to_string(),
        "expiresAt": granted.expires_at.map(|at| at.to_rfc3339()),
        "idempotencyKey": key,
    });
    let answer = test.admin().data(GRANT, json!({"input": input})).await;
    assert_eq!(answer["grantCredits"]["userErrors"], json!([]));
}

/// The books of the database must be those of the test.
async fn compare(test: &TestApp, granted: &[Granted]) {
    let db = test.app.db.read();
    let mut expected: BTreeMap<(usize, usize), (i64, i64, i64)> = BTreeMap::new();
    for grant in granted {
        let (available, expired, entries) = expected.entry((grant.account, grant.unit)).or_default();
        *(if grant.expired { expired } else { available }) += grant.amount;
        *entries += if grant.expired { 4 } else { 2 };
    }
    let mut expected: Vec<_> = expected.into_values().collect();
    let balances = balances::Entity::find().all(db).await.unwrap();
    let mut found = Vec::new();
    for row in &balances {
        assert_eq!(row.available + row.held + row.spent + row.expired + row.revoked + row.issued, 0);
        found.push((row.available, row.expired, row.entry_count));
        let entries = ledger_entries::Entity::find().order_by_asc(ledger_entries::Column::Seq).all(db).await.unwrap();
        let mine = entries
            .iter()
            .filter(|entry| (entry.account_id, entry.credit_unit_id) == (row.account_id, row.credit_unit_id));
        let mut sums: BTreeMap<&str, i64> = BTreeMap::new();
        let mut count = 0;
        for entry in mine {
            count += 1;
            let sum = sums.entry(&entry.bucket).or_default();
            *sum += entry.amount;
            assert_eq!((entry.seq, entry.balance_after), (count, *sum));
        }
        let sum = |bucket| sums.get(bucket).copied().unwrap_or(0);
        assert_eq!(
            (count, sum("available"), sum("expired"), sum("issued")),
            (row.entry_count, row.available, row.expired, row.issued)
        );
    }
    expected.sort();
    found.sort();
    assert_eq!(found, expected);

    let rows = credit_grants::Entity::find().all(db).await.unwrap();
    let mut found: Vec<_> =
        rows.iter().map(|row| (row.amount, row.expires_at.map(|at| at.to_utc()), row.remaining)).collect();
    let left = |grant: &Granted| if grant.expired { 0 } else { grant.amount };
    let mut expected: Vec<_> = granted.iter().map(|grant| (grant.amount, grant.expires_at, left(grant))).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);

    let txns = ledger_txns::Entity::find().all(db).await.unwrap();
    for row in rows.iter().filter(|row| row.remaining == 0) {
        let key = format!("expire:{}", row.id);
        let mut found = txns.iter().filter(|txn| txn.business_key == key);
        let txn = found.next().unwrap();
        assert_eq!((&*txn.kind, &*txn.actor, Some(txn.effective_at)), ("expire", "system:ledger", row.expires_at));
        assert!(found.next().is_none() && txn.recorded_at >= txn.effective_at);
    }
    let expired = granted.iter().filter(|grant| grant.expired).count();
    assert_eq!(txns.len(), granted.len() + expired);
}

async fn whatever_is_granted_expires_in_time(test: &TestApp) {
    let accounts = accounts(test, 3).await;
    let mut dice = ChaCha8Rng::seed_from_u64(7);
    let mut granted: Vec<Granted> = Vec::new();
    for round in 0..60 {
        match dice.random_range(0..10) {
            0..6 => {
                for number in 0..dice.random_range(1..4) {
                    let expires_in = TimeDelta::seconds(dice.random_range(1..600));
                    let new = Granted {
                        account: dice.random_range(0..accounts.len()),
                        unit: dice.random_range(0..UNITS.len()),
                        amount: dice.random_range(1..1_000),
                        expires_at: dice.random_bool(0.8).then(|| test.app.now() + expires_in),
                        expired: false,
                    };
                    grant(test, &accounts, &format!("{round} {number}"), new).await;
                    granted.push(new);
                }
            }
            _ => test.advance(TimeDelta::milliseconds(dice.random_range(1..300_000))),
        }
        if dice.random_bool(0.5) {
            test.run_jobs().await;
            // The schedule's next run comes with the next minute.
            test.advance(TimeDelta::minutes(1));
            for _ in 0..dice.random_range(1..3) {
                test.run_jobs().await;
            }
            for grant in &mut granted {
                grant.expired |= grant.expires_at.is_some_and(|at| at <= test.app.now());
            }
            if round % 4 == 0 {
                compare(test, &granted).await;
            }
        }
    }
    test.advance(TimeDelta::minutes(20));
    test.run_jobs().await;
    granted.iter_mut().for_each(|grant| grant.expired |= grant.expires_at.is_some());
    compare(test, &granted).await;
    assert_eq!(credits::settle_all(&test.app, &Viewer::system("worker")).await.unwrap(), 0);
    compare(test, &granted).await;
    assert!(granted.iter().filter(|grant| grant.expired).count() > 20);
}

async fn expiring_at_once_is_exact(test: &TestApp) {
    const DUE: usize = 230;
    let accounts = accounts(test, 5).await;
    let mut granted = Vec::new();
    for number in 0..DUE {
        let expires_at = Some(test.app.now() + TimeDelta::seconds(1 + i64::try_from(number % 7).unwrap()));
        let (account, unit) = (number % accounts.len(), number % UNITS.len());
        let new = Granted { account, unit, amount: 10, expires_at, expired: false };
        grant(test, &accounts, &number.to_string(), new).await;
        granted.push(Granted { expired: true, ..new });
    }
    test.advance(TimeDelta::hours(1));
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let app = Arc::clone(&test.app);
            tokio::spawn(async move { credits::settle_all(&app, &Viewer::system("worker")).await.unwrap() })
        })
        .collect();
    // Meanwhile the same balances grow.
    for account in 0..accounts.len() {
        let new = Granted { account, unit: 0, amount: 3, expires_at: None, expired: false };
        grant(test, &accounts, &format!("late {account}"), new).await;
        granted.push(new);
    }
    for worker in workers {
        worker.await.unwrap();
    }
    assert_eq!(credits::settle_all(&test.app, &Viewer::system("worker")).await.unwrap(), 0, "nothing is left");
    compare(test, &granted).await;
}

async fn an_expiry_shows_in_the_api(test: &TestApp) {
    let accounts = accounts(test, 1).await;
    let expires_at = Some(test.app.now() + TimeDelta::minutes(30));
    grant(test, &accounts, "k", Granted { account: 0, unit: 0, amount: 70, expires_at, expired: false }).await;
    test.advance(TimeDelta::minutes(30));
    let mine = "{ viewer { account {
        creditBalance(unit: \"credit\") { available expired issued }
        creditGrants(first: 1) { nodes { credits remaining } }
    } } }";
    // The instant counts, whether the job has run or not.
    for _ in 0..2 {
        let account = test.user("user 0").data(mine, json!({})).await["viewer"]["account"].take();
        assert_eq!(account["creditBalance"], json!({"available": "0", "expired": "70", "issued": "70"}));
        assert_eq!(account["creditGrants"]["nodes"], json!([{"credits": "70", "remaining": "0"}]));
        test.run_jobs().await;
    }
}
