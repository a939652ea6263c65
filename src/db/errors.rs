//! The database's errors in our terms.

use crate::error::Error;
use sea_orm::{DbErr, RuntimeErr, SqlErr};

/// The way out of a connection that cannot be protected as it has to be.
const TLS_HINT: &str = "The connection to PostgreSQL cannot be protected by TLS as its sslmode requires, which is verify-full in \
    production for another host. Set up TLS on the server, name your certificate authority with `sslrootcert=<file>` in \
    database_url (TOLLGATE_DATABASE_URL), or write `sslmode=require` or `sslmode=disable` there if the network is private.";

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        if is_refused_tls(&error) {
            return Error::Unavailable("The database", anyhow::anyhow!("{TLS_HINT} ({error})"));
        }
        if is_unavailable(&error) { Error::Unavailable("The database", error.into()) } else { Error::internal(error) }
    }
}

/// Returns whether a server offers no TLS, or shows a certificate that is not accepted.
fn is_refused_tls(error: &DbErr) -> bool {
    let DbErr::Conn(RuntimeErr::SqlxError(cause)) = error else { return false };
    match cause.as_ref() {
        sea_orm::sqlx::Error::Tls(_) => true,
        // The error of a handshake, as against one of the network.
        sea_orm::sqlx::Error::Io(cause) => cause.kind() == std::io::ErrorKind::InvalidData,
        _ => false,
    }
}

/// Returns whether `error` is a violation of a unique index or key.
pub fn is_duplicate(error: &DbErr) -> bool {
    matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)))
}

/// Returns whether a transaction may succeed if it is repeated: it was disturbed, or inserted a row that another one had
/// inserted after it looked for it.
pub fn is_worth_repeating(error: &Error) -> bool {
    match error {
        Error::Unavailable(..) => true,
        Error::Internal(cause) => cause.downcast_ref::<DbErr>().is_some_and(is_duplicate),
        _ => false,
    }
}

/// A transaction that used something first that this one needs. It ends with its commit, so that this one can be tried
/// again.
#[derive(Debug, thiserror::Error)]
#[error("another transaction was first")]
struct Overtaken;

/// Returns the error of a transaction that was overtaken.
pub fn overtaken() -> Error {
    Error::Unavailable("The database", Overtaken.into())
}

/// Returns whether the database rolled a transaction back because of another one, so that it can be tried again.
pub(super) fn is_conflict(error: &Error) -> bool {
    let Error::Unavailable(_, cause) = error else { return false };
    let code = match cause.downcast_ref::<DbErr>() {
        Some(DbErr::Exec(RuntimeErr::SqlxError(cause)) | DbErr::Query(RuntimeErr::SqlxError(cause))) => {
            cause.as_database_error().and_then(|refusal| refusal.code())
        }
        _ => None,
    };
    cause.is::<Overtaken>() || code.is_some_and(|code| is_rollback(&code))
}

/// Returns whether `code` is that of a deadlock or of a conflict between transactions.
fn is_rollback(code: &str) -> bool {
    code == "40001" || code == "40P01"
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
    let postgres = code.len() == 5 && (["08", "53", "57"].contains(&&code[..2]) || is_rollback(code));
    let sqlite = code.parse::<u32>().is_ok_and(|code| [5, 6, 10, 13, 14].contains(&(code & 0xff)));
    postgres || (code.len() != 5 && sqlite)
}
