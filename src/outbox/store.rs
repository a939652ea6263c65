//! Every query on the calls.

use crate::auth::{Permission, Scope};
use crate::db::{Between, Listing, Order, Txn, Visible, within};
use crate::error::{Error, Result};
use crate::order;
use chrono::{DateTime, Utc};
use entity::accounts;
use entity::outbox_calls::{ActiveModel, Column, Entity, Model};
use sea_orm::sea_query::{ExprTrait as _, Query};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait as _, QueryFilter, QueryOrder, Select};
use uuid::Uuid;

impl Visible for Entity {
    const GUARD: Option<Permission> = Some(Permission::OperationsRead);

    fn visible(_: Scope) -> Select<Self> {
        Self::find()
    }
}

/// Calls, newest or oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OutboxCalls {
    /// In this state alone.
    pub state: Option<&'static str>,
    /// About this account.
    pub account_id: Option<Uuid>,
    /// Written down in this span.
    pub created: Between,
    /// Newest first.
    pub descending: bool,
}

impl Listing for OutboxCalls {
    type Entity = Entity;

    fn filter(&self, mut rows: Select<Entity>) -> Select<Entity> {
        if let Some(state) = self.state {
            rows = rows.filter(Column::State.eq(state));
        }
        if let Some(account_id) = self.account_id {
            rows = rows.filter(Column::AccountId.eq(account_id));
        }
        within(rows, Column::CreatedAt, &self.created)
    }

    fn order(&self) -> Order<Entity> {
        order!(outbox_calls, created_at, CreatedAt, self.descending)
    }
}

/// A call that is known to be there.
pub(super) async fn call(db: &impl ConnectionTrait, id: Uuid) -> Result<Model> {
    let found = Entity::visible(Scope::Everything).filter(Column::Id.eq(id)).one(db).await?;
    found.ok_or_else(|| Error::internal(anyhow::anyhow!("a call vanished")))
}

/// The call with this key, which is known to be there.
pub(super) async fn id_of_key(txn: &Txn, key: &str) -> Result<Uuid> {
    let found = Entity::visible(Scope::Everything).filter(Column::IdempotencyKey.eq(key)).one(txn).await?;
    Ok(found.ok_or_else(|| Error::internal(anyhow::anyhow!("a call vanished")))?.id)
}

/// The calls for accounts that a user owns, of these operations and since `since`, oldest first.
pub async fn of_person(
    db: &impl ConnectionTrait,
    owner_id: Uuid,
    operations: &[&str],
    since: DateTime<Utc>,
) -> Result<Vec<Model>> {
    let owned = Query::select()
        .column(accounts::Column::Id)
        .from(accounts::Entity)
        .and_where(accounts::Column::OwnerId.eq(owner_id))
        .take();
    let rows = Entity::visible(Scope::Everything).filter(Column::AccountId.in_subquery(owned));
    let rows = rows.filter(Column::CreatedAt.gt(since.fixed_offset()));
    let rows = rows.filter(Column::Operation.is_in(operations.iter().copied()));
    Ok(rows.order_by_asc(Column::CreatedAt).order_by_asc(Column::Id).all(db).await?)
}

/// Whether Stripe has done or refused the call with this key.
pub async fn is_settled(db: &impl ConnectionTrait, key: &str) -> Result<bool> {
    let rows = Entity::visible(Scope::Everything).filter(Column::IdempotencyKey.eq(prefixed(key)));
    Ok(rows.filter(Column::State.is_in(["done", "refused"])).one(db).await?.is_some())
}

/// A key as Stripe is told it, apart from those that others use for the same account of Stripe's.
pub(super) fn prefixed(key: &str) -> String {
    format!("tollgate-{key}")
}

/// Changes a call that is in one of these states, and tells whether it was: one that is not was settled by another.
pub(super) async fn change(txn: &Txn, id: Uuid, from: &[&str], change: ActiveModel) -> Result<bool> {
    let rows = Entity::update_many().set(change).filter(Column::Id.eq(id));
    let changed = rows.filter(Column::State.is_in(from.iter().copied())).exec(txn).await?;
    Ok(changed.rows_affected == 1)
}

/// The calls for an account that are to be made, or were done after `since`.
pub async fn under_way(txn: &Txn, account_id: Uuid, since: DateTime<Utc>) -> Result<Vec<Model>> {
    let done = Column::State.eq("done").and(Column::CreatedAt.gt(since.fixed_offset()));
    let rows = Entity::visible(Scope::Everything).filter(Column::AccountId.eq(account_id));
    Ok(rows.filter(Column::State.eq("pending").or(done)).all(txn).await?)
}

/// The calls that somebody may have to look after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backlog {
    /// How many are to be made.
    pub pending: u64,
    /// How many the caller has to ask for again, of those of the last day.
    pub abandoned: u64,
    /// How many Stripe refused, of those of the last day.
    pub refused: u64,
    /// Of how many it is not known what became of them, of those of the last day.
    pub unresolved: u64,
    /// When the oldest was written down that is to be made.
    pub oldest_pending_at: Option<DateTime<Utc>>,
}

/// Counts them; `day` is when the last day began.
pub(super) async fn backlog(db: &impl ConnectionTrait, day: DateTime<Utc>) -> Result<Backlog> {
    let in_state = |state: &str| Entity::visible(Scope::Everything).filter(Column::State.eq(state));
    let of_day = |state: &str| in_state(state).filter(Column::CreatedAt.gt(day.fixed_offset()));
    let oldest = in_state("pending").order_by_asc(Column::CreatedAt).order_by_asc(Column::Id).one(db).await?;
    Ok(Backlog {
        pending: in_state("pending").count(db).await?,
        abandoned: of_day("abandoned").count(db).await?,
        refused: of_day("refused").count(db).await?,
        // One becomes this 23 hours after it was written down.
        unresolved: in_state("unresolved").filter(Column::SettledAt.gt(day.fixed_offset())).count(db).await?,
        oldest_pending_at: oldest.map(|call| call.created_at.to_utc()),
    })
}
