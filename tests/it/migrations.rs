//! The schema: up, down and up again, by one migrator at a time, and the same on both engines.

use crate::support::{Engine, TestDatabase, both_engines, run, sql};
use migration::{DateTime, Error, State};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend};
use std::collections::BTreeSet;
use std::sync::Mutex;

both_engines!(
    the_schema_goes_down_to_nothing_and_up_again,
    changes_go_up_one_by_one,
    two_migrators_at_once_apply_each_change_once,
    a_change_that_was_edited_is_refused,
    a_change_of_a_newer_version_is_refused,
    append_only_tables_refuse_update_and_delete,
);

const ALL: usize = usize::MAX;

/// Returns the catalogue in terms that both engines share: tables, columns, indexes, and append-only tables.
async fn catalogue(db: &DatabaseConnection) -> BTreeSet<String> {
    let queries: [&str; 4] = match db.get_database_backend() {
        DbBackend::Postgres => [
            "SELECT 'table ' || tablename FROM pg_tables WHERE schemaname = 'public'",
            "SELECT 'column ' || table_name || '.' || column_name || CASE is_nullable WHEN 'YES' THEN ' null' ELSE '' END \
             FROM information_schema.columns WHERE table_schema = 'public'",
            "SELECT CASE WHEN indisunique THEN 'unique index ' ELSE 'index ' END || c.relname || ' on ' \
             || CAST(i.indrelid::regclass AS TEXT) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
             JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public' AND NOT indisprimary",
            "SELECT 'trigger on ' || CAST(tgrelid::regclass AS TEXT) FROM pg_trigger WHERE NOT tgisinternal",
        ],
        _ => [
            "SELECT 'table ' || name FROM sqlite_master WHERE type = 'table'",
            "SELECT 'column ' || m.name || '.' || c.name || CASE c.\"notnull\" WHEN 0 THEN ' null' ELSE '' END \
             FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table'",
            "SELECT CASE WHEN i.\"unique\" THEN 'unique index ' ELSE 'index ' END || i.name || ' on ' || m.name \
             FROM sqlite_master m, pragma_index_list(m.name) i WHERE m.type = 'table' AND i.origin = 'c'",
            "SELECT 'trigger on ' || tbl_name FROM sqlite_master WHERE type = 'trigger'",
        ],
    };
    let mut found = BTreeSet::new();
    for query in queries {
        found.extend(sql::column::<String>(db, query, []).await);
    }
    found
}

/// Returns the number of CHECKs of each table, and the column and target of each foreign key.
async fn guards(db: &DatabaseConnection) -> BTreeSet<String> {
    let query = match db.get_database_backend() {
        DbBackend::Postgres => {
            "SELECT CAST(conrelid::regclass AS TEXT) || CASE contype WHEN 'c' THEN ' has checks: ' ELSE ' refers to ' \
             || CAST(confrelid::regclass AS TEXT) || ': ' END || COUNT(*) FROM pg_constraint \
             WHERE contype IN ('c', 'f') AND connamespace = 'public'::regnamespace GROUP BY conrelid, contype, confrelid"
        }
        _ => {
            "SELECT name || ' has checks: ' || ((length(sql) - length(replace(sql, 'CHECK (', ''))) / 7) \
             FROM sqlite_master WHERE type = 'table' AND sql LIKE '%CHECK (%' UNION ALL \
             SELECT m.name || ' refers to ' || k.\"table\" || ': ' || COUNT(*) FROM sqlite_master m, \
             pragma_foreign_key_list(m.name) k WHERE m.type = 'table' GROUP BY m.name, k.\"table\""
        }
    };
    sql::column::<String>(db, query, []).await.into_iter().collect()
}

async fn the_schema_goes_down_to_nothing_and_up_again(db: &DatabaseConnection) {
    let before = (catalogue(db).await, guards(db).await);
    let names: Vec<_> = migration::changes().iter().map(|change| change.name).collect();

    let undone = migration::down(db, ALL).await.unwrap();
    assert!(undone.iter().rev().eq(&names), "{undone:?}");
    let rest = catalogue(db).await;
    assert!(rest.iter().all(|name| name.contains("schema_migrations")), "left behind: {rest:?}");
    assert_eq!(sql::number(db, "SELECT COUNT(*) FROM schema_migrations").await, 0);
    if db.get_database_backend() == DbBackend::Postgres {
        let functions = "SELECT COUNT(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace";
        assert_eq!(sql::number(db, functions).await, 0, "functions are left behind");
    }
    assert!(migration::down(db, ALL).await.unwrap().is_empty());
    assert!(migration::status(db).await.unwrap().iter().all(|step| step.state == State::Pending));

    assert_eq!(migration::up(db, None, DateTime::UNIX_EPOCH).await.unwrap(), names);
    assert_eq!((catalogue(db).await, guards(db).await), before);
    assert!(migration::up(db, None, DateTime::UNIX_EPOCH).await.unwrap().is_empty());
}

async fn changes_go_up_one_by_one(db: &DatabaseConnection) {
    let changes = migration::changes();
    migration::down(db, ALL).await.unwrap();
    for (index, change) in changes.iter().enumerate() {
        assert_eq!(migration::up(db, Some(1), DateTime::UNIX_EPOCH).await.unwrap(), [change.name]);
        let steps = migration::status(db).await.unwrap();
        let applied: Vec<_> = steps.iter().filter(|step| step.state == State::Applied).map(|step| step.name).collect();
        assert!(applied.iter().eq(changes[..=index].iter().map(|change| &change.name)));
        // And each can be undone alone.
        assert_eq!(migration::down(db, 1).await.unwrap(), [change.name]);
        assert_eq!(migration::up(db, Some(1), DateTime::UNIX_EPOCH).await.unwrap(), [change.name]);
    }
}

async fn two_migrators_at_once_apply_each_change_once(db: &DatabaseConnection) {
    migration::down(db, ALL).await.unwrap();
    // Without the record too: both find nothing and would make it.
    sql::execute(db, "DROP TABLE schema_migrations").await;
    let (one, other) =
        tokio::join!(migration::up(db, None, DateTime::UNIX_EPOCH), migration::up(db, None, DateTime::UNIX_EPOCH),);
    let mut applied = [one.unwrap(), other.unwrap()].concat();
    applied.sort_unstable();
    let names: Vec<_> = migration::changes().iter().map(|change| change.name).collect();
    assert_eq!(applied, names);
}

async fn a_change_that_was_edited_is_refused(db: &DatabaseConnection) {
    migration::down(db, 1).await.unwrap();
    sql::execute(db, "UPDATE schema_migrations SET checksum = 'another' WHERE name LIKE 'm0002%'").await;
    let before = catalogue(db).await;
    for result in [
        migration::up(db, None, DateTime::UNIX_EPOCH).await.map(drop),
        migration::down(db, 1).await.map(drop),
        migration::status(db).await.map(drop),
    ] {
        match result {
            Err(Error::Changed { name, recorded, now }) => {
                assert_eq!((&*name, &*recorded), ("m0002_catalogue", "another"));
                assert_eq!(now, migration::changes()[1].checksum());
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(catalogue(db).await, before);
}

async fn a_change_of_a_newer_version_is_refused(db: &DatabaseConnection) {
    let newer = "INSERT INTO schema_migrations (name, checksum, applied_at) \
                 VALUES ('m9999_newer', 'x', '2030-01-01T00:00:00+00:00')";
    sql::execute(db, newer).await;
    for result in [
        migration::up(db, None, DateTime::UNIX_EPOCH).await.map(drop),
        migration::down(db, 1).await.map(drop),
        migration::status(db).await.map(drop),
    ] {
        assert!(matches!(&result, Err(Error::Unknown(name)) if name == "m9999_newer"), "{result:?}");
    }
}

async fn append_only_tables_refuse_update_and_delete(db: &DatabaseConnection) {
    let plan = seed::Plan { users: 3, seed: 1, now: "2026-01-15T12:00:00Z".parse().unwrap(), issuer: "x".into() };
    seed::seed(db, &plan, |_| {}).await.unwrap();
    let before = sql::number(db, "SELECT COUNT(*) FROM ledger_entries").await;
    for table in ["ledger_entries", "ledger_txns", "subscription_versions", "audit_log"] {
        assert!(sql::number(db, &format!("SELECT COUNT(*) FROM {table}")).await > 0, "{table} has rows");
        for verb in ["UPDATE {} SET id = id", "DELETE FROM {}"] {
            let statement = verb.replace("{}", table);
            let error = db.execute_unprepared(&statement).await.expect_err(&statement);
            assert!(error.to_string().contains(&format!("{table} is append-only")), "{statement}: {error}");
        }
    }
    assert_eq!(sql::number(db, "SELECT COUNT(*) FROM ledger_entries").await, before);
}

#[test]
fn both_engines_have_the_same_tables_columns_indexes_triggers_and_checks() {
    if TestDatabase::create(Engine::Postgres).is_none() {
        return;
    }
    let found = Mutex::new(Vec::new());
    for engine in [Engine::Sqlite, Engine::Postgres] {
        run(engine, async |db: &DatabaseConnection| {
            let both: BTreeSet<_> = catalogue(db).await.into_iter().chain(guards(db).await).collect();
            assert!(both.len() > 200);
            found.lock().unwrap().push(both);
        });
    }
    let found = found.into_inner().unwrap();
    let alone = |one: usize, other: usize| found[one].difference(&found[other]).collect::<Vec<_>>();
    assert_eq!((alone(0, 1), alone(1, 0)), (vec![], vec![]), "on SQLite alone, and on PostgreSQL alone");
}
