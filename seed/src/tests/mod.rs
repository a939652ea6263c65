//! Tests that the company is reproducible, and that its books are right, recomputed by other means.

mod books;
mod metrics;
mod usage;

use super::{Phase, Plan, Totals, seed};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, EntityTrait, QueryOrder, Statement};
use sha2::{Digest, Sha256};
use std::sync::Mutex;

struct Company {
    db: DatabaseConnection,
    totals: Totals,
    _directory: tempfile::TempDir,
}

fn plan(users: u64, seed: u64) -> Plan {
    let now = "2026-11-20T12:34:56.789123456Z".parse().unwrap();
    Plan { users, seed, now, issuer: "https://issuer.example.com/".to_owned() }
}

async fn company(plan: &Plan) -> Company {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}?mode=rwc", directory.path().join("seed.db").display());
    let db = Database::connect(ConnectOptions::new(url).max_connections(1).sqlx_logging(false).to_owned()).await;
    let db = db.unwrap();
    migration::up(&db, None, plan.now).await.unwrap();
    let totals = seed(&db, plan, |_| {}).await.unwrap();
    Company { db, totals, _directory: directory }
}

/// Returns the only number that `sql` selects.
async fn number(db: &DatabaseConnection, sql: &str) -> i64 {
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap().unwrap();
    row.try_get_by_index(0).unwrap()
}

/// Asserts that the query selects no rows.
async fn nothing(db: &DatabaseConnection, sql: &str) {
    let found = number(db, &format!("SELECT COUNT(*) FROM ({sql}) AS wrong")).await;
    assert_eq!(found, 0, "{sql}");
}

macro_rules! digest {
    ($db:expr, $($table:ident),* $(,)?) => {{
        let mut digest = Sha256::new();
        let mut tables = Vec::new();
        $(
            let rows = ::entity::$table::Entity::find().order_by_asc(::entity::$table::Column::Id).all($db).await.unwrap();
            tables.push((stringify!($table), u64::try_from(rows.len()).unwrap()));
            rows.iter().for_each(|row| digest.update(format!("{row:?}\n")));
        )*
        (hex::encode(digest.finalize()), tables)
    }};
}

async fn digest(db: &DatabaseConnection) -> (String, Vec<(&'static str, u64)>) {
    crate::with_tables!(digest, db)
}

#[tokio::test]
async fn the_same_plan_makes_the_same_rows_and_another_seed_makes_others() {
    let (first, second, other) =
        (company(&plan(90, 7)).await, company(&plan(90, 7)).await, company(&plan(90, 8)).await);
    let (rows, tables) = digest(&first.db).await;
    assert_eq!(rows, digest(&second.db).await.0);
    assert_ne!(rows, digest(&other.db).await.0);
    assert_eq!(first.totals.tables(), tables, "the totals are what is in the database");
    assert_eq!(first.totals.users, 91);
}

#[tokio::test]
async fn a_database_with_users_is_refused() {
    let company = company(&plan(1, 1)).await;
    let error = seed(&company.db, &plan(1, 1), |_| {}).await.unwrap_err();
    assert!(error.to_string().contains("already has 2 users"), "{error}");
}

#[tokio::test]
async fn progress_goes_up_to_the_total() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}?mode=rwc", directory.path().join("seed.db").display());
    let db = Database::connect(url).await.unwrap();
    let plan = plan(810, 1);
    migration::up(&db, None, plan.now).await.unwrap();
    let seen = Mutex::new(Vec::new());
    seed(&db, &plan, |progress| seen.lock().unwrap().push((progress.phase, progress.done))).await.unwrap();
    use Phase::*;
    let expected = [(Catalogue, 0), (Users, 0), (Users, 800), (Users, 810), (Office, 810), (Done, 810)];
    assert_eq!(*seen.lock().unwrap(), expected);
}

#[tokio::test]
async fn a_company_without_users_has_a_catalogue() {
    let company = company(&plan(0, 1)).await;
    assert_eq!((company.totals.users, company.totals.products), (1, 13));
}
