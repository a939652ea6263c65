//! Authorization to bill an account.

use super::store;
use super::values::MemberRole;
use crate::auth::{Permission, Viewer};
use crate::db::Txn;
use crate::error::{Error, Result};
use entity::{accounts, users};
use sea_orm::ConnectionTrait;
use uuid::Uuid;

/// An account to bill, with the person who answers for it.
#[derive(Debug, Clone)]
pub struct Payer {
    /// The account.
    pub account: accounts::Model,
    /// The owner of the account.
    pub owner: users::Model,
}

/// Locks the account that `viewer` may bill, and its owner, until the commit: the caller's own account, or the one called
/// `account_id` if the caller is an owner or admin of it, or holds `billing:write`, which needs an id.
///
/// Of two requests that change the billing of one account or person at the same moment, the second waits.
pub async fn authorize_payer(txn: &Txn, viewer: &Viewer, account_id: Option<Uuid>) -> Result<Payer> {
    let Payer { account, owner } = find_payer(txn, viewer, account_id).await?;
    // The person before the account, as everywhere.
    let owner = store::lock_user(txn, owner.id).await?;
    let owner = owner.filter(|owner| owner.erased_at.is_none()).ok_or_else(unknown)?;
    let account = store::lock_account(txn, account.id).await?.ok_or_else(unknown)?;
    Ok(Payer { account, owner })
}

/// Like [`authorize_payer`], but fails with `unknown` for an account that the caller may not bill, since an object of the
/// account must look as if it did not exist.
pub async fn authorize_payer_of(
    txn: &Txn,
    viewer: &Viewer,
    account_id: Uuid,
    unknown: impl Fn() -> Error,
) -> Result<Payer> {
    authorize_payer(txn, viewer, Some(account_id)).await.map_err(|error| hidden(error, unknown))
}

/// Like [`authorize_payer`], but without locks, for a look ahead that is repeated under them later.
pub async fn find_payer(db: &impl ConnectionTrait, viewer: &Viewer, account_id: Option<Uuid>) -> Result<Payer> {
    let account_id = match account_id {
        Some(named) => billable_account(db, viewer, named).await?,
        None => store::own_account(db, viewer.require_user()?).await?,
    };
    let account = store::payers::account_by_id(db, account_id.ok_or_else(unknown)?).await?.ok_or_else(unknown)?;
    let owner = store::user_by_id(db, account.owner_id).await?;
    let owner = owner.filter(|owner| owner.erased_at.is_none()).ok_or_else(unknown)?;
    Ok(Payer { account, owner })
}

/// Like [`authorize_payer_of`], but without locks.
pub async fn find_payer_of(
    db: &impl ConnectionTrait,
    viewer: &Viewer,
    account_id: Uuid,
    unknown: impl Fn() -> Error,
) -> Result<Payer> {
    find_payer(db, viewer, Some(account_id)).await.map_err(|error| hidden(error, unknown))
}

fn unknown() -> Error {
    Error::refused("ACCOUNT_NOT_FOUND", &["accountId"], "Account not found.")
}

fn hidden(error: Error, unknown: impl Fn() -> Error) -> Error {
    if matches!(error, Error::Refused(_)) { unknown() } else { error }
}

async fn billable_account(db: &impl ConnectionTrait, viewer: &Viewer, account_id: Uuid) -> Result<Option<Uuid>> {
    let Some(user_id) = viewer.user_id().filter(|_| !viewer.permissions().contains(Permission::BillingWrite)) else {
        viewer.require(Permission::BillingWrite)?;
        return Ok(Some(account_id));
    };
    match store::role_in(db, account_id, user_id).await? {
        Some(MemberRole::Owner | MemberRole::Admin) => Ok(Some(account_id)),
        Some(MemberRole::Member) => {
            Err(Error::Forbidden("This needs the role `OWNER` or `ADMIN` in the account.".into()))
        }
        None => Ok(None),
    }
}
