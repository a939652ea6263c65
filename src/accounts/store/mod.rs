//! Queries on people, accounts and API keys.

mod api_keys;
mod customers;
pub(super) mod payers;
mod publishable_keys;

pub use api_keys::ApiKeys;
pub(super) use api_keys::{api_key, children_of, lock_api_key, record_use};
pub use customers::ProviderCustomers;
pub(super) use customers::{lock_provider_customer, provider_customer};
pub use payers::user_by_id;
pub(super) use payers::{lock_account, lock_user, role_in};
pub use publishable_keys::PublishableKeys;
pub(super) use publishable_keys::{count_valid_publishable_keys, publishable_key, valid_publishable_keys};

use crate::accounts::values::{AccountKind, UserRole};
use crate::auth::{Permission, Scope};
use crate::db::{
    Between, ChildListing, Listing, Order, Txn, Visible, accounts_of, in_accounts_of, in_list, unrestricted_only,
    within,
};
use crate::error::Result;
use crate::order;
use entity::{account_members, accounts, user_identities, users};
use sea_orm::sea_query::{Expr, ExprTrait, Query, SimpleExpr};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect, Select};
use std::collections::HashMap;
use uuid::Uuid;

impl Visible for users::Entity {
    /// Selects the caller, and the users who share an account with them.
    fn visible(scope: Scope) -> Select<Self> {
        let rows = Self::find();
        let Scope::User(user_id) = scope else { return rows.filter(unrestricted_only(scope)) };
        let fellows = Query::select()
            .column(account_members::Column::UserId)
            .from(account_members::Entity)
            .and_where(account_members::Column::LeftAt.is_null())
            .and_where(account_members::Column::AccountId.in_subquery(accounts_of(Expr::value(user_id))))
            .take();
        rows.filter(users::Column::Id.eq(user_id).or(users::Column::Id.in_subquery(fellows)))
    }
}

impl Visible for accounts::Entity {
    /// Callers who grant credits or licences see the accounts that get them.
    const OPEN_TO: &'static [Permission] = &[Permission::CreditsWrite, Permission::KeysWrite];

    fn visible(scope: Scope) -> Select<Self> {
        Self::find().filter(in_accounts_of(scope, accounts::Column::Id))
    }
}

impl Visible for account_members::Entity {
    fn visible(scope: Scope) -> Select<Self> {
        Self::find().filter(in_accounts_of(scope, account_members::Column::AccountId))
    }
}

/// Users, newest or oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Users {
    /// Exactly this e-mail address, in any case.
    pub email: Option<String>,
    /// Only users with this role.
    pub role: Option<UserRole>,
    /// Time of creation.
    pub created: Between,
    /// Newest first.
    pub descending: bool,
}

impl Listing for Users {
    type Entity = users::Entity;

    fn filter(&self, mut rows: Select<users::Entity>) -> Select<users::Entity> {
        if let Some(email) = &self.email {
            rows = rows.filter(users::Column::EmailNormalized.eq(normalize_email(email)));
        }
        if let Some(role) = self.role {
            rows = rows.filter(users::Column::Role.eq(role));
        }
        within(rows, users::Column::CreatedAt, &self.created)
    }

    fn order(&self) -> Order<users::Entity> {
        order!(users, created_at, CreatedAt, self.descending)
    }
}

/// Normalises case and surrounding space of an e-mail address, which never identifies anyone.
pub(super) fn normalize_email(email: &str) -> String {
    email.trim().to_lowercase()
}

/// Accounts: all of them, or those that a user is a member of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Accounts {
    /// Only accounts of this kind.
    pub kind: Option<AccountKind>,
    /// Only accounts that stand for this object of the host application, by type and id.
    pub reference: Option<(String, String)>,
    /// Time of creation.
    pub created: Between,
    /// Newest first.
    pub descending: bool,
}

impl Listing for Accounts {
    type Entity = accounts::Entity;

    fn filter(&self, mut rows: Select<accounts::Entity>) -> Select<accounts::Entity> {
        if let Some(kind) = self.kind {
            rows = rows.filter(accounts::Column::Kind.eq(kind));
        }
        if let Some((ref_type, ref_id)) = &self.reference {
            rows = rows.filter(accounts::Column::RefType.eq(ref_type)).filter(accounts::Column::RefId.eq(ref_id));
        }
        within(rows, accounts::Column::CreatedAt, &self.created)
    }

    fn order(&self) -> Order<accounts::Entity> {
        order!(accounts, created_at, CreatedAt, self.descending)
    }
}

impl ChildListing for Accounts {
    type Of = ();

    fn belongs_to((): (), user: SimpleExpr) -> SimpleExpr {
        accounts::Column::Id.in_subquery(accounts_of(user))
    }
}

/// Members of an account, in the order of joining.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Members {
    /// Former members too.
    pub include_former: bool,
}

impl Listing for Members {
    type Entity = account_members::Entity;

    fn filter(&self, rows: Select<account_members::Entity>) -> Select<account_members::Entity> {
        if self.include_former { rows } else { rows.filter(account_members::Column::LeftAt.is_null()) }
    }

    fn order(&self) -> Order<account_members::Entity> {
        order!(account_members, joined_at, JoinedAt, false)
    }
}

impl ChildListing for Members {
    type Of = ();

    fn belongs_to((): (), account: SimpleExpr) -> SimpleExpr {
        account_members::Column::AccountId.into_expr().eq(account)
    }
}

/// The individual account of each user.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OwnAccount;

impl Listing for OwnAccount {
    type Entity = accounts::Entity;

    fn filter(&self, rows: Select<accounts::Entity>) -> Select<accounts::Entity> {
        rows.filter(accounts::Column::Kind.eq(AccountKind::Individual))
    }

    fn order(&self) -> Order<accounts::Entity> {
        order!(accounts, created_at, CreatedAt, false)
    }
}

impl ChildListing for OwnAccount {
    type Of = ();

    fn belongs_to((): (), user: SimpleExpr) -> SimpleExpr {
        accounts::Column::OwnerId.into_expr().eq(user)
    }
}

/// Returns the user whom an issuer knows as `subject`.
pub(super) async fn user_by_identity(
    db: &impl ConnectionTrait,
    issuer: &str,
    subject: &str,
) -> Result<Option<users::Model>> {
    // unscoped: identifies the caller, who has no scope before
    let identity = user_identities::Entity::find()
        .filter(user_identities::Column::Issuer.eq(issuer))
        .filter(user_identities::Column::Subject.eq(subject))
        .find_also_related(users::Entity)
        .one(db)
        .await?;
    Ok(identity.and_then(|(_, user)| user))
}

/// Returns whether there is an account with this id, for any caller.
pub async fn account_exists(db: &impl ConnectionTrait, id: Uuid) -> Result<bool> {
    let rows = accounts::Entity::visible(Scope::Everything).filter(accounts::Column::Id.eq(id));
    Ok(rows.one(db).await?.is_some())
}

/// Returns the owners of these accounts, as far as they exist, by account.
pub async fn owners(db: &impl ConnectionTrait, ids: &[Uuid]) -> Result<HashMap<Uuid, Uuid>> {
    use accounts::{Column, Entity};
    let rows = Entity::visible(Scope::Everything).filter(in_list(db, Column::Id.into_expr(), ids));
    let rows: Vec<(Uuid, Uuid)> =
        rows.select_only().columns([Column::Id, Column::OwnerId]).into_tuple().all(db).await?;
    Ok(rows.into_iter().collect())
}

/// Sets the time zone of an account, and returns it; `None` if it does not exist.
pub async fn set_time_zone(txn: &Txn, id: Uuid, time_zone: &str) -> Result<Option<accounts::Model>> {
    use accounts::{Column, Entity};
    let change = Entity::update_many().filter(Column::Id.eq(id)).col_expr(Column::TimeZone, Expr::value(time_zone));
    Ok(change.exec_with_returning(txn).await?.pop())
}

/// Returns every user whom some issuer knows as `subject`, erased or not.
pub(super) async fn users_with_subject(txn: &Txn, subject: &str) -> Result<Vec<users::Model>> {
    let identities = Query::select()
        .column(user_identities::Column::UserId)
        .from(user_identities::Entity)
        .and_where(user_identities::Column::Subject.eq(subject))
        .take();
    let rows = users::Entity::visible(Scope::Everything).filter(users::Column::Id.in_subquery(identities));
    Ok(rows.all(txn).await?)
}

/// Returns the individual account of a user.
pub(super) async fn own_account(db: &impl ConnectionTrait, user_id: Uuid) -> Result<Option<Uuid>> {
    let rows = accounts::Entity::visible(Scope::Everything).filter(accounts::Column::OwnerId.eq(user_id));
    let account = rows.filter(accounts::Column::Kind.eq(AccountKind::Individual)).one(db).await?;
    Ok(account.map(|account| account.id))
}
