//! Movements of customers.

use crate::auth::Scope;
use crate::db::{Txn, Visible, in_list, insert_all, whole_rows};
use crate::error::Result;
use entity::mrr_movements;
use sea_orm::sea_query::Expr;
use sea_orm::{ConnectionTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

/// Returns the stored movements of these customers.
pub(in crate::analytics) async fn of_customers(
    db: &impl ConnectionTrait,
    accounts: &[Uuid],
) -> Result<Vec<mrr_movements::Model>> {
    use mrr_movements::{Column, Entity};
    let rows = Entity::visible(Scope::Everything);
    Ok(rows.filter(in_list(db, Expr::col((Entity, Column::AccountId)), accounts)).all(db).await?)
}

/// Deletes the movements with the ids `gone`, and inserts others.
pub(in crate::analytics) async fn replace(txn: &Txn, gone: &[Uuid], added: Vec<mrr_movements::Model>) -> Result<()> {
    use mrr_movements::{Column, Entity};
    if !gone.is_empty() {
        Entity::delete_many().filter(in_list(txn, Expr::col((Entity, Column::Id)), gone)).exec(txn).await?;
    }
    insert_all::<Entity>(txn, whole_rows(added)).await
}
