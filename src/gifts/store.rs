//! Queries on gifts.

use super::values::GiftStatus;
use crate::auth::{GiftCode, Scope};
use crate::db::{Between, ChildListing, Listing, Order, ROW_LOCK, Txn, Visible, in_accounts_of, within};
use crate::error::Result;
use crate::order;
use chrono::{DateTime, FixedOffset};
use entity::gifts::{Column, Entity, Model};
use sea_orm::sea_query::{ExprTrait, SimpleExpr};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect, Select};
use uuid::Uuid;

impl Visible for Entity {
    /// Selects the gifts that the caller's accounts bought or redeemed.
    fn visible(scope: Scope) -> Select<Self> {
        let bought = in_accounts_of(scope, Column::AccountId);
        Self::find().filter(bought.or(in_accounts_of(scope, Column::RedeemedAccountId)))
    }
}

/// Gifts, by time of purchase.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Gifts {
    /// Only these statuses; empty for all.
    pub statuses: Vec<GiftStatus>,
    /// Only the one whose code has this prefix.
    pub prefix: Option<String>,
    /// Time of purchase.
    pub created: Between,
    /// Newest first.
    pub descending: bool,
}

impl Listing for Gifts {
    type Entity = Entity;

    fn filter(&self, mut rows: Select<Entity>) -> Select<Entity> {
        if !self.statuses.is_empty() {
            rows = rows.filter(Column::Status.is_in(self.statuses.iter().copied()));
        }
        if let Some(prefix) = &self.prefix {
            rows = rows.filter(Column::Prefix.eq(prefix));
        }
        within(rows, Column::CreatedAt, &self.created)
    }

    fn order(&self) -> Order<Entity> {
        order!(gifts, created_at, CreatedAt, self.descending)
    }
}

/// The parent of a list of gifts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GiftsOf {
    /// The account that bought them.
    Buyer,
    /// The account that redeemed them.
    Redeemer,
}

impl ChildListing for Gifts {
    type Of = GiftsOf;

    fn belongs_to(of: GiftsOf, account: SimpleExpr) -> SimpleExpr {
        match of {
            GiftsOf::Buyer => Column::AccountId.into_expr().eq(account),
            GiftsOf::Redeemer => Column::RedeemedAccountId.into_expr().eq(account),
        }
    }
}

/// Locks the gift with this id until the commit.
pub(super) async fn lock_by_id(txn: &Txn, id: Uuid) -> Result<Option<Model>> {
    Ok(Entity::visible(Scope::Everything).filter(Column::Id.eq(id)).lock(ROW_LOCK).one(txn).await?)
}

/// Locks the gift with this code until the commit. The code is the only right needed.
pub(super) async fn lock_by_code(txn: &Txn, code: &GiftCode) -> Result<Option<Model>> {
    let rows = Entity::visible(Scope::Everything).filter(Column::Prefix.eq(code.prefix()));
    let found = rows.lock(ROW_LOCK).one(txn).await?;
    Ok(found.filter(|gift| is_of(gift, code)))
}

/// Returns the gift with this code. The code is the only right needed.
pub async fn by_code(db: &impl ConnectionTrait, code: &GiftCode) -> Result<Option<Model>> {
    let found = Entity::visible(Scope::Everything).filter(Column::Prefix.eq(code.prefix())).one(db).await?;
    Ok(found.filter(|gift| is_of(gift, code)))
}

/// Returns the gifts that an account has redeemed after `since` without a resulting subscription.
pub(super) async fn unfinished_redemptions(
    txn: &Txn,
    account_id: Uuid,
    since: DateTime<FixedOffset>,
) -> Result<Vec<Model>> {
    let rows = Entity::visible(Scope::Everything).filter(Column::RedeemedAccountId.eq(account_id));
    let rows = rows.filter(Column::SubscriptionId.is_null()).filter(Column::RedeemedAt.gt(since));
    Ok(rows.all(txn).await?)
}

/// Returns the gift that this checkout sells.
pub async fn by_session(db: &impl ConnectionTrait, session_external_id: &str) -> Result<Option<Model>> {
    let rows = Entity::visible(Scope::Everything).filter(Column::SessionExternalId.eq(session_external_id));
    Ok(rows.one(db).await?)
}

fn is_of(gift: &Model, code: &GiftCode) -> bool {
    gift.hash.as_ref().is_some_and(|hash| code.matches(hash))
}
