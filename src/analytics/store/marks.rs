//! The marks of customers and days. Triggers insert them, in the transaction of each change.

use crate::auth::Scope;
use crate::db::{Txn, Visible, unrestricted_only, utc_day};
use crate::error::Result;
use chrono::NaiveDate;
use entity::analytics_marks;
use sea_orm::{ConnectionTrait, DbBackend, EntityTrait, QueryFilter, Select, Statement};
use std::collections::BTreeSet;
use uuid::Uuid;

/// The advisory lock of those who write the sums.
const LOCK: i64 = 0x6d72_725f_7375_6d73;

/// The marks of days whose names and people have to be counted again, the days of visitors who turned out to be users included.
pub(in crate::analytics) const MARKED_DAYS: &str = "SELECT m.day FROM activity_marks m WHERE m.user_id IS NULL \
     AND m.anonymous_id IS NULL UNION SELECT e.day FROM activity_marks m \
     JOIN analytics_events e ON e.anonymous_id = m.anonymous_id WHERE m.day IS NULL";

impl Visible for analytics_marks::Entity {
    fn visible(scope: Scope) -> Select<Self> {
        Self::find().filter(unrestricted_only(scope))
    }
}

/// Makes other writers of the sums wait until the commit.
pub(in crate::analytics) async fn lock(txn: &Txn) -> Result<()> {
    if txn.get_database_backend() == DbBackend::Postgres {
        let sql = "SELECT pg_advisory_xact_lock($1)";
        txn.execute_raw(Statement::from_sql_and_values(DbBackend::Postgres, sql, [LOCK.into()])).await?;
    }
    Ok(())
}

/// Deletes the marks of at most `limit` customers, and returns them. A later statement of the transaction sees at least
/// the changes that were marked; the mark of a change that it does not see is not deleted.
pub(in crate::analytics) async fn take_customers(txn: &Txn, limit: usize) -> Result<Vec<Uuid>> {
    let taken = take(txn, "account_id", limit).await?;
    let accounts = taken.iter().map(|row| Ok(row.try_get("", "account_id")?));
    Ok(accounts.collect::<Result<BTreeSet<Uuid>>>()?.into_iter().collect())
}

/// Deletes the marks of at most `limit` days, and returns them.
pub(in crate::analytics) async fn take_days(txn: &Txn, limit: usize) -> Result<Vec<NaiveDate>> {
    let taken = take(txn, "day", limit).await?;
    let days = taken.iter().map(|row| Ok(row.try_get("", "day")?));
    Ok(days.collect::<Result<BTreeSet<NaiveDate>>>()?.into_iter().collect())
}

async fn take(txn: &Txn, column: &str, limit: usize) -> Result<Vec<sea_orm::QueryResult>> {
    let sql = format!(
        "DELETE FROM analytics_marks WHERE {column} IN (SELECT DISTINCT {column} FROM analytics_marks \
         WHERE {column} IS NOT NULL ORDER BY {column} LIMIT {limit}) RETURNING {column}"
    );
    Ok(txn.query_all_raw(Statement::from_string(txn.get_database_backend(), sql)).await?)
}

/// Returns the marked customers.
pub(in crate::analytics) async fn customers(db: &impl ConnectionTrait) -> Result<Vec<Uuid>> {
    let sql = "SELECT DISTINCT account_id FROM analytics_marks WHERE account_id IS NOT NULL ORDER BY account_id";
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    rows.iter().map(|row| Ok(row.try_get("", "account_id")?)).collect()
}

/// The number of marked customers and days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::analytics) struct Marked {
    pub(in crate::analytics) customers: i64,
    pub(in crate::analytics) days: i64,
}

/// Counts the marked customers and days.
pub(in crate::analytics) async fn count(db: &impl ConnectionTrait) -> Result<Marked> {
    let sql = "SELECT COUNT(DISTINCT account_id) AS customers, COUNT(DISTINCT day) AS days FROM analytics_marks";
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    let number = |name| row.as_ref().map_or(Ok(0), |row| row.try_get("", name));
    Ok(Marked { customers: number("customers")?, days: number("days")? })
}

/// Marks every customer and every day, also those that have rows for nothing.
pub(in crate::analytics) async fn mark_all(txn: &Txn) -> Result<()> {
    let backend = txn.get_database_backend();
    let id = match backend {
        DbBackend::Postgres => "gen_random_uuid()",
        _ => "randomblob(16)",
    };
    let instants = [
        ("payments", "paid_at"),
        ("refunds", "processed_at"),
        ("invoices", "paid_at"),
        ("disputes", "created_at"),
        ("disputes", "closed_at"),
    ];
    let days = instants.map(|(table, at)| format!("SELECT {} AS touched FROM {table}", utc_day(backend, at)));
    let touched = [
        (
            "account_id",
            "SELECT account_id AS touched FROM subscription_versions UNION SELECT account_id FROM mrr_movements"
                .to_owned(),
        ),
        ("day", format!("{} UNION SELECT day FROM revenue_daily", days.join(" UNION "))),
    ];
    for (column, touched) in touched {
        let sql = format!(
            "INSERT INTO analytics_marks (id, {column}) SELECT {id}, t.touched FROM ({touched}) AS t \
             WHERE t.touched IS NOT NULL"
        );
        txn.execute_raw(Statement::from_string(backend, sql)).await?;
    }
    Ok(())
}
