//! Sums of the ledger over all accounts.

use crate::auth::Scope;
use crate::credits::values::{GrantSource, LedgerBucket, LedgerOperation};
use crate::db::Visible;
use crate::error::Result;
use chrono::{DateTime, Utc};
use entity::balances;
use sea_orm::{ColumnTrait, ConnectionTrait, FromQueryResult, QueryFilter, QueryOrder, Statement, Value};
use uuid::Uuid;

/// The stored balances of one unit, summed.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub(in crate::credits) struct Total {
    pub(in crate::credits) credit_unit_id: Uuid,
    pub(in crate::credits) available: i64,
    pub(in crate::credits) held: i64,
    pub(in crate::credits) owed: i64,
}

/// Entries of one unit and bucket, summed.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub(in crate::credits) struct Sum {
    pub(in crate::credits) credit_unit_id: Uuid,
    pub(in crate::credits) bucket: String,
    /// True if the entries belong to grants that were bought.
    pub(in crate::credits) sold: bool,
    /// True for entries before the end of the range.
    pub(in crate::credits) inside: bool,
    pub(in crate::credits) amount: i64,
}

/// Returns the sums of all balances, by unit.
pub(in crate::credits) async fn totals(db: &impl ConnectionTrait) -> Result<Vec<Total>> {
    let sql = "SELECT credit_unit_id, CAST(SUM(available) AS BIGINT) AS available, CAST(SUM(held) AS BIGINT) AS held, \
         CAST(SUM(owed) AS BIGINT) AS owed FROM balances GROUP BY 1";
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    rows.iter().map(|row| Ok(Total::from_query_result(row, "")?)).collect()
}

/// Returns the sums of the entries since `from`, of those before `to` apart from later ones. Transferred credits are not
/// sold again.
pub(in crate::credits) async fn sums(
    db: &impl ConnectionTrait,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<Sum>> {
    let (issued, purchase, transfer) = (LedgerBucket::Issued, GrantSource::Purchase, LedgerOperation::Transfer);
    let sum = "e.effective_at < $2 AS inside, CAST(SUM(e.amount) AS BIGINT) AS amount";
    let sql = format!(
        "SELECT e.credit_unit_id, e.bucket, FALSE AS sold, {sum} FROM ledger_entries e \
         WHERE e.effective_at >= $1 AND e.bucket <> '{issued}' GROUP BY 1, 2, 3, 4 UNION ALL \
         SELECT e.credit_unit_id, e.bucket, COALESCE(g.source = '{purchase}', FALSE) AND t.kind <> '{transfer}' AS sold, {sum} \
         FROM ledger_entries e JOIN ledger_txns t ON t.id = e.txn_id LEFT JOIN credit_grants g ON g.id = e.grant_id \
         WHERE e.effective_at >= $1 AND e.bucket = '{issued}' GROUP BY 1, 2, 3, 4"
    );
    let values: [Value; 2] = [from.fixed_offset().into(), to.fixed_offset().into()];
    let rows = db.query_all_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, values)).await?;
    rows.iter().map(|row| Ok(Sum::from_query_result(row, "")?)).collect()
}

/// Returns all balances that time has changed up to `until`.
pub(in crate::credits) async fn due(db: &impl ConnectionTrait, until: DateTime<Utc>) -> Result<Vec<balances::Model>> {
    use balances::{Column, Entity};
    let rows = Entity::visible(Scope::Everything).filter(Column::NextDueAt.lte(until.fixed_offset()));
    Ok(rows.order_by_asc(Column::NextDueAt).order_by_asc(Column::Id).all(db).await?)
}
