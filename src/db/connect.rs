//! Opens the database that a URL names.

use super::collectors::Collectors;
use super::handle::{Db, Writer};
use super::lane::Lane;
use super::watch::Watch;
use crate::clock::Clock;
use crate::config::{DatabaseConfig, DatabaseUrl};
use crate::error::{Error, Result};
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sea_orm::{ConnectOptions, Database, DatabaseConnection};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The longest wait of a caller for a connection, and of SQLite for a lock that another process holds.
const WAIT_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest work of one caller in the write lane, where all others wait behind it.
const MAX_LANE_WORK: Duration = Duration::from_secs(10);
/// The page cache of each SQLite connection, in KiB (SQLite reads a negative number as KiB, a positive one as pages).
const SQLITE_CACHE_SIZE: &str = "-16384";
/// The part of a SQLite file that is read through memory maps, in bytes.
const SQLITE_MMAP_SIZE: &str = "268435456";

/// The pages in SQLite's log from which on they are copied to the database. Pages that change often are copied less often
/// with a longer log.
const SQLITE_CHECKPOINT_PAGES: &str = "16000";

impl Db {
    /// Connects; `clock` gives the time and the ids of new rows. A PostgreSQL server that is down is no error yet: the
    /// pool connects on first use.
    pub async fn connect(config: &DatabaseConfig, clock: &Arc<Clock>) -> Result<Db> {
        let watch = Arc::default();
        match &config.url {
            DatabaseUrl::Sqlite(path) => {
                let writer = watch_connection(sqlite(path, 1, false).await?, &watch);
                let reader = watch_connection(sqlite(path, config.max_connections, true).await?, &watch);
                let limit = config.statement_timeout.min(MAX_LANE_WORK);
                Ok(Db::new(
                    reader,
                    Writer::Lane(Arc::new(Lane::start(path, writer, (clock, &watch), limit))),
                    clock,
                    watch,
                ))
            }
            DatabaseUrl::Postgres(url) => {
                let reader = postgres(url.expose(), config.max_connections, config.statement_timeout).await?;
                Ok(Db::new(watch_connection(reader, &watch), Writer::Pool(url.clone()), clock, watch))
            }
        }
    }

    /// Opens the connections for migrations: on PostgreSQL two of their own, without the time limits of requests, since an
    /// index of a large table takes minutes.
    pub(super) async fn migrator(&self) -> Result<DatabaseConnection> {
        match &self.writer {
            Writer::Lane(lane) => Ok(lane.connection().clone()),
            Writer::Pool(url) => migrator(url.expose()).await,
        }
    }

    /// Closes the connections for migrations.
    pub(super) async fn close_migrator(&self, migrator: DatabaseConnection) -> Result<()> {
        match &self.writer {
            Writer::Lane(_) => Ok(()),
            Writer::Pool(_) => Ok(migrator.close().await?),
        }
    }

    fn new(reader: DatabaseConnection, writer: Writer, clock: &Arc<Clock>, watch: Arc<Watch>) -> Db {
        Db {
            reader,
            writer,
            clock: Arc::clone(clock),
            watch,
            worker_signal: Arc::default(),
            commits: Arc::default(),
            collectors: Collectors::default(),
        }
    }
}

fn watch_connection(mut connection: DatabaseConnection, watch: &Arc<Watch>) -> DatabaseConnection {
    let watch = Arc::clone(watch);
    connection.set_metric_callback(move |info| {
        watch.statements.fetch_add(1, Ordering::Relaxed);
        if let Some(observer) = watch.observer.get() {
            observer(info.statement);
        }
    });
    connection
}

async fn sqlite(path: &Path, connections: u32, read_only: bool) -> Result<DatabaseConnection> {
    // The path goes into the options, where it needs no escaping.
    let path = path.to_owned();
    let mut options = ConnectOptions::new("sqlite::memory:");
    options
        .max_connections(connections)
        .min_connections(connections)
        .acquire_timeout(WAIT_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .sqlx_logging(false)
        .record_stmt_in_spans(false)
        .map_sqlx_sqlite_opts(move |options| {
            sqlite_settings(options.in_memory(false).shared_cache(false).filename(&path), read_only)
        });
    Ok(Database::connect(options).await?)
}

fn sqlite_settings(options: SqliteConnectOptions, read_only: bool) -> SqliteConnectOptions {
    let options = options
        .foreign_keys(true)
        .busy_timeout(WAIT_TIMEOUT)
        // The lane flushes the log before it answers.
        .synchronous(SqliteSynchronous::Normal)
        .pragma("wal_autocheckpoint", SQLITE_CHECKPOINT_PAGES)
        .pragma("cache_size", SQLITE_CACHE_SIZE)
        .pragma("mmap_size", SQLITE_MMAP_SIZE)
        .pragma("temp_store", "memory")
        .row_buffer_size(1_024)
        .statement_cache_capacity(256);
    match read_only {
        true => options.read_only(true),
        false => options.create_if_missing(true).journal_mode(SqliteJournalMode::Wal),
    }
}

async fn migrator(url: &str) -> Result<DatabaseConnection> {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(2)
        .acquire_timeout(WAIT_TIMEOUT)
        .connect_timeout(WAIT_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .set_application_name("tollgate migrate")
        .sqlx_logging(false)
        .connect_lazy(true)
        .map_sqlx_postgres_opts(|options| options.options([("statement_timeout", "0"), ("lock_timeout", "0")]));
    Database::connect(options).await.map_err(Error::from)
}

async fn postgres(url: &str, connections: u32, statement_timeout: Duration) -> Result<DatabaseConnection> {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(connections)
        .acquire_timeout(WAIT_TIMEOUT)
        .connect_timeout(WAIT_TIMEOUT)
        .test_before_acquire(false)
        .test_before_acquire_if_idle_for(Duration::from_secs(30))
        .statement_timeout(statement_timeout)
        .set_application_name("tollgate")
        .sqlx_logging(false)
        .record_stmt_in_spans(false)
        .connect_lazy(true)
        // Planning takes 0.7 to 2 ms, running 0.1 ms. Lists of keys are one parameter and limits are part of the text,
        // so that one plan suits every value.
        .map_sqlx_postgres_opts(|options| {
            options.statement_cache_capacity(256).options([("plan_cache_mode", "force_generic_plan")])
        });
    Database::connect(options).await.map_err(Error::from)
}
