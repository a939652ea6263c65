//! Queries on publishable keys.

use crate::auth::{Permission, Scope};
use crate::db::{Listing, Order, Txn, Visible};
use crate::error::Result;
use crate::order;
use entity::publishable_keys::{Column, Entity, Model};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, Select};

impl Visible for Entity {
    const GUARD: Option<Permission> = Some(Permission::KeysWrite);

    fn visible(_: Scope) -> Select<Self> {
        Self::find()
    }
}

/// Publishable keys, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PublishableKeys;

impl Listing for PublishableKeys {
    type Entity = Entity;

    fn filter(&self, rows: Select<Entity>) -> Select<Entity> {
        rows
    }

    fn order(&self) -> Order<Entity> {
        order!(publishable_keys, created_at, CreatedAt, true)
    }
}

/// Returns a publishable key by its text, revoked or not.
pub(in crate::accounts) async fn publishable_key(db: &impl ConnectionTrait, key: &str) -> Result<Option<Model>> {
    // unscoped: identifies the caller, who has no scope before
    Ok(Entity::find().filter(Column::Key.eq(key)).one(db).await?)
}

/// Returns the publishable keys that are not revoked.
pub(in crate::accounts) async fn valid_publishable_keys(db: &impl ConnectionTrait) -> Result<Vec<Model>> {
    // unscoped: a preflight has no caller
    Ok(Entity::find().filter(Column::RevokedAt.is_null()).all(db).await?)
}

/// Counts the publishable keys that are not revoked.
pub(in crate::accounts) async fn count_valid_publishable_keys(txn: &Txn) -> Result<u64> {
    Ok(Entity::visible(Scope::Everything).filter(Column::RevokedAt.is_null()).count(txn).await?)
}
