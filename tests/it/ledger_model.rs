//! Grants at random against a model that is too simple to be wrong.

use crate::support::{TestApp, both_engines};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

both_engines!(grants_at_random_leave_the_books_that_the_model_has);

#[derive(Debug, Clone, PartialEq)]
struct Grant {
    account: usize,
    unit: usize,
    amount: i64,
    key: usize,
}

/// Few accounts, units and keys, so that they repeat; amounts small, so that whole inputs do, or as large as may be.
fn grants() -> impl Strategy<Value = Vec<Grant>> {
    let amount = prop_oneof![4 => 1..4i64, 1 => Just(1_000_000_000_000_000), 1 => -1..1i64];
    let grant = (0..2usize, 0..2usize, amount, 0..8usize);
    proptest::collection::vec(
        grant.prop_map(|(account, unit, amount, key)| Grant { account, unit, amount, key }),
        1..20,
    )
}

const UNITS: [&str; 2] = ["gold", "silver"];
const GRANT: &str = "mutation($account: ID!, $unit: String!, $amount: BigInt!, $key: String!) {
    grantCredits(input: {accountId: $account, unit: $unit, amount: $amount, idempotencyKey: $key}) {
        creditGrant { id credits remaining } userErrors { code } } }";
const BOOKS: &str = "query($unit: String!) { viewer { account {
    creditBalance(unit: $unit) { available held spent expired revoked issued }
    ledgerEntries(unit: $unit, first: 100) { nodes { credits balanceAfter sequence grant { id } } }
    creditGrants(filter: {unit: $unit}) { totalCount } } } }";

async fn grants_at_random_leave_the_books_that_the_model_has(test: &TestApp) {
    let unit =
        "mutation($code: String!) { createCreditUnit(input: {code: $code, name: \"U\"}) { userErrors { code } } }";
    for code in UNITS {
        test.admin().data(unit, json!({"code": code})).await;
    }
    let cases = AtomicUsize::new(0);
    let config = Config { cases: 12, max_shrink_iters: 64, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&grants(), |grants| {
        let case = cases.fetch_add(1, Ordering::Relaxed);
        let run = play(test, case, &grants);
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(run))
    });
    outcome.unwrap();
    for rule in RULES {
        let broken =
            test.app.db.read().query_all_raw(Statement::from_string(test.app.db.read().get_database_backend(), *rule));
        assert!(broken.await.unwrap().is_empty(), "{rule}");
    }
}

/// Plays one case on accounts and keys of its own, and compares after each step what was answered, at the end the books.
async fn play(test: &TestApp, case: usize, grants: &[Grant]) -> Result<(), TestCaseError> {
    let people = [format!("{case}-a"), format!("{case}-b")];
    let mut accounts = Vec::new();
    for person in &people {
        let id = test.user(person).data("{ viewer { account { id } } }", json!({})).await;
        accounts.push(id["viewer"]["account"]["id"].clone());
    }
    let mut answers: BTreeMap<usize, (&Grant, Value)> = BTreeMap::new();
    let mut books: BTreeMap<(usize, usize), Vec<(i64, Value)>> = BTreeMap::new();
    for grant in grants {
        let variables = json!({"account": accounts[grant.account], "unit": UNITS[grant.unit],
            "amount": grant.amount.to_string(), "key": format!("{case}-{}", grant.key)});
        let reply = test.admin().post(GRANT, variables).await.json();
        let payload = &reply["data"]["grantCredits"];
        if grant.amount < 1 {
            prop_assert_eq!(&payload["userErrors"], &json!([{"code": "AMOUNT_INVALID"}]));
            continue;
        }
        match answers.get(&grant.key) {
            Some((first, answer)) if *first == grant => prop_assert_eq!(payload, answer),
            Some(_) => prop_assert_eq!(&reply["errors"][0]["extensions"]["code"], "IDEMPOTENCY_KEY_REUSED"),
            None => {
                let amount = json!(grant.amount.to_string());
                prop_assert_eq!(&payload["creditGrant"]["credits"], &amount);
                prop_assert_eq!(&payload["creditGrant"]["remaining"], &amount);
                let book = books.entry((grant.account, grant.unit)).or_default();
                book.push((grant.amount, payload["creditGrant"]["id"].clone()));
                answers.insert(grant.key, (grant, payload.clone()));
            }
        }
    }
    for (account, person) in people.iter().enumerate() {
        for (unit, code) in UNITS.iter().enumerate() {
            let seen = test.user(person).data(BOOKS, json!({"unit": code})).await["viewer"]["account"].take();
            prop_assert_eq!(seen, expected(books.get(&(account, unit)).map(Vec::as_slice).unwrap_or_default()));
        }
    }
    Ok(())
}

/// Returns the API's view of grants of these amounts, one after another.
fn expected(book: &[(i64, Value)]) -> Value {
    let (mut sum, mut entries) = (0, Vec::new());
    for (number, (amount, id)) in book.iter().enumerate() {
        sum += amount;
        let sequence = (2 * number + 2).to_string();
        entries.insert(
            0,
            json!({"credits": amount.to_string(), "balanceAfter": sum.to_string(), "sequence": sequence,
            "grant": {"id": id}}),
        );
    }
    let balance = json!({"available": sum.to_string(), "held": "0", "spent": "0", "expired": "0", "revoked": "0",
        "issued": sum.to_string()});
    let balance = if book.is_empty() { Value::Null } else { balance };
    json!({"creditBalance": balance, "ledgerEntries": {"nodes": entries}, "creditGrants": {"totalCount": book.len()}})
}

/// Each selects what breaks a rule of the whole ledger.
const RULES: &[&str] = &[
    // A transaction adds up to zero.
    "SELECT txn_id FROM ledger_entries GROUP BY txn_id, credit_unit_id HAVING SUM(amount) <> 0 OR COUNT(*) <> 2",
    // A balance is the sum of its entries, and knows how many there are.
    "SELECT b.id FROM balances b LEFT JOIN ledger_entries e
        ON e.account_id = b.account_id AND e.credit_unit_id = b.credit_unit_id
        GROUP BY b.id, b.available, b.issued, b.entry_count
        HAVING b.entry_count <> COUNT(*) OR b.entry_count <> MAX(e.seq)
        OR b.available <> SUM(CASE WHEN e.bucket = 'available' THEN e.amount ELSE 0 END)
        OR b.issued <> SUM(CASE WHEN e.bucket = 'issued' THEN e.amount ELSE 0 END)",
    // Each entry has the balance of its bucket after it.
    "SELECT id FROM (SELECT id, balance_after, SUM(amount) OVER (PARTITION BY account_id, credit_unit_id, bucket
        ORDER BY seq) AS running FROM ledger_entries) AS entries WHERE balance_after <> running",
    // The remaining credits of the grants add up to the available ones.
    "SELECT g.account_id FROM credit_grants g JOIN balances b
        ON b.account_id = g.account_id AND b.credit_unit_id = g.credit_unit_id
        GROUP BY g.account_id, g.credit_unit_id, b.available HAVING b.available <> SUM(g.remaining)",
    // A grant was posted once.
    "SELECT g.id FROM credit_grants g LEFT JOIN ledger_entries e ON e.grant_id = g.id
        GROUP BY g.id HAVING COUNT(DISTINCT e.txn_id) <> 1",
    // Every transaction has entries.
    "SELECT t.id FROM ledger_txns t LEFT JOIN ledger_entries e ON e.txn_id = t.id WHERE e.id IS NULL",
];
