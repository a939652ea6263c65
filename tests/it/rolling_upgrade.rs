//! Servers that go on running while a newer version migrates the database.

use crate::support::{Engine, HeldTable, TestApp, both_engines, run, sql, webhooks};
use chrono::TimeDelta;
use migration::prelude::*;
use migration::{Change, Error, Patience};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection};
use serde_json::json;
use std::sync::{Arc, Mutex};
use tollgate::providers::Provider;

both_engines!(no_statement_names_columns_by_a_star);

/// Writes and reads in many ways; `round` makes them new.
async fn use_it(test: &TestApp, round: usize) {
    let user = test.user("ann").data("{ viewer { account { id } } }", json!({})).await;
    let account = user["viewer"]["account"]["id"].clone();
    let unit =
        "mutation($code: String!) { createCreditUnit(input: {code: $code, name: \"A\"}) { userErrors { code } } }";
    test.admin().data(unit, json!({"code": "credits"})).await;
    let grant = "mutation($account: ID!, $key: String!) { grantCredits(input: {accountId: $account, unit: \"credits\",
        amount: \"5\", idempotencyKey: $key}) { creditGrant { id } userErrors { code } } }";
    let granted = test.admin().data(grant, json!({"account": account, "key": format!("grant {round}")})).await;
    assert_eq!(granted["grantCredits"]["userErrors"], json!([]));
    let created = 1_757_000_000;
    for (kind, object) in [
        (
            "customer.created",
            json!({"id": format!("cus_{round}"), "object": "customer", "metadata": {"user_id": "ann"}}),
        ),
        (
            "checkout.session.completed",
            json!({"id": format!("cs_{round}"), "object": "checkout.session", "mode": "payment",
                "customer": format!("cus_{round}"), "payment_status": "paid", "amount_total": 0, "currency": "usd",
                "metadata": {"credits": "10"}}),
        ),
    ] {
        let mut object = object;
        object["created"] = json!(created);
        let event = json!({"id": format!("evt_{kind}_{round}"), "object": "event", "created": created, "livemode": false,
            "api_version": "2025-08-27.basil", "type": kind, "data": {"object": object}});
        assert_eq!(webhooks::deliver(test, Provider::Stripe, &event).await.status, 200);
    }
    test.run_jobs().await;
    test.advance(TimeDelta::minutes(2));
    test.run_jobs().await;
    let left = "SELECT external_id FROM inbox_events WHERE state <> 'applied'";
    assert_eq!(sql::column::<String>(test.app.db.read(), left, []).await, [""; 0]);
    let read = "{ accounts { nodes { id creditBalances { available } creditGrants { nodes { id } }
        ledgerEntries(unit: \"credits\") { nodes { id } } providerCustomers { nodes { id } } } }
        webhookEvents { nodes { id } } auditLog { nodes { id } } }";
    test.admin().data(read, json!({})).await;
}

// On SQLite one process alone has the database open, and migrates before it serves.
#[test]
fn a_server_goes_on_when_tables_get_new_columns() {
    run(Engine::Postgres, async |test: &TestApp| {
        // Often enough to have the statements prepared on every connection.
        for round in 0..6 {
            use_it(test, round).await;
        }
        let tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'";
        for table in sql::column::<String>(test.app.db.read(), tables, []).await {
            let add = format!("ALTER TABLE {table} ADD COLUMN added_by_a_newer_version text");
            test.app.db.schema().execute_unprepared(&add).await.unwrap();
        }
        for round in 6..12 {
            use_it(test, round).await;
        }
    });
}

async fn no_statement_names_columns_by_a_star(test: &TestApp) {
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let observed = Arc::clone(&seen);
    test.app.db.observe(move |statement| observed.lock().unwrap().push(statement.sql.to_string()));
    use_it(test, 0).await;
    let seen = seen.lock().unwrap();
    assert!(seen.len() > 100);
    let stars = ["RETURNING *", "SELECT *"];
    let starred: Vec<_> = seen.iter().filter(|sql| stars.iter().any(|star| sql.contains(star))).collect();
    assert_eq!(starred, Vec::<&String>::new());
}

/// The number of changes from `name` on.
fn since(name: &str) -> usize {
    let changes = migration::changes();
    changes.len() - changes.iter().position(|change| change.name == name).unwrap()
}

/// Another session of the same database, whose statements end after five seconds.
async fn session(test: &TestApp) -> DatabaseConnection {
    let tollgate::config::DatabaseUrl::Postgres(url) = &test.app.config.database.url else { panic!("no PostgreSQL") };
    let options = sea_orm::ConnectOptions::new(url.expose()).max_connections(1).to_owned();
    let other = Database::connect(options).await.unwrap();
    other.execute_unprepared("SET statement_timeout = 5000").await.unwrap();
    other
}

const COUNT: &str = "SELECT count(*) FROM api_keys";

#[test]
fn a_migration_that_waits_for_a_lock_lets_others_pass() {
    run(Engine::Postgres, async |test: &TestApp| {
        let db = test.app.db.schema();
        migration::down(db, since("m0026_access")).await.unwrap();
        let long = session(test).await;
        long.execute_unprepared("BEGIN").await.unwrap();
        long.execute_unprepared(COUNT).await.unwrap();
        let reader = session(test).await;
        let patience = Patience { lock_timeout_ms: 100, attempts: 500 };
        let changes = migration::changes();
        let migrating = migration::apply(db, &changes, None, test.app.now(), patience);
        let reading = async {
            // While the migration waits, its lock request is in front of these.
            for _ in 0..20 {
                reader.execute_unprepared(COUNT).await.unwrap();
            }
            long.execute_unprepared("ROLLBACK").await.unwrap();
        };
        let (applied, ()) = tokio::join!(migrating, reading);
        assert_eq!(applied.unwrap().first(), Some(&"m0026_access"));
    });
}

#[test]
fn a_migration_gives_up_and_says_why() {
    run(Engine::Postgres, async |test: &TestApp| {
        let db = test.app.db.schema();
        migration::down(db, since("m0026_access")).await.unwrap();
        let held = HeldTable::of(test, "api_keys").await;
        let patience = Patience { lock_timeout_ms: 20, attempts: 3 };
        let refused = migration::apply(db, &migration::changes(), None, test.app.now(), patience).await.unwrap_err();
        assert!(matches!(refused, Error::Busy { name: "m0026_access", attempts: 3 }), "{refused}");
        assert!(refused.to_string().contains("pg_stat_activity"));
        held.release().await;
        // Nothing of it was left behind.
        let applied = migration::up(db, None, test.app.now()).await.unwrap();
        assert_eq!(applied.first(), Some(&"m0026_access"));
        test.admin().data("{ apiKeys { totalCount } }", json!({})).await;
    });
}

/// A change of the tests that takes longer than a request may.
struct Slow;

/// A change of the tests that creates an index without keeping others from writing.
struct Concurrent;

impl MigrationName for Slow {
    fn name(&self) -> &'static str {
        "slow"
    }
}

impl MigrationName for Concurrent {
    fn name(&self) -> &'static str {
        "concurrent"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Slow {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared("SELECT pg_sleep(0.4)").await.map(drop)
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Concurrent {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        migration::index_concurrently(manager, "accounts", &["name", "id"]).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(false)
    }
}

fn with_slow() -> Vec<Change> {
    let slow = Change { name: "m9998_slow", source: "", migration: Box::new(Slow) };
    migration::changes().into_iter().chain([slow]).collect()
}

fn with_concurrent() -> Vec<Change> {
    let change = Change { name: "m9999_concurrent", source: "", migration: Box::new(Concurrent) };
    migration::changes().into_iter().chain([change]).collect()
}

#[test]
fn a_migration_may_take_longer_than_a_request() {
    run(Engine::Postgres, async |test: &TestApp| {
        let hurried = test.beside(&[("TOLLGATE_DATABASE_STATEMENT_TIMEOUT_MS", "100")]).await;
        let (db, now) = (hurried.app.db.schema(), test.app.now());
        let late = db.execute_unprepared("SELECT pg_sleep(0.4)").await.unwrap_err();
        assert!(late.to_string().contains("statement timeout"), "{late}");
        let applied = migration::apply(db, &with_slow(), None, now, Patience::default()).await.unwrap();
        assert_eq!(applied, ["m9998_slow"]);
    });
}

#[test]
fn an_index_of_a_large_table_is_created_beside_writes() {
    run(Engine::Postgres, async |test: &TestApp| {
        let (db, now) = (test.app.db.schema(), test.app.now());
        let valid =
            "SELECT count(*) FROM pg_index WHERE indexrelid = to_regclass('ix_accounts_name_id') AND indisvalid";
        // Somebody is writing to the table, and goes on.
        let writer = session(test).await;
        test.user("ann").data("{ viewer { role } }", json!({})).await;
        let changes = with_concurrent();
        let migrating = migration::apply(db, &changes, None, now, Patience::default());
        let writing = async {
            for _ in 0..20 {
                writer.execute_unprepared("UPDATE accounts SET name = 'x'").await.unwrap();
            }
        };
        let (applied, ()) = tokio::join!(migrating, writing);
        assert_eq!(applied.unwrap(), ["m9999_concurrent"]);
        assert_eq!(sql::number(db, valid).await, 1);
        // An attempt that was interrupted leaves an invalid index behind, and no record.
        for statement in [
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = to_regclass('ix_accounts_name_id')",
            "DELETE FROM schema_migrations WHERE name = 'm9999_concurrent'",
        ] {
            db.execute_unprepared(statement).await.unwrap();
        }
        assert_eq!(sql::number(db, valid).await, 0);
        migration::apply(db, &with_concurrent(), None, now, Patience::default()).await.unwrap();
        assert_eq!(sql::number(db, valid).await, 1);
        let again = migration::apply(db, &with_concurrent(), None, now, Patience::default()).await.unwrap();
        assert_eq!(again, [""; 0], "nothing is left to do");
    });
}

#[test]
fn tollgate_migrates_on_a_connection_of_its_own() {
    run(Engine::Postgres, async |test: &TestApp| {
        let hurried = test.beside(&[("TOLLGATE_DATABASE_STATEMENT_TIMEOUT_MS", "100")]).await;
        migration::down(test.app.db.schema(), since("m0026_access")).await.unwrap();
        // The table is held for longer than a statement of a request may take.
        let held = HeldTable::of(test, "api_keys").await;
        let migrating = hurried.app.db.migrate(test.app.new_id(), test.app.now(), "development");
        let releasing = async {
            let slow = session(test).await;
            slow.execute_unprepared("SELECT pg_sleep(0.5)").await.unwrap();
            held.release().await;
        };
        let (applied, ()) = tokio::join!(migrating, releasing);
        assert_eq!(applied.unwrap().first(), Some(&"m0026_access"));
        let own = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
             AND application_name = 'tollgate migrate'";
        assert_eq!(sql::number(test.app.db.read(), own).await, 0, "it is closed");
    });
}
