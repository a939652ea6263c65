//! Applies and reverts changes, each in a transaction of its own, in one process at a time.
//!
//! On PostgreSQL a change waits only a few seconds for a lock and then lets go of everything, because every other session
//! that wants the table waits behind it; it is tried again after a pause. Its statements have no time limit. A change that
//! runs outside a transaction uses a second connection, while the transaction of the first excludes other migrators.

use crate::change::Change;
use crate::table;
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, RuntimeErr, Statement, TransactionOptions,
    TransactionTrait, Value,
};

/// The key of the advisory lock that excludes other migrators on PostgreSQL; any fixed number will do.
const LOCK: i64 = 7_026_041_553_114_001;

/// The time type that both engines store alike.
pub type DateTime = sea_orm_migration::sea_orm::prelude::DateTimeUtc;

/// The reason why the schema was not changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A change was edited after it had been applied to this database.
    #[error(
        "The migration {name} was edited after it was applied to this database (recorded {recorded}, now {now}): restore the file and put the change into a new one."
    )]
    Changed {
        /// The change's name.
        name: String,
        /// The checksum in the database.
        recorded: String,
        /// The checksum of the file.
        now: String,
    },
    /// The database has a change that this version does not know.
    #[error("The database has the migration {0}, which this version does not know: run a newer version.")]
    Unknown(String),
    /// Other sessions hold the tables of a change.
    #[error(
        "The migration {name} could not lock its tables in {attempts} attempts, because other sessions hold them: end long transactions (see pg_stat_activity), and run it again."
    )]
    Busy {
        /// The change's name.
        name: &'static str,
        /// The number of attempts.
        attempts: u32,
    },
    /// The database refused a statement, or is unavailable.
    #[error(transparent)]
    Database(#[from] DbErr),
}

/// The state of a change in a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Applied, with the current checksum of the file.
    Applied,
    /// Not applied yet.
    Pending,
}

/// One change and its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The name of the change, such as `m0001_identity`.
    pub name: &'static str,
    /// The state of the change.
    pub state: State,
}

/// Returns the state of each change; an error if the record contradicts the files.
pub(crate) async fn status(db: &DatabaseConnection, changes: &[Change]) -> Result<Vec<Step>, Error> {
    steps(changes, &record(db).await?)
}

/// The waits of changes for locks on PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// The longest wait for one lock, in milliseconds.
    pub lock_timeout_ms: u32,
    /// The maximum number of attempts.
    pub attempts: u32,
}

impl Default for Patience {
    /// Returns waits that a running installation does not notice, for about two minutes in all.
    fn default() -> Self {
        Patience { lock_timeout_ms: 3_000, attempts: 15 }
    }
}

/// Applies those of `changes` that are pending, at most `limit`, and returns their names. `at` is recorded as the time.
pub async fn apply(
    db: &DatabaseConnection,
    changes: &[Change],
    limit: Option<usize>,
    at: DateTime,
    patience: Patience,
) -> Result<Vec<&'static str>, Error> {
    prepare(db).await?;
    let mut applied = Vec::new();
    let mut attempts = 0;
    while limit.is_none_or(|limit| applied.len() < limit) {
        let txn = begin_exclusive(db).await?;
        let steps = steps(changes, &record(&txn).await?)?;
        let Some(position) = steps.iter().position(|step| step.state == State::Pending) else { break };
        let change = &changes[position];
        attempts += 1;
        match run(db, &txn, change, patience).await {
            Ok(()) => {}
            Err(error) if is_lock_timeout(&error) => {
                txn.rollback().await?;
                if attempts >= patience.attempts {
                    return Err(Error::Busy { name: change.name, attempts });
                }
                pause(db, attempts).await?;
                continue;
            }
            Err(error) => return Err(error.into()),
        }
        let values = [change.name.into(), change.checksum().into(), at.into()];
        execute(&txn, "INSERT INTO schema_migrations (name, checksum, applied_at) VALUES ($1, $2, $3)", values).await?;
        txn.commit().await?;
        applied.push(change.name);
        attempts = 0;
    }
    Ok(applied)
}

/// Runs the statements of a change: in `txn`, or beside it.
async fn run(
    db: &DatabaseConnection,
    txn: &DatabaseTransaction,
    change: &Change,
    patience: Patience,
) -> Result<(), DbErr> {
    let is_postgres = db.get_database_backend() == DbBackend::Postgres;
    if is_postgres && change.migration.use_transaction() == Some(false) {
        return change.migration.up(&SchemaManager::new(db)).await;
    }
    if is_postgres {
        txn.execute_unprepared(&format!("SET LOCAL lock_timeout = {}", patience.lock_timeout_ms)).await?;
    }
    change.migration.up(&SchemaManager::new(txn)).await
}

/// Returns whether a statement waited too long for a lock.
fn is_lock_timeout(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(cause)) | DbErr::Query(RuntimeErr::SqlxError(cause))) = error else {
        return false;
    };
    cause.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == "55P03")
}

/// Waits before the next attempt: longer after each, and at most five seconds. The server waits, as this crate has no timer.
async fn pause(db: &DatabaseConnection, attempts: u32) -> Result<(), DbErr> {
    let millis = std::cmp::min(250_i64.saturating_mul(i64::from(attempts)), 5_000);
    let sql = "SELECT 1 FROM (SELECT pg_sleep($1::bigint / 1000.0)) AS pause";
    db.execute_raw(Statement::from_sql_and_values(DbBackend::Postgres, sql, [millis.into()])).await.map(drop)
}

/// Reverts the newest `count` changes, newest first, and returns their names.
pub(crate) async fn down(
    db: &DatabaseConnection,
    changes: &[Change],
    count: usize,
) -> Result<Vec<&'static str>, Error> {
    prepare(db).await?;
    let mut reverted = Vec::new();
    while reverted.len() < count {
        let txn = begin_exclusive(db).await?;
        let steps = steps(changes, &record(&txn).await?)?;
        let Some(position) = steps.iter().rposition(|step| step.state == State::Applied) else { break };
        let change = &changes[position];
        change.migration.down(&SchemaManager::new(&txn)).await?;
        execute(&txn, "DELETE FROM schema_migrations WHERE name = $1", [change.name.into()]).await?;
        txn.commit().await?;
        reverted.push(change.name);
    }
    Ok(reverted)
}

async fn prepare(db: &DatabaseConnection) -> Result<(), Error> {
    if exists(db).await? {
        return Ok(());
    }
    let txn = begin_exclusive(db).await?;
    if !exists(&txn).await? {
        let parts = vec![
            table::text("name").primary_key().take().into(),
            table::text("checksum").into(),
            table::instant("applied_at").into(),
        ];
        table::create(&SchemaManager::new(&txn), "schema_migrations", parts).await?;
    }
    txn.commit().await?;
    Ok(())
}

/// Begins a transaction that excludes other migrators.
async fn begin_exclusive(db: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    let immediate = sea_orm_migration::sea_orm::SqliteTransactionMode::Immediate;
    let options = TransactionOptions { sqlite_transaction_mode: Some(immediate), ..Default::default() };
    let txn = db.begin_with_options(options).await?;
    if db.get_database_backend() == DbBackend::Postgres {
        // Another migrator may take long, and so may the statements of a change.
        let limits = ["lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout"];
        for limit in limits {
            txn.execute_unprepared(&format!("SET LOCAL {limit} = 0")).await?;
        }
        execute(&txn, "SELECT pg_advisory_xact_lock($1)", [LOCK.into()]).await?;
    }
    Ok(txn)
}

async fn record(db: &impl ConnectionTrait) -> Result<Vec<(String, String)>, DbErr> {
    if !exists(db).await? {
        return Ok(Vec::new());
    }
    let query =
        Statement::from_string(db.get_database_backend(), "SELECT name, checksum FROM schema_migrations ORDER BY name");
    let rows = db.query_all_raw(query).await?;
    rows.iter().map(|row| Ok((row.try_get("", "name")?, row.try_get("", "checksum")?))).collect()
}

async fn exists(db: &impl ConnectionTrait) -> Result<bool, DbErr> {
    let sql = match db.get_database_backend() {
        // Not to_regclass: it may answer from the cache of this connection after another has created the table.
        DbBackend::Postgres => {
            "SELECT 1 FROM pg_class WHERE relname = 'schema_migrations' AND pg_table_is_visible(oid)"
        }
        _ => "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'schema_migrations'",
    };
    Ok(db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await?.is_some())
}

fn steps(changes: &[Change], record: &[(String, String)]) -> Result<Vec<Step>, Error> {
    if let Some((name, _)) = record.iter().find(|(name, _)| changes.iter().all(|change| change.name != name)) {
        return Err(Error::Unknown(name.clone()));
    }
    changes.iter().map(|change| step(change, record)).collect()
}

fn step(change: &Change, record: &[(String, String)]) -> Result<Step, Error> {
    let Some((name, recorded)) = record.iter().find(|(name, _)| name == change.name) else {
        return Ok(Step { name: change.name, state: State::Pending });
    };
    let now = change.checksum();
    if *recorded != now {
        return Err(Error::Changed { name: name.clone(), recorded: recorded.clone(), now });
    }
    Ok(Step { name: change.name, state: State::Applied })
}

async fn execute(txn: &DatabaseTransaction, sql: &str, values: impl IntoIterator<Item = Value>) -> Result<(), DbErr> {
    txn.execute_raw(Statement::from_sql_and_values(txn.get_database_backend(), sql, values)).await.map(|_| ())
}

/// Deletes the rows of all tables but the records of the changes on PostgreSQL, which checks them against every constraint
/// of an earlier version that a reverted change puts back. SQLite does not.
pub async fn empty(db: &DatabaseConnection) -> Result<(), Error> {
    const TABLES: &str = "FROM pg_tables WHERE schemaname = current_schema() AND tablename <> 'schema_migrations'";
    if db.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    // Tables that rows are only added to refuse it while their triggers are on.
    let triggers = |state: &str| {
        format!(
            "FOR name IN SELECT quote_ident(tablename) {TABLES} LOOP \
             EXECUTE 'ALTER TABLE ' || name || ' {state} TRIGGER USER'; END LOOP;"
        )
    };
    let (off, on) = (triggers("DISABLE"), triggers("ENABLE"));
    let statement = format!(
        "DO $$ DECLARE name text; BEGIN {off} SELECT string_agg(quote_ident(tablename), ', ') INTO name {TABLES}; \
         IF name IS NOT NULL THEN EXECUTE 'TRUNCATE ' || name || ' CASCADE'; END IF; {on} END $$"
    );
    db.execute_unprepared(&statement).await?;
    Ok(())
}
