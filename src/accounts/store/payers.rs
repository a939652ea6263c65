//! Queries on accounts to be billed and their owners.

use crate::accounts::values::MemberRole;
use crate::auth::Scope;
use crate::db::{ROW_LOCK, Txn, Visible, in_list};
use crate::error::Result;
use entity::{account_members, accounts, provider_customers, user_identities, users};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use std::collections::{BTreeSet, HashSet};
use uuid::Uuid;

/// Locks the account with this id until the commit.
pub(in crate::accounts) async fn lock_account(txn: &Txn, id: Uuid) -> Result<Option<accounts::Model>> {
    let rows = accounts::Entity::visible(Scope::Everything).filter(accounts::Column::Id.eq(id));
    Ok(rows.lock(ROW_LOCK).one(txn).await?)
}

/// Locks the user with this id until the commit.
pub async fn lock_user(txn: &Txn, id: Uuid) -> Result<Option<users::Model>> {
    let rows = users::Entity::visible(Scope::Everything).filter(users::Column::Id.eq(id));
    Ok(rows.lock(ROW_LOCK).one(txn).await?)
}

/// Returns the user with this id, for any caller.
pub async fn user_by_id(db: &impl ConnectionTrait, id: Uuid) -> Result<Option<users::Model>> {
    Ok(users::Entity::visible(Scope::Everything).filter(users::Column::Id.eq(id)).one(db).await?)
}

/// Returns the account with this id, whoever asks.
pub(in crate::accounts) async fn account_by_id(db: &impl ConnectionTrait, id: Uuid) -> Result<Option<accounts::Model>> {
    Ok(accounts::Entity::visible(Scope::Everything).filter(accounts::Column::Id.eq(id)).one(db).await?)
}

/// Returns the owner of an account.
pub async fn owner_of(txn: &Txn, account_id: Uuid) -> Result<Option<users::Model>> {
    let account = accounts::Entity::visible(Scope::Everything).filter(accounts::Column::Id.eq(account_id));
    match account.one(txn).await? {
        Some(account) => user_by_id(txn, account.owner_id).await,
        None => Ok(None),
    }
}

/// Returns the identities of a user at identity providers.
pub async fn identities_of(db: &impl ConnectionTrait, user_id: Uuid) -> Result<Vec<user_identities::Model>> {
    // unscoped: no caller is involved
    Ok(user_identities::Entity::find().filter(user_identities::Column::UserId.eq(user_id)).all(db).await?)
}

/// Returns the current role of a user in an account.
pub(in crate::accounts) async fn role_in(
    db: &impl ConnectionTrait,
    account_id: Uuid,
    user_id: Uuid,
) -> Result<Option<MemberRole>> {
    use account_members::Column;
    let rows = account_members::Entity::visible(Scope::Everything).filter(Column::AccountId.eq(account_id));
    let rows = rows.filter(Column::UserId.eq(user_id)).filter(Column::LeftAt.is_null());
    rows.one(db).await?.map(|member| MemberRole::parse(&member.role)).transpose()
}

/// Returns the customers of an account at a provider, newest first, including deleted ones.
pub async fn customers_of(
    db: &impl ConnectionTrait,
    provider: &str,
    account_id: Uuid,
) -> Result<Vec<provider_customers::Model>> {
    use provider_customers::Column;
    let rows = provider_customers::Entity::visible(Scope::Everything).filter(Column::AccountId.eq(account_id));
    let rows = rows.filter(Column::Provider.eq(provider));
    Ok(rows.order_by_desc(Column::CreatedAt).order_by_desc(Column::Id).all(db).await?)
}

/// Returns which of these users exist.
pub async fn existing_users(txn: &Txn, ids: &BTreeSet<Uuid>) -> Result<HashSet<Uuid>> {
    if ids.is_empty() {
        return Ok(HashSet::new());
    }
    let ids: Vec<Uuid> = ids.iter().copied().collect();
    let rows = users::Entity::visible(Scope::Everything).filter(in_list(txn, users::Column::Id.into_expr(), &ids));
    let ids = rows.select_only().column(users::Column::Id);
    Ok(ids.into_tuple::<Uuid>().all(txn).await?.into_iter().collect())
}
