//! The database: one file with one writer on SQLite, a pool on PostgreSQL, behind one interface.
//!
//! Reads go to [`Db::read`]; every change goes through [`Db::write`], which returns only after a durable commit.

mod commit_listener;
mod commit_signal;
mod connect;
mod dialect;
mod installation;
mod lane;
mod list;
mod mirror;
mod idempotency;
mod page;
mod text_enum;
mod txn;
mod visible;
mod write;

pub use commit_listener::CommitListener;
pub use commit_signal::CommitSignal;
pub use dialect::{in_list, skip_locked, utc_day};
pub use idempotency::{IdempotencyKey, purge, stored_response};
pub use installation::installation_id;
pub use list::{ChildListing, Listing, all_each, count, count_each, page, page_each, within};
pub use mirror::{Difference, Mirror, Mirrored};
pub use page::{Between, Key, Order, PageArgs, Slice, Sorted, kind_of};
pub use txn::Txn;
pub use visible::{Visible, accounts_of, by_ids, has_external_id, in_accounts_of, rows_for, unrestricted_only};

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
    /// Sent after commits that enqueued jobs.
    worker_signal: CommitSignal,
    /// Sent after every commit.
    commits: Arc<CommitSignal>,
}

type Observer = Box<dyn Fn(&Statement) + Send + Sync>;

/// The count of statements, and the observer that sees each.
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
    /// SQLite: one connection, whose commits callers share.
    Lane(Lane),
    /// PostgreSQL: the pool, with group commit in the server; the URL is for listeners.
    Pool(Secret),
}

impl Db {
    /// Returns the connection to read with: a pool of read-only connections on SQLite.
    pub fn read(&self) -> &DatabaseConnection {
        &self.reader
    }

    /// Returns the connection that may change the schema; for migrations only.
    pub fn schema(&self) -> &DatabaseConnection {
        match &self.writer {
            Writer::Lane(lane) => lane.connection(),
            Writer::Pool(_) => &self.reader,
        }
    }

    /// Returns the signal that is sent after commits that enqueued jobs.
    pub fn worker_signal(&self) -> &CommitSignal {
        &self.worker_signal
    }

    /// Returns the number of statements run since the start.
    pub fn statements(&self) -> u64 {
        self.watch.statements.load(Ordering::Relaxed)
    }

    /// Calls `observer` with every statement that runs from now on. Only the first observer is kept.
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
        if is_unavailable(&error) { Error::Unavailable("The database", error.into()) } else { Error::internal(error) }
    }
}

/// Returns whether `error` is a violation of a unique index or key.
pub fn is_duplicate(error: &DbErr) -> bool {
    matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)))
}

/// Returns whether the cause is the connection, a busy or a full database rather than the statement.
fn is_unavailable(error: &DbErr) -> bool {
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
        Database(refusal) => refusal.code().is_some_and(|code| is_transient(&code)),
        _ => false,
    }
}

/// Returns whether `code` names a condition that ends by itself: SQLSTATE classes of PostgreSQL (connection, resources,
/// shutdown, time-out), and SQLite's codes for busy, locked, I/O error, full disk and cannot open.
fn is_transient(code: &str) -> bool {
    let postgres = code.len() == 5 && (["08", "53", "57"].contains(&&code[..2]) || code == "40001" || code == "40P01");
    let sqlite = code.parse::<u32>().is_ok_and(|code| [5, 6, 10, 13, 14].contains(&(code & 0xff)));
    postgres || (code.len() != 5 && sqlite)
}
