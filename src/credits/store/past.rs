//! Reads balances at instants of the past.

use super::unit;
use crate::auth::Viewer;
use crate::credits::balance_at::BalanceAt;
use crate::credits::values::LedgerBucket;
use crate::db::{in_list, rows_for};
use crate::error::Result;
use chrono::{DateTime, Utc};
use entity::balances::{Column, Entity, Model};
use entity::ledger_entries;
use sea_orm::sea_query::{Expr, ExprTrait, Order, Query, SimpleExpr};
use sea_orm::{ColumnTrait, ConnectionTrait, DatabaseConnection, QueryFilter};
use uuid::Uuid;

const BUCKETS: [LedgerBucket; 7] = [
    LedgerBucket::Available,
    LedgerBucket::Held,
    LedgerBucket::Spent,
    LedgerBucket::Expired,
    LedgerBucket::Issued,
    LedgerBucket::Revoked,
    LedgerBucket::Owed,
];

/// Returns the balances of these accounts in the unit with this code that the caller may see.
pub(in crate::credits) async fn balances_of(
    db: &DatabaseConnection,
    viewer: &Viewer,
    code: &str,
    accounts: &[Uuid],
) -> Result<Vec<Model>> {
    let rows = rows_for::<Entity>(viewer)?.filter(in_list(db, Column::AccountId.into_expr(), accounts));
    Ok(rows.filter(Column::CreditUnitId.in_subquery(unit(code))).all(db).await?)
}

fn entry(column: ledger_entries::Column) -> Expr {
    Expr::col((ledger_entries::Entity, column))
}

/// Returns the buckets of these balances after their last entry at or before an instant, by account.
pub(in crate::credits) async fn buckets_at(
    db: &DatabaseConnection,
    rows: &[Model],
    at: DateTime<Utc>,
) -> Result<Vec<(Uuid, BalanceAt)>> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let mut select = Query::select();
    // unscoped: of rows that the caller was found to see
    select.column(Column::AccountId).from(Entity);
    for bucket in BUCKETS {
        let last = Query::select()
            .column(ledger_entries::Column::BalanceAfter)
            .from(ledger_entries::Entity)
            .and_where(entry(ledger_entries::Column::AccountId).equals((Entity, Column::AccountId)))
            .and_where(entry(ledger_entries::Column::CreditUnitId).equals((Entity, Column::CreditUnitId)))
            .and_where(entry(ledger_entries::Column::Bucket).eq(bucket))
            .and_where(entry(ledger_entries::Column::EffectiveAt).lte(at.fixed_offset()))
            .order_by(ledger_entries::Column::EffectiveAt, Order::Desc)
            .order_by(ledger_entries::Column::Seq, Order::Desc)
            .limit(1)
            .take();
        select.expr_as(SimpleExpr::SubQuery(None, Box::new(last.into())), bucket.as_str());
    }
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let select = select.and_where(in_list(db, Column::Id.into_expr(), &ids)).take();
    let read = |row: sea_orm::QueryResult| {
        let bucket =
            |bucket: LedgerBucket| -> Result<i64> { Ok(row.try_get::<Option<i64>>("", bucket.as_str())?.unwrap_or(0)) };
        let balance = BalanceAt {
            available: bucket(LedgerBucket::Available)?,
            held: bucket(LedgerBucket::Held)?,
            spent: bucket(LedgerBucket::Spent)?,
            expired: bucket(LedgerBucket::Expired)?,
            issued: bucket(LedgerBucket::Issued)?,
            revoked: bucket(LedgerBucket::Revoked)?,
            owed: bucket(LedgerBucket::Owed)?,
        };
        Ok((row.try_get("", "account_id")?, balance))
    };
    db.query_all(&select).await?.into_iter().map(read).collect()
}
