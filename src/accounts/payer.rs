//! Who may have an account billed.

use super::store;
use super::values::MemberRole;
use crate::auth::{Permission, Viewer};
use crate::db::Txn;
use crate::error::{Error, Result};
use entity::{accounts, users};
use uuid::Uuid;

/// An account that is to be billed, with the person who answers for it.
#[derive(Debug, Clone)]
pub struct Payer {
    /// The account, locked until the commit.
    pub account: accounts::Model,
    /// Whose it is, locked too.
    pub owner: users::Model,
}

/// The account that `viewer` may have billed: their own, or the one called `account_id` of which they are an owner or
/// admin. Who may change any account's billing names one.
///
/// It and its owner are locked: of two who change the billing of one account or person at the same moment, the second
/// waits.
pub async fn payer(txn: &Txn, viewer: &Viewer, account_id: Option<Uuid>) -> Result<Payer> {
    let account_id = match account_id {
        Some(named) => allowed(txn, viewer, named).await?,
        None => store::own_account(txn, viewer.require_user()?).await?,
    };
    let unknown = || Error::refused("ACCOUNT_NOT_FOUND", &["accountId"], "there is no such account of yours");
    let account_id = account_id.ok_or_else(unknown)?;
    let owner = store::payers::owner_of(txn, account_id).await?.ok_or_else(unknown)?;
    // The person before the account, as everyone does.
    let owner = store::lock_user(txn, owner.id).await?;
    let owner = owner.filter(|owner| owner.erased_at.is_none()).ok_or_else(unknown)?;
    let account = store::lock_account(txn, account_id).await?.ok_or_else(unknown)?;
    Ok(Payer { account, owner })
}

/// The same for what belongs to an account: where it is not the caller's to have billed, what belongs to it is answered as
/// `unknown`.
pub async fn payer_of(txn: &Txn, viewer: &Viewer, account_id: Uuid, unknown: impl Fn() -> Error) -> Result<Payer> {
    match payer(txn, viewer, Some(account_id)).await {
        Err(Error::Refused(_)) => Err(unknown()),
        outcome => outcome,
    }
}

async fn allowed(txn: &Txn, viewer: &Viewer, account_id: Uuid) -> Result<Option<Uuid>> {
    let Some(user_id) = viewer.user_id().filter(|_| !viewer.permissions().contains(Permission::BillingWrite)) else {
        viewer.require(Permission::BillingWrite)?;
        return Ok(Some(account_id));
    };
    match store::role_in(txn, account_id, user_id).await? {
        Some(MemberRole::Owner | MemberRole::Admin) => Ok(Some(account_id)),
        Some(MemberRole::Member) => Err(Error::Forbidden("this needs the role owner or admin in the account".into())),
        None => Ok(None),
    }
}
