//! The ledger of each account, bucket by bucket: every entry once, in order, with the balance that the entries give.

use crate::support::company::{global_id, local_id};
use crate::support::{Company, Schema, both_engines, sql};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

both_engines!(
    each_bucket_has_its_entries_and_they_add_up,
    balances_are_one_for_each_unit_ever_held,
    a_transaction_is_read_through_each_of_its_entries,
    the_grants_of_an_account_are_what_its_entries_name,
);

const ENTRIES: &str = "query($id: ID!, $unit: String!, $bucket: LedgerBucket!, $first: Int, $after: String) {
    account(id: $id) { ledgerEntries(unit: $unit, bucket: $bucket, first: $first, after: $after) { totalCount
        pageInfo { hasNextPage endCursor }
        nodes { id bucket credits balanceAfter sequence unit { code } grant { id } transaction { id operation } } } } }";

fn number(value: &Value) -> i64 {
    value.as_str().unwrap().parse().unwrap()
}

/// Returns the accounts with most entries, and one that has none.
async fn accounts(test: &Company<60>) -> Vec<Uuid> {
    let busy = "SELECT a.id FROM accounts a ORDER BY (SELECT COUNT(*) FROM ledger_entries e WHERE e.account_id = a.id) DESC, \
        a.id";
    let all = sql::ids(test.db(), busy, []).await;
    all.iter().take(6).chain(all.last()).copied().collect()
}

async fn units(test: &Company<60>) -> Vec<String> {
    sql::column(test.db(), "SELECT code FROM credit_units ORDER BY code", []).await
}

/// Returns every entry of a bucket, newest first, page by page.
async fn entries(test: &Company<60>, account: Uuid, unit: &str, bucket: &str) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let variables = json!({"id": global_id("Account", account), "unit": unit, "bucket": bucket, "first": 7,
            "after": cursor});
        let mut page = test.admin().data(ENTRIES, variables).await["account"]["ledgerEntries"].take();
        all.extend(page["nodes"].as_array().unwrap().clone());
        if page["pageInfo"]["hasNextPage"] == false {
            assert_eq!(page["totalCount"], all.len());
            return all;
        }
        cursor = page["pageInfo"]["endCursor"].take();
    }
}

async fn each_bucket_has_its_entries_and_they_add_up(test: &Company<60>) {
    let buckets = Schema::of(test).await.values("LedgerBucket");
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for account in accounts(test).await {
        for unit in units(test).await {
            let mut sums = BTreeMap::new();
            for bucket in &buckets {
                let entries = entries(test, account, &unit, bucket).await;
                let select = "SELECT e.id FROM ledger_entries e JOIN credit_units u ON u.id = e.credit_unit_id \
                    WHERE e.account_id = $1 AND u.code = $2 AND e.bucket = $3 ORDER BY e.seq DESC";
                let values = [account.into(), unit.clone().into(), bucket.to_lowercase().into()];
                let expected = sql::ids(test.db(), select, values).await;
                let ids: Vec<_> = entries.iter().map(|entry| local_id(&entry["id"])).collect();
                assert_eq!(ids, expected, "{unit} {bucket}");
                let mut balance = 0;
                for entry in entries.iter().rev() {
                    balance += number(&entry["credits"]);
                    assert_eq!(number(&entry["balanceAfter"]), balance, "{entry}");
                    assert_eq!((&entry["bucket"], &entry["unit"]["code"]), (&json!(bucket), &json!(unit)));
                }
                assert!(entries.is_sorted_by_key(|entry| -number(&entry["sequence"])), "{unit} {bucket}");
                *seen.entry(bucket.clone()).or_default() += entries.len();
                sums.insert(bucket.as_str(), balance);
            }
            assert_eq!(sums.values().sum::<i64>(), 0, "the buckets of {unit} add up to zero: {sums:?}");
            let query = "query($id: ID!, $unit: String!) { account(id: $id) { creditBalance(unit: $unit) {
                available held spent expired revoked issued owed } } }";
            let variables = json!({"id": global_id("Account", account), "unit": unit});
            let shown = test.admin().data(query, variables).await["account"]["creditBalance"].take();
            if shown.is_null() {
                assert!(sums.values().all(|sum| *sum == 0), "{sums:?}");
                continue;
            }
            for (bucket, sum) in sums {
                // The issued and the owed credits are shown as positive numbers.
                let expected = if ["ISSUED", "OWED"].contains(&bucket) { -sum } else { sum };
                assert_eq!(number(&shown[bucket.to_lowercase()]), expected, "{unit} {bucket}");
            }
        }
    }
    assert!(seen["AVAILABLE"] > 20 && seen["ISSUED"] > 10 && seen["SPENT"] > 0, "{seen:?}");
}

async fn balances_are_one_for_each_unit_ever_held(test: &Company<60>) {
    let query = "query($id: ID!) { account(id: $id) { creditBalances { unit { code } available account { id } }
        none: creditBalance(unit: \"no-such-unit\") { available } } }";
    for account in accounts(test).await {
        let id = global_id("Account", account);
        let shown = test.admin().data(query, json!({"id": id})).await["account"].take();
        assert_eq!(shown["none"], Value::Null);
        let held = "SELECT DISTINCT u.code FROM ledger_entries e JOIN credit_units u ON u.id = e.credit_unit_id \
            WHERE e.account_id = $1 ORDER BY u.code";
        let held: Vec<String> = sql::column(test.db(), held, [account.into()]).await;
        let balances = shown["creditBalances"].as_array().unwrap();
        let mut codes: Vec<_> = balances.iter().map(|balance| balance["unit"]["code"].as_str().unwrap()).collect();
        codes.sort_unstable();
        assert_eq!(codes, held);
        for balance in balances {
            assert_eq!(balance["account"]["id"], id);
            let one =
                "query($id: ID!, $unit: String!) { account(id: $id) { creditBalance(unit: $unit) { available } } }";
            let variables = json!({"id": id, "unit": balance["unit"]["code"]});
            let one = test.admin().data(one, variables).await["account"]["creditBalance"].take();
            assert_eq!(one["available"], balance["available"]);
        }
    }
}

async fn a_transaction_is_read_through_each_of_its_entries(test: &Company<60>) {
    let operations = Schema::of(test).await.values("LedgerOperation");
    let account = accounts(test).await[0];
    let mut transactions: BTreeMap<String, Vec<(String, i64)>> = BTreeMap::new();
    for unit in units(test).await {
        for bucket in Schema::of(test).await.values("LedgerBucket") {
            for entry in entries(test, account, &unit, &bucket).await {
                let operation = entry["transaction"]["operation"].as_str().unwrap().to_owned();
                assert!(operations.contains(&operation), "{entry}");
                let id = entry["transaction"]["id"].as_str().unwrap().to_owned();
                transactions.entry(id).or_default().push((bucket.clone(), number(&entry["credits"])));
            }
        }
    }
    assert!(transactions.len() > 3, "{transactions:?}");
    for (id, parts) in &transactions {
        assert_eq!(parts.iter().map(|(_, credits)| credits).sum::<i64>(), 0, "{id}: {parts:?}");
        let query =
            "query($id: ID!) { node(id: $id) { ... on LedgerTransaction { operation effectiveAt recordedAt actor } } }";
        let node = test.admin().data(query, json!({"id": id})).await["node"].take();
        let touched: Vec<_> = parts.iter().map(|(bucket, _)| bucket.as_str()).collect();
        let is_plausible = match node["operation"].as_str().unwrap() {
            "GRANT" => touched.contains(&"ISSUED") && touched.contains(&"AVAILABLE"),
            "SPEND" => touched.contains(&"SPENT") && touched.contains(&"AVAILABLE"),
            "EXPIRE" => touched.contains(&"EXPIRED"),
            "REVOKE" => touched.contains(&"REVOKED"),
            "REPAY" => touched.contains(&"OWED") && touched.contains(&"AVAILABLE"),
            "REVERSE" => ["AVAILABLE", "EXPIRED", "REVOKED"].iter().any(|bucket| touched.contains(bucket)),
            _ => touched.contains(&"HELD"),
        };
        assert!(is_plausible, "{node}: {parts:?}");
        assert!(node["effectiveAt"].as_str() <= node["recordedAt"].as_str(), "{node}");
        assert!(!node["actor"].as_str().unwrap().is_empty());
    }
}

async fn the_grants_of_an_account_are_what_its_entries_name(test: &Company<60>) {
    let query = "query($id: ID!) { account(id: $id) { creditGrants(first: 100) { totalCount nodes {
        id credits remaining unit { code } account { id } } } } }";
    for account in accounts(test).await {
        let id = global_id("Account", account);
        let shown = test.admin().data(query, json!({"id": id})).await["account"]["creditGrants"].take();
        let mut available: BTreeMap<String, i64> = BTreeMap::new();
        for unit in units(test).await {
            for entry in entries(test, account, &unit, "AVAILABLE").await {
                if let Some(grant) = entry["grant"]["id"].as_str() {
                    *available.entry(grant.to_owned()).or_default() += number(&entry["credits"]);
                }
            }
        }
        for grant in shown["nodes"].as_array().unwrap() {
            let left = available.get(grant["id"].as_str().unwrap()).copied().unwrap_or_default();
            assert_eq!(number(&grant["remaining"]), left, "{grant}");
            assert!((0..=number(&grant["credits"])).contains(&left), "{grant}");
            assert_eq!(grant["account"]["id"], id);
        }
        if shown["totalCount"].as_u64().unwrap() <= 100 {
            assert_eq!(shown["totalCount"], available.len(), "each grant has an entry");
        }
    }
}
