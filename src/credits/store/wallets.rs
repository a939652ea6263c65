//! Reads and writes what wallets consist of, for many accounts at once.

use crate::auth::{Scope, Viewer};
use crate::db::{ROW_LOCK, Txn, Visible, in_list, insert_all, insert_new, overtaken, rows_for, update_all, whole_rows};
use crate::error::Result;
use chrono::{DateTime, Utc};
use entity::{balances, credit_grants, credit_holds, ledger_entries, ledger_txns};
use sea_orm::sea_query::{Expr, Func};
use sea_orm::{
    ActiveValue::{Set, Unchanged},
    ColumnTrait, ConnectionTrait, QueryFilter, QueryOrder, QuerySelect,
};
use std::collections::HashMap;
use uuid::Uuid;

/// The most balances whose changes of one instant are told of.
const MAX_AT_ONCE: u64 = 100;

/// An account and a credit unit.
pub(in crate::credits) type Key = (Uuid, Uuid);

/// Locks every balance of these accounts until the commit, in the same order for all callers, and returns them.
pub(in crate::credits) async fn lock_balances(txn: &Txn, accounts: &[Uuid]) -> Result<Vec<balances::Model>> {
    use balances::{Column, Entity};
    let rows = Entity::visible(Scope::Everything).filter(in_list(txn, Column::AccountId.into_expr(), accounts));
    Ok(rows.order_by_asc(Column::Id).lock(ROW_LOCK).all(txn).await?)
}

/// Returns the grants of these accounts that have credits left.
pub(in crate::credits) async fn spendable(
    db: &impl ConnectionTrait,
    accounts: &[Uuid],
) -> Result<Vec<credit_grants::Model>> {
    use credit_grants::{Column, Entity};
    let rows = Entity::visible(Scope::Everything).filter(in_list(db, Column::AccountId.into_expr(), accounts));
    // This is the condition of the partial index that serves the query.
    Ok(rows.filter(Expr::cust("remaining > 0")).all(db).await?)
}

/// Returns the grants with these ids.
pub(in crate::credits) async fn grants_by_id(
    db: &impl ConnectionTrait,
    ids: &[Uuid],
) -> Result<Vec<credit_grants::Model>> {
    use credit_grants::{Column, Entity};
    Ok(Entity::visible(Scope::Everything).filter(in_list(db, Column::Id.into_expr(), ids)).all(db).await?)
}

/// Returns the open holds of these accounts that have timed out at `now`, the earliest first.
pub(in crate::credits) async fn overdue_holds(
    db: &impl ConnectionTrait,
    accounts: &[Uuid],
    now: DateTime<Utc>,
) -> Result<Vec<credit_holds::Model>> {
    use credit_holds::{Column, Entity};
    let rows = Entity::visible(Scope::Everything).filter(in_list(db, Column::AccountId.into_expr(), accounts));
    let rows = rows.filter(Expr::cust("state = 'open'")).filter(Column::ExpiresAt.lte(now.fixed_offset()));
    Ok(rows.order_by_asc(Column::ExpiresAt).order_by_asc(Column::Id).all(db).await?)
}

/// Returns the instants at which the next hold of these accounts times out after `now`.
pub(in crate::credits) async fn next_holds(
    db: &impl ConnectionTrait,
    accounts: &[Uuid],
    now: DateTime<Utc>,
) -> Result<HashMap<Key, DateTime<Utc>>> {
    use credit_holds::{Column, Entity};
    let rows = Entity::visible(Scope::Everything).filter(in_list(db, Column::AccountId.into_expr(), accounts));
    let rows = rows.filter(Expr::cust("state = 'open'")).filter(Column::ExpiresAt.gt(now.fixed_offset()));
    let rows = rows.select_only().columns([Column::AccountId, Column::CreditUnitId]);
    let rows = rows.column_as(Expr::expr(Func::min(Expr::col(Column::ExpiresAt))), "next");
    let rows = rows.group_by(Column::AccountId).group_by(Column::CreditUnitId);
    let rows: Vec<(Uuid, Uuid, DateTime<Utc>)> = rows.into_tuple().all(db).await?;
    Ok(rows.into_iter().map(|(account_id, unit_id, next)| ((account_id, unit_id), next)).collect())
}

/// Returns the holds with these ids.
pub(in crate::credits) async fn holds_by_id(
    db: &impl ConnectionTrait,
    ids: &[Uuid],
) -> Result<Vec<credit_holds::Model>> {
    use credit_holds::{Column, Entity};
    Ok(Entity::visible(Scope::Everything).filter(in_list(db, Column::Id.into_expr(), ids)).all(db).await?)
}

/// Returns the transactions with these ids.
pub(in crate::credits) async fn txns_by_id(db: &impl ConnectionTrait, ids: &[Uuid]) -> Result<Vec<ledger_txns::Model>> {
    use ledger_txns::{Column, Entity};
    Ok(Entity::visible(Scope::Everything).filter(in_list(db, Column::Id.into_expr(), ids)).all(db).await?)
}

/// Returns those of these transactions that were reversed.
pub(in crate::credits) async fn reversed(db: &impl ConnectionTrait, ids: &[Uuid]) -> Result<Vec<Uuid>> {
    use ledger_txns::{Column, Entity};
    let rows = Entity::visible(Scope::Everything).filter(in_list(db, Column::ReversesId.into_expr(), ids));
    let rows: Vec<Option<Uuid>> = rows.select_only().column(Column::ReversesId).into_tuple().all(db).await?;
    Ok(rows.into_iter().flatten().collect())
}

/// Returns the entries of these transactions that add credits, with the grants that they came from.
pub(in crate::credits) async fn gains(db: &impl ConnectionTrait, txns: &[Uuid]) -> Result<Vec<ledger_entries::Model>> {
    use ledger_entries::{Column, Entity};
    let rows = Entity::visible(Scope::Everything).filter(in_list(db, Column::TxnId.into_expr(), txns));
    Ok(rows.filter(Column::Amount.gt(0)).order_by_asc(Column::Seq).all(db).await?)
}

/// Returns up to `limit` accounts with a balance that time has changed.
pub(in crate::credits) async fn due_accounts(
    db: &impl ConnectionTrait,
    now: DateTime<Utc>,
    limit: u64,
) -> Result<Vec<balances::Model>> {
    use balances::{Column, Entity};
    let rows = Entity::visible(Scope::Everything).filter(Column::NextDueAt.lte(now.fixed_offset()));
    Ok(rows.order_by_asc(Column::NextDueAt).order_by_asc(Column::Id).limit(limit).all(db).await?)
}

/// Returns the balances that a caller may see that time changes next after an instant, with that instant.
pub(in crate::credits) async fn next_due(
    db: &impl ConnectionTrait,
    viewer: &Viewer,
    account_id: Option<Uuid>,
    after: DateTime<Utc>,
) -> Result<Vec<(Uuid, Uuid, DateTime<Utc>)>> {
    use balances::{Column, Entity};
    let mut rows = rows_for::<Entity>(viewer)?.filter(Column::NextDueAt.gt(after.fixed_offset()));
    if let Some(id) = account_id {
        rows = rows.filter(Column::AccountId.eq(id));
    }
    let rows = rows.select_only().columns([Column::Id, Column::AccountId, Column::NextDueAt]);
    let rows = rows.order_by_asc(Column::NextDueAt).order_by_asc(Column::Id).limit(MAX_AT_ONCE);
    Ok(rows.into_tuple().all(db).await?)
}

/// Inserts balances that are new; fails for the caller to try again if another transaction has inserted one.
pub(in crate::credits) async fn insert_balances(txn: &Txn, rows: Vec<balances::Model>) -> Result<()> {
    let count = u64::try_from(rows.len()).unwrap_or(u64::MAX);
    if insert_new::<balances::Entity>(txn, whole_rows(rows)).await? == count { Ok(()) } else { Err(overtaken()) }
}

/// Updates balances.
pub(in crate::credits) async fn update_balances(txn: &Txn, rows: Vec<balances::Model>) -> Result<()> {
    update_all::<balances::Entity>(txn, whole_rows(rows)).await
}

/// Inserts grants.
pub(in crate::credits) async fn insert_grants(txn: &Txn, rows: Vec<credit_grants::Model>) -> Result<()> {
    insert_all::<credit_grants::Entity>(txn, whole_rows(rows)).await
}

/// Updates the parts of grants that change.
pub(in crate::credits) async fn update_grants(txn: &Txn, rows: Vec<credit_grants::Model>) -> Result<()> {
    let change = |row: credit_grants::Model| credit_grants::ActiveModel {
        id: Unchanged(row.id),
        remaining: Set(row.remaining),
        started: Set(row.started),
        payment_id: Set(row.payment_id),
        expires_at: Set(row.expires_at),
        unrecovered: Set(row.unrecovered),
        ..Default::default()
    };
    update_all::<credit_grants::Entity>(txn, rows.into_iter().map(change).collect()).await
}

/// Inserts holds.
pub(in crate::credits) async fn insert_holds(txn: &Txn, rows: Vec<credit_holds::Model>) -> Result<()> {
    insert_all::<credit_holds::Entity>(txn, whole_rows(rows)).await
}

/// Updates the parts of holds that change.
pub(in crate::credits) async fn update_holds(txn: &Txn, rows: Vec<credit_holds::Model>) -> Result<()> {
    let change = |row: credit_holds::Model| credit_holds::ActiveModel {
        id: Unchanged(row.id),
        remaining: Set(row.remaining),
        parts: Set(row.parts),
        captured: Set(row.captured),
        state: Set(row.state),
        closed_at: Set(row.closed_at),
        ..Default::default()
    };
    update_all::<credit_holds::Entity>(txn, rows.into_iter().map(change).collect()).await
}

/// Inserts entries, and then their transactions, which seal them.
pub(in crate::credits) async fn insert_postings(
    txn: &Txn,
    entries: Vec<ledger_entries::Model>,
    txns: Vec<ledger_txns::Model>,
) -> Result<()> {
    insert_all::<ledger_entries::Entity>(txn, whole_rows(entries)).await?;
    insert_all::<ledger_txns::Entity>(txn, whole_rows(txns)).await
}
