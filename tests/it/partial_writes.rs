//! A failure at any step of a change of credits or usage leaves all of it or nothing: a trigger makes each table fail in
//! turn, in the middle of the transaction.

use crate::support::usage::{account, card, meter};
use crate::support::{TestApp, both_engines, sql};
use sea_orm::{DatabaseConnection, DbBackend};
use serde_json::{Value, json};

both_engines!(a_failure_at_any_step_leaves_all_or_nothing,);

/// The tables that changes of credits and usage write.
const TABLES: [&str; 11] = [
    "idempotency_keys",
    "balances",
    "credit_grants",
    "credit_holds",
    "ledger_entries",
    "ledger_txns",
    "usage_events",
    "usage_daily",
    "usage_counters",
    "audit_log",
    "changes",
];

/// All that these tables hold, in some order.
async fn contents(db: &DatabaseConnection) -> Vec<String> {
    let mut all = Vec::new();
    let columns = sql::columns(db).await;
    for table in TABLES {
        let cells: Vec<String> =
            columns[table].iter().map(|name| format!("COALESCE(CAST({name} AS TEXT), '')")).collect();
        let query = format!("SELECT '{table}' || ' ' || {} AS row FROM {table} ORDER BY 1", cells.join(" || ' ' || "));
        let query = match db.get_database_backend() {
            DbBackend::Postgres => query,
            // Ids are bytes there.
            _ => query.replace("CAST(", "hex(").replace(" AS TEXT)", ")"),
        };
        all.extend(sql::column::<String>(db, &query, []).await);
    }
    all
}

/// A change, as the fields of a mutation.
async fn change(test: &TestApp, fields: &str) -> Result<Value, String> {
    let mut reply = test.admin().post(&format!("mutation {{ done: {fields} }}"), json!({})).await.json();
    match reply["errors"][0]["extensions"]["code"].as_str() {
        Some(code) => Err(code.to_owned()),
        None => {
            assert!(reply.get("errors").is_none(), "{reply}");
            Ok(reply["data"]["done"].take())
        }
    }
}

/// The changes to try under keys that begin with `name`, with the rows that they need.
async fn changes(test: &TestApp, account: &str, name: &str) -> Vec<String> {
    let wallet = format!("accountId: \"{account}\", unit: \"credit\"");
    let done = async |fields: String, path: [&str; 2]| {
        let mut done = change(test, &fields).await.unwrap();
        done[path[0]][path[1]].take().as_str().unwrap().to_owned()
    };
    let hold = format!("holdCredits(input: {{{wallet}, amount: 4, idempotencyKey: \"{name}-prepared");
    let one = done(format!("{hold}-1\"}}) {{ creditHold {{ id }} }}"), ["creditHold", "id"]).await;
    let two = done(format!("{hold}-2\"}}) {{ creditHold {{ id }} }}"), ["creditHold", "id"]).await;
    let spent = format!("spendCredits(input: {{{wallet}, amount: 2, idempotencyKey: \"{name}-prepared-3\"}})");
    let spent = done(format!("{spent} {{ transaction {{ id }} }}"), ["transaction", "id"]).await;
    let event =
        |key: &str| format!("{{accountId: \"{account}\", meter: \"chat\", value: 2, dedupeKey: \"{name}-{key}\"}}");
    let recorded =
        format!("recordUsage(input: {{events: [{}]}}) {{ results {{ event {{ id }} }} }}", event("prepared"));
    let recorded = change(test, &recorded).await.unwrap()["results"][0]["event"]["id"].take();
    let errors = "userErrors { code }";
    vec![
        format!(
            "grantCredits(input: {{{wallet}, amount: 5, idempotencyKey: \"{name}-1\"}}) {{ creditGrant {{ id }} {errors} }}"
        ),
        format!(
            "spendCredits(input: {{{wallet}, amount: 3, idempotencyKey: \"{name}-2\"}}) {{ transaction {{ id }} {errors} }}"
        ),
        format!(
            "holdCredits(input: {{{wallet}, amount: 3, idempotencyKey: \"{name}-3\"}}) {{ creditHold {{ id }} {errors} }}"
        ),
        format!(
            "captureHold(input: {{holdId: \"{one}\", amount: 1, idempotencyKey: \"{name}-4\"}}) {{ transaction {{ id }} {errors} }}"
        ),
        format!(
            "releaseHold(input: {{holdId: \"{two}\", idempotencyKey: \"{name}-5\"}}) {{ transaction {{ id }} {errors} }}"
        ),
        format!(
            "reverseLedgerTransaction(input: {{transactionId: \"{spent}\", idempotencyKey: \"{name}-6\"}}) {{ transaction {{ id }} {errors} }}"
        ),
        format!(
            "recordUsage(input: {{events: [{}, {}]}}) {{ results {{ event {{ id }} }} {errors} }}",
            event("7"),
            event("7b")
        ),
        format!(
            "correctUsage(input: {{usageEventId: {recorded}, idempotencyKey: \"{name}-8\"}}) {{ correction {{ id }} {errors} }}"
        ),
        format!(
            "consume(input: {{accountId: \"{account}\", feature: \"chat\", amount: 1, idempotencyKey: \"{name}-9\"}}) {{ consumed {errors} }}"
        ),
        format!(
            "changeCredits(input: {{changes: [{{spend: {{{wallet}, amount: 1, idempotencyKey: \"{name}-10\"}}}}, \
             {{spend: {{{wallet}, amount: 1, idempotencyKey: \"{name}-11\"}}}}]}}) {{ results {{ transaction {{ id }} }} {errors} }}"
        ),
    ]
}

async fn a_failure_at_any_step_leaves_all_or_nothing(test: &TestApp) {
    crate::support::credits::unit(test, "credit").await;
    meter(test, json!({"code": "chat", "name": "Chat", "aggregation": "SUM"})).await;
    card(test, json!({"meter": "chat", "unit": "credit", "rates": [{"quantity": "value", "credits": 1, "per": 1}]}))
        .await;
    let feature = "createFeature(input: {code: \"chat\", kind: LIMIT, name: \"Chat\"}) { userErrors { code } }";
    change(test, feature).await.unwrap();
    let account = account(test, "ann").await.as_str().unwrap().to_owned();
    let more = json!({"limit": 1_000, "window": "DAY"});
    crate::support::entitlements::set_override(test, &json!(account), "chat", more).await;
    let first = format!(
        "grantCredits(input: {{accountId: \"{account}\", unit: \"credit\", amount: 1000, idempotencyKey: \"first\"}})"
    );
    change(test, &format!("{first} {{ userErrors {{ code }} }}")).await.unwrap();
    let db = test.app.db.schema();
    let mut failures = 0;
    for table in TABLES {
        let changes = changes(test, &account, table).await;
        for fields in &changes {
            let before = contents(db).await;
            sql::break_table(db, table).await;
            let broken = change(test, fields).await;
            let after = contents(db).await;
            sql::mend_table(db, table).await;
            if let Err(code) = &broken {
                assert!(["SERVICE_UNAVAILABLE", "INTERNAL_SERVER_ERROR"].contains(&code.as_str()), "{code}: {fields}");
                assert_eq!(before, after, "{table}: {fields}");
                failures += 1;
            }
            // Sent again it is done now, unless it was done: once.
            let done = change(test, fields).await.unwrap_or_else(|code| panic!("{code}: {fields}"));
            assert_eq!(done["userErrors"], json!([]), "{table}: {fields}");
            if let Ok(first) = broken {
                assert_eq!(done, first, "{table}: {fields}");
            }
            let again = contents(db).await;
            assert_eq!(change(test, fields).await.unwrap(), done, "{table}: {fields}");
            assert_eq!(contents(db).await, again, "{table}: {fields}");
        }
    }
    assert!(failures > 40, "{failures} failures");
}
