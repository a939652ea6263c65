//! Queries for decisions on refunds.

use crate::auth::Scope;
use crate::db::{ROW_LOCK, Txn, Visible};
use crate::error::Result;
use entity::{payments, refunds};
use sea_orm::{ColumnTrait, ConnectionTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

/// Returns the payment with this id.
pub(in crate::payments) async fn payment_by_id(txn: &Txn, id: Uuid) -> Result<Option<payments::Model>> {
    Ok(payments::Entity::visible(Scope::Everything).filter(payments::Column::Id.eq(id)).one(txn).await?)
}

/// Locks the payment with this id until the commit.
pub(in crate::payments) async fn lock_payment_by_id(txn: &Txn, id: Uuid) -> Result<Option<payments::Model>> {
    let rows = payments::Entity::visible(Scope::Everything).filter(payments::Column::Id.eq(id));
    Ok(rows.lock(ROW_LOCK).one(txn).await?)
}

/// Returns the refund with this id, for any caller.
pub(in crate::payments) async fn refund_by_id(db: &impl ConnectionTrait, id: Uuid) -> Result<Option<refunds::Model>> {
    let rows = refunds::Entity::visible(Scope::Everything).filter(refunds::Column::Id.eq(id));
    Ok(rows.one(db).await?)
}

/// Locks the refund with this id until the commit.
pub(in crate::payments) async fn lock_refund_by_id(txn: &Txn, id: Uuid) -> Result<Option<refunds::Model>> {
    let rows = refunds::Entity::visible(Scope::Everything).filter(refunds::Column::Id.eq(id));
    Ok(rows.lock(ROW_LOCK).one(txn).await?)
}

/// Returns the refunds of a payment, oldest first. Under the lock on the payment none is added.
pub(in crate::payments) async fn refunds_of(txn: &Txn, payment_id: Uuid) -> Result<Vec<refunds::Model>> {
    use refunds::Column;
    let rows = refunds::Entity::visible(Scope::Everything).filter(Column::PaymentId.eq(payment_id));
    Ok(rows.order_by_asc(Column::CreatedAt).order_by_asc(Column::Id).all(txn).await?)
}
