//! Credits: granted once, never below zero, and the books always balance.

use crate::support::{TestApp, both_engines};
use chrono::TimeDelta;
use entity::{credit_grants, ledger_entries};
use futures_util::future::join_all;
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, TransactionTrait};
use serde_json::{Value, json};
use tollgate::auth::Permission;

both_engines!(
    credits_are_granted_once_under_one_key,
    of_many_equal_requests_at_once_one_grants,
    a_field_that_stands_twice_in_a_document_grants_once,
    a_key_counts_for_its_caller_alone,
    a_repeated_request_is_answered_also_when_the_credits_have_expired,
    a_grant_is_in_the_ledger_and_in_the_audit_log,
    the_database_keeps_the_ledger_as_it_is,
);

const GRANT: &str = "mutation($account: ID!, $amount: BigInt = \"100\", $key: String = \"k\", $expiresAt: DateTime) {
    grantCredits(input: {accountId: $account, unit: \"credit\", amount: $amount, idempotencyKey: $key,
        expiresAt: $expiresAt}) { creditGrant { id credits } userErrors { code } } }";

/// The id of Alice's account, where there is a unit to grant.
async fn account(test: &TestApp) -> Value {
    let unit = "mutation { createCreditUnit(input: {code: \"credit\", name: \"Credits\"}) { userErrors { code } } }";
    test.admin().data(unit, json!({})).await;
    test.user("alice").data("{ viewer { account { id } } }", json!({})).await["viewer"]["account"]["id"].take()
}

async fn available(test: &TestApp) -> Value {
    let mine = "{ viewer { account { creditBalance(unit: \"credit\") { available } creditGrants { totalCount } } } }";
    let account = test.user("alice").data(mine, json!({})).await["viewer"]["account"].take();
    json!([account["creditBalance"]["available"], account["creditGrants"]["totalCount"]])
}

async fn credits_are_granted_once_under_one_key(test: &TestApp) {
    let account = account(test).await;
    let admin = test.admin();
    let first = admin.data(GRANT, json!({"account": account})).await;
    assert_eq!(first["grantCredits"]["creditGrant"]["credits"], "100");
    assert_eq!(admin.data(GRANT, json!({"account": account})).await, first);
    let other = json!({"account": account, "amount": "200"});
    assert_eq!(admin.code(GRANT, other).await, "IDEMPOTENCY_KEY_REUSED");
    assert_eq!(available(test).await, json!(["100", 1]));
}

async fn of_many_equal_requests_at_once_one_grants(test: &TestApp) {
    let account = account(test).await;
    let requests = (0..32).map(async |_| test.admin().data(GRANT, json!({"account": account})).await);
    let answers = join_all(requests).await;
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(available(test).await, json!(["100", 1]));
    // And as many under keys of their own: none is lost.
    let requests = (0..32).map(async |number| {
        let variables = json!({"account": account, "amount": "1", "key": format!("n{number}")});
        test.admin().data(GRANT, variables).await
    });
    join_all(requests).await;
    assert_eq!(available(test).await, json!(["132", 33]));
}

async fn a_field_that_stands_twice_in_a_document_grants_once(test: &TestApp) {
    let account = account(test).await;
    let field = |key: &str| {
        format!(
            "grantCredits(input: {{accountId: {account}, unit: \"credit\", amount: 5, idempotencyKey: \"{key}\"}})
             {{ creditGrant {{ id }} }}"
        )
    };
    let twice = |key: &str| [field(key), field(key)].join(" ");
    for (number, document) in [
        format!("mutation {{ {} }}", twice("a")),
        format!("mutation {{ one: {} two: {} }}", field("b"), field("b")),
        format!("mutation {{ ...F ...F }} fragment F on Mutation {{ {} }}", field("c")),
        format!("mutation {{ ... {{ {} }} ...F }} fragment F on Mutation {{ {} }}", field("d"), field("d")),
    ]
    .iter()
    .enumerate()
    {
        test.admin().data(document, json!({})).await;
        let (credits, grants) = (((number + 1) * 5).to_string(), number + 1);
        assert_eq!(available(test).await, json!([credits, grants]), "{document}");
    }
}

async fn a_key_counts_for_its_caller_alone(test: &TestApp) {
    let account = account(test).await;
    let variables = json!({"account": account});
    let admin = test.admin().data(GRANT, variables.clone()).await;
    let backend = test.service(&[Permission::CreditsWrite]).data(GRANT, variables).await;
    assert_ne!(admin, backend);
    assert_eq!(available(test).await, json!(["200", 2]));
}

async fn a_repeated_request_is_answered_also_when_the_credits_have_expired(test: &TestApp) {
    let account = account(test).await;
    let variables = json!({"account": account, "expiresAt": "2026-01-15T12:30:00Z"});
    let first = test.admin().data(GRANT, variables.clone()).await;
    test.advance(TimeDelta::minutes(45));
    assert_eq!(test.admin().data(GRANT, variables).await, first);
}

async fn a_grant_is_in_the_ledger_and_in_the_audit_log(test: &TestApp) {
    let account = account(test).await;
    test.admin().data(GRANT, json!({"account": account})).await;
    let last = test.admin().data(GRANT, json!({"account": account, "amount": "7", "key": "l"})).await;
    let ledger = "{ viewer { account { ledgerEntries(unit: \"credit\") { nodes { credits balanceAfter sequence bucket
        grant { credits remaining source } transaction { operation actor } } }
        issued: ledgerEntries(unit: \"credit\", bucket: ISSUED) { nodes { credits balanceAfter } } } } }";
    let seen = test.user("alice").data(ledger, json!({})).await["viewer"]["account"].take();
    let actor = test.admin().data("{ auditLog { nodes { actor action entityId } } }", json!({})).await;
    let deed = &actor["auditLog"]["nodes"][0];
    assert_eq!(deed["action"], "credits.grant");
    assert_eq!(deed["entityId"], last["grantCredits"]["creditGrant"]["id"]);
    let entry = |credits: &str, after: &str, sequence: &str| {
        json!({"credits": credits, "balanceAfter": after, "sequence": sequence, "bucket": "AVAILABLE",
            "grant": {"credits": credits, "remaining": credits, "source": "ADMIN"},
            "transaction": {"operation": "GRANT", "actor": deed["actor"]}})
    };
    assert_eq!(seen["ledgerEntries"]["nodes"], json!([entry("7", "107", "4"), entry("100", "100", "2")]));
    let issued = json!([{"credits": "-7", "balanceAfter": "-107"}, {"credits": "-100", "balanceAfter": "-100"}]);
    assert_eq!(seen["issued"]["nodes"], issued);
}

/// Statements that would falsify the books. `ENTRY` starts an insert of an entry, up to its bucket.
const FORGERIES: &[&str] = &[
    "UPDATE ledger_entries SET amount = amount + 1",
    "UPDATE ledger_entries SET seq = seq + 10 WHERE bucket = 'available'",
    "DELETE FROM ledger_entries",
    "UPDATE ledger_txns SET actor = 'me'",
    "DELETE FROM ledger_txns",
    "UPDATE audit_log SET actor = 'me'",
    "DELETE FROM audit_log",
    // Entries after the seal, balanced or not.
    "ENTRY SELECT NEW1, txn_id, account_id, credit_unit_id, bucket, 5, 105, 3, recorded_at FROM ledger_entries WHERE seq = 1",
    // An entry that no transaction seals.
    "ENTRY SELECT NEW1, NEW2, account_id, credit_unit_id, 'available', 5, 105, 3, recorded_at FROM ledger_entries WHERE seq = 1",
    // A transaction without entries, or with one alone.
    "SEAL SELECT NEW2, account_id, kind, 'forged', effective_at, recorded_at, actor FROM ledger_txns",
    "ENTRY SELECT NEW1, NEW2, account_id, credit_unit_id, 'available', 5, 105, 3, recorded_at FROM ledger_entries WHERE seq = 1;
     SEAL SELECT NEW2, account_id, kind, 'forged', effective_at, recorded_at, actor FROM ledger_txns",
    "UPDATE balances SET available = -1, issued = 1",
    "UPDATE balances SET available = available + 1",
    "UPDATE balances SET available = 5000000000000000000, issued = -5000000000000000000",
    "UPDATE credit_grants SET remaining = -1",
    "UPDATE credit_grants SET remaining = amount + 1",
    "UPDATE credit_grants SET amount = 0, remaining = 0",
];

async fn the_database_keeps_the_ledger_as_it_is(test: &TestApp) {
    let account = account(test).await;
    test.admin().data(GRANT, json!({"account": account})).await;
    let db = test.app.db.schema();
    let books = async || {
        let entries = ledger_entries::Entity::find().all(db).await.unwrap();
        let grants = credit_grants::Entity::find().all(db).await.unwrap();
        (entries, grants)
    };
    let before = books().await;
    let postgres = db.get_database_backend() == sea_orm::DbBackend::Postgres;
    for forgery in FORGERIES {
        let id = |last: u8| match postgres {
            true => format!("'00000000-0000-0000-0000-0000000000{last:02}'::uuid"),
            false => format!("x'000000000000000000000000000000{last:02}'"),
        };
        let sql = forgery
            .replace("ENTRY", "INSERT INTO ledger_entries (id, txn_id, account_id, credit_unit_id, bucket, amount, balance_after, seq, recorded_at)")
            .replace("SEAL", "INSERT INTO ledger_txns (id, account_id, kind, business_key, effective_at, recorded_at, actor)")
            .replace("NEW1", &id(1))
            .replace("NEW2", &id(2));
        let outcome = attempt(test, &sql).await;
        assert!(outcome.is_err(), "{forgery}");
        assert_eq!(books().await, before, "{forgery}");
    }
    assert_eq!(available(test).await, json!(["100", 1]));
}

/// Runs statements in a transaction of their own.
async fn attempt(test: &TestApp, sql: &str) -> Result<(), DbErr> {
    let txn = test.app.db.schema().begin().await?;
    for statement in sql.split(';') {
        txn.execute_unprepared(statement).await?;
    }
    txn.commit().await
}
