//! Every query on people, accounts and API keys.

pub(super) mod payers;

pub(super) use payers::{lock_account, lock_user, role_in};

use crate::accounts::values::AccountKind;
use crate::auth::{Permission, Scope};
use crate::db::{
    Between, ChildListing, Listing, Order, Txn, Visible, accounts_of, has_external_id, in_accounts_of,
    unrestricted_only, within,
};
use crate::error::Result;
use crate::order;
use entity::{account_members, accounts, api_keys, provider_customers, user_identities, users};
use sea_orm::sea_query::{Expr, ExprTrait, Query, SimpleExpr};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect, Select};
use uuid::Uuid;

impl Visible for users::Entity {
    /// Oneself, and those with whom one shares an account.
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
    /// Who gives credits or licences sees to whom.
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

impl Visible for provider_customers::Entity {
    fn visible(scope: Scope) -> Select<Self> {
        Self::find().filter(in_accounts_of(scope, provider_customers::Column::AccountId))
    }
}

impl Visible for api_keys::Entity {
    const GUARD: Option<Permission> = Some(Permission::KeysWrite);

    fn visible(_: Scope) -> Select<Self> {
        Self::find()
    }
}

/// Users, newest or oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Users {
    /// Exactly this e-mail address, whatever its case.
    pub email: Option<String>,
    /// Users of this role alone.
    pub role: Option<&'static str>,
    /// First seen in this span.
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

/// E-mail addresses compare without regard to case and surrounding space; they never identify anyone.
pub(super) fn normalize_email(email: &str) -> String {
    email.trim().to_lowercase()
}

/// Accounts: all of them, or those that a user is a member of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Accounts {
    /// Accounts of this kind alone.
    pub kind: Option<&'static str>,
    /// Accounts that stand for this object of the host application.
    pub reference: Option<(String, String)>,
    /// Opened in this span.
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

/// Who belongs to an account, first to join first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Members {
    /// Also those who have left.
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

/// The account that each user has of their own.
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

/// Customers at the payment providers, by the time of their making.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ProviderCustomers {
    /// Those of this provider alone.
    pub provider: Option<&'static str>,
    /// Known by this id at its provider alone.
    pub external_id: Option<String>,
    /// Whether they owe for their newest invoice; `None` for either.
    pub delinquent: Option<bool>,
    /// Newest first.
    pub descending: bool,
}

impl Listing for ProviderCustomers {
    type Entity = provider_customers::Entity;

    fn filter(&self, mut rows: Select<provider_customers::Entity>) -> Select<provider_customers::Entity> {
        use provider_customers::Column;
        if let Some(provider) = self.provider {
            rows = rows.filter(Column::Provider.eq(provider));
        }
        if let Some(external_id) = &self.external_id {
            rows = rows.filter(has_external_id(Column::Provider, Column::ExternalId, external_id));
        }
        if let Some(delinquent) = self.delinquent {
            rows = rows.filter(Column::Delinquent.eq(delinquent));
        }
        rows
    }

    fn order(&self) -> Order<provider_customers::Entity> {
        order!(provider_customers, created_at, CreatedAt, self.descending)
    }
}

impl ChildListing for ProviderCustomers {
    type Of = ();

    fn belongs_to((): (), account: SimpleExpr) -> SimpleExpr {
        provider_customers::Column::AccountId.into_expr().eq(account)
    }
}

/// API keys, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ApiKeys;

impl Listing for ApiKeys {
    type Entity = api_keys::Entity;

    fn filter(&self, rows: Select<api_keys::Entity>) -> Select<api_keys::Entity> {
        rows
    }

    fn order(&self) -> Order<api_keys::Entity> {
        order!(api_keys, created_at, CreatedAt, true)
    }
}

/// The user whom an issuer knows by `subject`, with the role they have here.
pub(super) async fn identified(db: &impl ConnectionTrait, issuer: &str, subject: &str) -> Result<Option<users::Model>> {
    // unscoped: this is how a caller becomes someone with a scope
    let identity = user_identities::Entity::find()
        .filter(user_identities::Column::Issuer.eq(issuer))
        .filter(user_identities::Column::Subject.eq(subject))
        .find_also_related(users::Entity)
        .one(db)
        .await?;
    Ok(identity.and_then(|(_, user)| user))
}

/// Whether there is an account with this id, whoever asks.
pub async fn account_exists(db: &impl ConnectionTrait, id: Uuid) -> Result<bool> {
    let rows = accounts::Entity::visible(Scope::Everything).filter(accounts::Column::Id.eq(id));
    Ok(rows.one(db).await?.is_some())
}

/// The API key with this public prefix.
pub(super) async fn api_key(db: &impl ConnectionTrait, prefix: &str) -> Result<Option<api_keys::Model>> {
    // unscoped: this is how a caller becomes someone with a scope
    Ok(api_keys::Entity::find().filter(api_keys::Column::Prefix.eq(prefix)).one(db).await?)
}

/// Everyone whom some issuer knows by `subject`, erased or not.
pub(super) async fn users_with_subject(txn: &Txn, subject: &str) -> Result<Vec<users::Model>> {
    let identities = Query::select()
        .column(user_identities::Column::UserId)
        .from(user_identities::Entity)
        .and_where(user_identities::Column::Subject.eq(subject))
        .take();
    let rows = users::Entity::visible(Scope::Everything).filter(users::Column::Id.in_subquery(identities));
    Ok(rows.all(txn).await?)
}

/// The user with this id, whoever asks.
pub async fn user_by_id(db: &impl ConnectionTrait, id: Uuid) -> Result<Option<users::Model>> {
    Ok(users::Entity::visible(Scope::Everything).filter(users::Column::Id.eq(id)).one(db).await?)
}

/// The account that a user has of their own.
pub(super) async fn own_account(txn: &Txn, user_id: Uuid) -> Result<Option<Uuid>> {
    let rows = accounts::Entity::visible(Scope::Everything).filter(accounts::Column::OwnerId.eq(user_id));
    let account = rows.filter(accounts::Column::Kind.eq(AccountKind::Individual)).one(txn).await?;
    Ok(account.map(|account| account.id))
}

/// The mirror of a provider's customer.
pub(super) async fn provider_customer(
    txn: &Txn,
    provider: &str,
    external_id: &str,
) -> Result<Option<provider_customers::Model>> {
    Ok(customer(provider, external_id).one(txn).await?)
}

/// The mirror of a provider's customer, locked until the commit.
pub(super) async fn lock_provider_customer(
    txn: &Txn,
    provider: &str,
    external_id: &str,
) -> Result<Option<provider_customers::Model>> {
    Ok(customer(provider, external_id).lock_exclusive().one(txn).await?)
}

fn customer(provider: &str, external_id: &str) -> Select<provider_customers::Entity> {
    use provider_customers::{Column, Entity};
    // unscoped: a provider speaks of it, no caller
    Entity::find().filter(Column::Provider.eq(provider)).filter(Column::ExternalId.eq(external_id))
}
