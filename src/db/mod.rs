//! The database: one file with one writer on SQLite, a pool on PostgreSQL, and the same calls for both.
//!
//! Reads go to [`Db::read`]; every change goes through [`Db::write`], which answers only after a durable commit.

mod bell;
mod connect;
mod dialect;
mod installation;
mod lane;
mod list;
mod mirror;
mod notices;
mod idempotency;
mod page;
mod text_enum;
mod txn;
mod visible;
mod write;

pub use bell::Bell;
pub use dialect::{in_list, skip_locked, utc_day};
pub use idempotency::{IdempotencyKey, purge, stored_response};
pub use installation::installation_id;
pub use list::{ChildListing, Listing, all_each, count, count_each, page, page_each, within};
pub use mirror::{Difference, Mirror, Mirrored};
pub use notices::{Notices, notify};
pub use page::{Between, Key, Order, PageArgs, Slice, Sorted, kind_of};
pub use txn::Txn;
pub use visible::{Visible, accounts_of, by_ids, in_accounts_of, known_as, only_everything, rows_for};

use crate::clock::Clock;
use crate::config::Secret;
use crate::error::Error;
use lane::Lane;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, RuntimeErr, SqlErr, Statement};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// A connected database.
#[derive(Debug)]
pub struct Db {
    reader: DatabaseConnection,
    writer: Writer,
    /// The time and the ids of new rows.
    clock: Arc<Clock>,
    watch: Arc<Watch>,
    bell: Arc<Bell>,
    /// Sounds after every commit.
    commits: Arc<Bell>,
}

type Observer = Box<dyn Fn(&Statement) + Send + Sync>;

/// What is told of every statement.
#[derive(Default)]
struct Watch {
    statements: AtomicU64,
    observer: OnceLock<Observer>,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("statements", &self.statements).finish_non_exhaustive()
    }
}

#[derive(Debug)]
enum Writer {
    /// SQLite: one connection, and callers who share its commits.
    Lane(Lane),
    /// PostgreSQL: the pool, and its own group commit; with its URL, for who listens.
    Pool(Secret),
}

impl Db {
    /// The connection to read with: a pool of read-only connections on SQLite.
    pub fn read(&self) -> &DatabaseConnection {
        &self.reader
    }

    /// The connection that may change the schema; for migrations alone.
    pub fn schema(&self) -> &DatabaseConnection {
        match &self.writer {
            Writer::Lane(lane) => lane.connection(),
            Writer::Pool(_) => &self.reader,
        }
    }

    /// Wakes the worker after commits that hold new jobs.
    pub fn bell(&self) -> &Arc<Bell> {
        &self.bell
    }

    /// How many statements have run since the start.
    pub fn statements(&self) -> u64 {
        self.watch.statements.load(Ordering::Relaxed)
    }

    /// Shows `observer` every statement that runs from now on, as to explain it. The first observer stays.
    pub fn observe(&self, observer: impl Fn(&Statement) + Send + Sync + 'static) {
        self.watch.observer.get_or_init(|| Box::new(observer));
    }

    /// Fails unless the database answers.
    pub async fn ping(&self) -> Result<(), Error> {
        let statement = Statement::from_string(self.reader.get_database_backend(), "SELECT 1");
        self.reader.query_one_raw(statement).await?;
        Ok(())
    }
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        if is_away(&error) { Error::Unavailable("the database", error.into()) } else { Error::internal(error) }
    }
}

/// Whether `error` is the refusal of a unique index or key.
pub fn is_duplicate(error: &DbErr) -> bool {
    matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)))
}

/// Whether the cause is the connection, a busy or a full database rather than the statement.
fn is_away(error: &DbErr) -> bool {
    let cause = match error {
        DbErr::ConnectionAcquire(_) => return true,
        DbErr::Conn(RuntimeErr::SqlxError(cause))
        | DbErr::Exec(RuntimeErr::SqlxError(cause))
        | DbErr::Query(RuntimeErr::SqlxError(cause)) => cause,
        _ => return false,
    };
    use sea_orm::sqlx::Error::{Database, Io, PoolClosed, PoolTimedOut, Protocol, Tls, WorkerCrashed};
    match cause.as_ref() {
        Io(_) | Tls(_) | Protocol(_) | PoolTimedOut | PoolClosed | WorkerCrashed => true,
        Database(refusal) => refusal.code().is_some_and(|code| is_passing(&code)),
        _ => false,
    }
}

/// SQLSTATE classes of PostgreSQL that pass (connection, resources, shutdown, time-out), and SQLite's busy, locked,
/// out of disk and cannot-open codes.
fn is_passing(code: &str) -> bool {
    let postgres = code.len() == 5 && (["08", "53", "57"].contains(&&code[..2]) || code == "40001" || code == "40P01");
    let sqlite = code.parse::<u32>().is_ok_and(|code| [5, 6, 10, 13, 14].contains(&(code & 0xff)));
    postgres || (code.len() != 5 && sqlite)
}
