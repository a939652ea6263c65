//! Every query on calls.

use super::operation::{CallState, Operation};
use crate::auth::{Permission, Scope};
use crate::db::{Between, Listing, Order, Txn, Visible, within};
use crate::error::{Error, Result};
use crate::order;
use chrono::{DateTime, Utc};
use entity::accounts;
use entity::outbox_calls::{ActiveModel, Column, Entity, Model};
use sea_orm::sea_query::{ExprTrait as _, Query};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait as _, QueryFilter, QueryOrder, QuerySelect as _, Select,
};
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
    /// Only calls in this state.
    pub state: Option<CallState>,
    /// Only calls about this account.
    pub account_id: Option<Uuid>,
    /// Only calls made in this span.
    pub created: Between,
    /// Newest first, instead of oldest first.
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

/// Returns a call that is known to exist.
pub(super) async fn call(db: &impl ConnectionTrait, id: Uuid) -> Result<Model> {
    let found = Entity::visible(Scope::Everything).filter(Column::Id.eq(id)).one(db).await?;
    found.ok_or_else(vanished)
}

/// Returns the id of the call with this key, which is known to exist.
pub(super) async fn id_of_key(txn: &Txn, key: &str) -> Result<Uuid> {
    let found = Entity::visible(Scope::Everything).filter(Column::IdempotencyKey.eq(key)).one(txn).await?;
    Ok(found.ok_or_else(vanished)?.id)
}

fn vanished() -> Error {
    Error::internal(anyhow::anyhow!("A call to Stripe vanished."))
}

/// Returns the calls of these operations for accounts that a user owns, made after `since`, oldest first.
pub async fn calls_of_person(
    db: &impl ConnectionTrait,
    owner_id: Uuid,
    operations: &[Operation],
    since: DateTime<Utc>,
) -> Result<Vec<Model>> {
    let owned = Query::select()
        .column(accounts::Column::Id)
        .from(accounts::Entity)
        .and_where(accounts::Column::OwnerId.eq(owner_id))
        .take();
    let rows = Entity::visible(Scope::Everything).filter(Column::AccountId.in_subquery(owned));
    let rows = rows.filter(Column::CreatedAt.gt(since.fixed_offset()));
    let rows = rows.filter(Column::Operation.is_in(operations.iter().map(|operation| operation.as_str())));
    Ok(rows.order_by_asc(Column::CreatedAt).order_by_asc(Column::Id).all(db).await?)
}

/// Returns whether Stripe has answered the call with this key, by making the change or by refusing it.
pub async fn is_settled(db: &impl ConnectionTrait, key: &str) -> Result<bool> {
    let rows = Entity::visible(Scope::Everything).filter(Column::IdempotencyKey.eq(prefixed(key)));
    Ok(rows.filter(Column::State.is_in([CallState::Done, CallState::Refused])).one(db).await?.is_some())
}

/// Returns a key as it is sent, apart from the keys of other users of the same Stripe account.
pub(super) fn prefixed(key: &str) -> String {
    format!("tollgate-{key}")
}

/// Updates a call that is still open. Returns false for one that another execution has settled, which stays as it is.
pub(super) async fn update_open(txn: &Txn, id: Uuid, change: ActiveModel) -> Result<bool> {
    let rows = Entity::update_many().set(change).filter(Column::Id.eq(id));
    let changed = rows.filter(Column::State.is_in(CallState::OPEN)).exec(txn).await?;
    Ok(changed.rows_affected == 1)
}

/// Returns up to `limit` calls that the worker has to see to by `now`, the longest due first.
pub(super) async fn due_calls(db: &impl ConnectionTrait, now: DateTime<Utc>, limit: u64) -> Result<Vec<Model>> {
    let due = Entity::visible(Scope::Everything).filter(Column::DueAt.lte(now.fixed_offset()));
    Ok(due.order_by_asc(Column::DueAt).order_by_asc(Column::Id).limit(limit).all(db).await?)
}

/// Updates a call in any state.
pub(super) async fn update(txn: &Txn, id: Uuid, change: ActiveModel) -> Result<()> {
    Entity::update_many().set(change).filter(Column::Id.eq(id)).exec(txn).await?;
    Ok(())
}

/// Returns the calls of an operation for an account.
pub(super) async fn calls_of_account(txn: &Txn, account_id: Uuid, operation: Operation) -> Result<Vec<Model>> {
    let rows = Entity::visible(Scope::Everything).filter(Column::AccountId.eq(account_id));
    Ok(rows.filter(Column::Operation.eq(operation.as_str())).all(txn).await?)
}

/// Returns the calls for an account that are pending, or are done and were made after `since`.
pub async fn recent_calls(txn: &Txn, account_id: Uuid, since: DateTime<Utc>) -> Result<Vec<Model>> {
    let done = Column::State.eq(CallState::Done).and(Column::CreatedAt.gt(since.fixed_offset()));
    let rows = Entity::visible(Scope::Everything).filter(Column::AccountId.eq(account_id));
    Ok(rows.filter(Column::State.eq(CallState::Pending).or(done)).all(txn).await?)
}

/// Counts of calls that somebody may have to look after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backlog {
    /// Calls that are to be sent, the blocked ones included.
    pub pending: u64,
    /// Pending calls that Stripe refuses because of the API key.
    pub blocked: u64,
    /// Calls of the last day that are sent again only if their caller asks for it.
    pub abandoned: u64,
    /// Calls of the last day that Stripe refused.
    pub refused: u64,
    /// Calls whose outcome turned out to be unknown in the last day.
    pub unresolved: u64,
    /// The time at which the oldest pending call was made; `None` if none is pending.
    pub oldest_pending_at: Option<DateTime<Utc>>,
}

/// Counts the calls in each state; `day` is the beginning of the last day.
pub(super) async fn backlog(db: &impl ConnectionTrait, day: DateTime<Utc>) -> Result<Backlog> {
    let in_state = |state: CallState| Entity::visible(Scope::Everything).filter(Column::State.eq(state));
    let of_day = |state: CallState| in_state(state).filter(Column::CreatedAt.gt(day.fixed_offset()));
    let oldest = in_state(CallState::Pending).order_by_asc(Column::CreatedAt).order_by_asc(Column::Id).one(db).await?;
    // A call becomes unresolved 23 hours after it was made.
    let unresolved = in_state(CallState::Unresolved).filter(Column::SettledAt.gt(day.fixed_offset()));
    Ok(Backlog {
        pending: in_state(CallState::Pending).count(db).await?,
        blocked: in_state(CallState::Pending).filter(Column::ErrorCode.is_not_null()).count(db).await?,
        abandoned: of_day(CallState::Abandoned).count(db).await?,
        refused: of_day(CallState::Refused).count(db).await?,
        unresolved: unresolved.count(db).await?,
        oldest_pending_at: oldest.map(|call| call.created_at.to_utc()),
    })
}
