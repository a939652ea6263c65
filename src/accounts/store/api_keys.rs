//! Queries on API keys.

use crate::auth::{Permission, Scope};
use crate::db::{Listing, Order, ROW_LOCK, Txn, Visible};
use crate::error::Result;
use crate::order;
use chrono::{DateTime, Utc};
use entity::api_keys::{Column, Entity, Model};
use sea_orm::sea_query::{Expr, LockBehavior, Query};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use uuid::Uuid;

impl Visible for Entity {
    const GUARD: Option<Permission> = Some(Permission::KeysWrite);

    fn visible(_: Scope) -> Select<Self> {
        Self::find()
    }
}

/// API keys, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ApiKeys;

impl Listing for ApiKeys {
    type Entity = Entity;

    fn filter(&self, rows: Select<Entity>) -> Select<Entity> {
        rows
    }

    fn order(&self) -> Order<Entity> {
        order!(api_keys, created_at, CreatedAt, true)
    }
}

/// Returns the API key with this public prefix.
pub(in crate::accounts) async fn api_key(db: &impl ConnectionTrait, prefix: &str) -> Result<Option<Model>> {
    // unscoped: identifies the caller, who has no scope before
    Ok(Entity::find().filter(Column::Prefix.eq(prefix)).one(db).await?)
}

/// Locks the API key with this id until the commit.
pub(in crate::accounts) async fn lock_api_key(txn: &Txn, id: Uuid) -> Result<Option<Model>> {
    Ok(Entity::visible(Scope::Everything).filter(Column::Id.eq(id)).lock(ROW_LOCK).one(txn).await?)
}

/// Returns the keys that were created with any of these keys, by id.
pub(in crate::accounts) async fn children_of(txn: &Txn, parents: &[Uuid]) -> Result<Vec<Model>> {
    let rows = Entity::visible(Scope::Everything).filter(Column::ParentId.is_in(parents.iter().copied()));
    Ok(rows.order_by_asc(Column::Id).lock(ROW_LOCK).all(txn).await?)
}

/// Records the last use of a key, unless a later one is recorded. A key that another transaction locks is left out.
pub(in crate::accounts) async fn record_use(txn: &Txn, id: Uuid, at: DateTime<Utc>) -> Result<()> {
    let at = at.fixed_offset();
    let earlier = Condition::any().add(Column::LastUsedAt.is_null()).add(Column::LastUsedAt.lt(at));
    let mut free = Query::select().column(Column::Id).from(Entity).and_where(Column::Id.eq(id)).take();
    free.lock_with_behavior(ROW_LOCK, LockBehavior::SkipLocked);
    let update = Entity::update_many().col_expr(Column::LastUsedAt, Expr::value(at));
    update.filter(Column::Id.in_subquery(free)).filter(earlier).exec(txn).await?;
    Ok(())
}
