//! Queries on licences and devices.

use super::values::{LicenseSource, LicenseStatus};
use crate::accounts::AccountKind;
use crate::auth::{Permission, Scope};
use crate::db::{Between, ChildListing, Listing, Order, ROW_LOCK, Txn, Visible, in_accounts_of, within};
use crate::error::Result;
use crate::order;
use chrono::{DateTime, Utc};
use entity::{accounts, devices, license_keys, users};
use sea_orm::sea_query::{Expr, ExprTrait, LockBehavior, Query, SelectStatement, SimpleExpr};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Select,
};
use uuid::Uuid;

/// Callers who issue licences see them.
const ISSUERS: &[Permission] = &[Permission::KeysWrite];

impl Visible for license_keys::Entity {
    const OPEN_TO: &'static [Permission] = ISSUERS;

    fn visible(scope: Scope) -> Select<Self> {
        Self::find().filter(in_accounts_of(scope, license_keys::Column::AccountId))
    }
}

impl Visible for devices::Entity {
    const OPEN_TO: &'static [Permission] = ISSUERS;

    fn visible(scope: Scope) -> Select<Self> {
        Self::find().filter(in_accounts_of(scope, devices::Column::AccountId))
    }
}

/// Licences, by time of issue.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LicenseKeys {
    /// Only these statuses; empty for all.
    pub statuses: Vec<LicenseStatus>,
    /// Only from this source.
    pub source: Option<LicenseSource>,
    /// Only the one whose key has this prefix.
    pub prefix: Option<String>,
    /// Time of issue.
    pub issued: Between,
    /// Newest first.
    pub descending: bool,
}

impl Listing for LicenseKeys {
    type Entity = license_keys::Entity;

    fn filter(&self, mut rows: Select<license_keys::Entity>) -> Select<license_keys::Entity> {
        use license_keys::Column;
        if !self.statuses.is_empty() {
            rows = rows.filter(Column::Status.is_in(self.statuses.iter().copied()));
        }
        if let Some(source) = self.source {
            rows = rows.filter(Column::Source.eq(source));
        }
        if let Some(prefix) = &self.prefix {
            rows = rows.filter(Column::Prefix.eq(prefix));
        }
        within(rows, Column::CreatedAt, &self.issued)
    }

    fn order(&self) -> Order<license_keys::Entity> {
        order!(license_keys, created_at, CreatedAt, self.descending)
    }
}

impl ChildListing for LicenseKeys {
    type Of = ();

    fn belongs_to((): (), account: SimpleExpr) -> SimpleExpr {
        license_keys::Column::AccountId.into_expr().eq(account)
    }
}

/// Devices of a licence, in the order of registration.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Devices {
    /// Revoked devices too.
    pub include_revoked: bool,
}

impl Listing for Devices {
    type Entity = devices::Entity;

    fn filter(&self, rows: Select<devices::Entity>) -> Select<devices::Entity> {
        if self.include_revoked { rows } else { rows.filter(devices::Column::RevokedAt.is_null()) }
    }

    fn order(&self) -> Order<devices::Entity> {
        order!(devices, first_seen_at, FirstSeenAt, false)
    }
}

impl ChildListing for Devices {
    type Of = ();

    fn belongs_to((): (), licence: SimpleExpr) -> SimpleExpr {
        devices::Column::LicenseKeyId.into_expr().eq(licence)
    }
}

/// Returns the licence with this id, for any caller.
pub(super) async fn licence(db: &impl ConnectionTrait, id: Uuid) -> Result<Option<license_keys::Model>> {
    let rows = license_keys::Entity::visible(Scope::Everything).filter(license_keys::Column::Id.eq(id));
    Ok(rows.one(db).await?)
}

/// Locks the licence of `rows` with this id until the commit.
pub(super) async fn lock_licence(
    txn: &Txn,
    rows: Select<license_keys::Entity>,
    id: Uuid,
) -> Result<Option<license_keys::Model>> {
    Ok(rows.filter(license_keys::Column::Id.eq(id)).lock(ROW_LOCK).one(txn).await?)
}

/// Returns the licence whose key has this prefix. The key is the only right needed.
pub(super) async fn licence_of_key(db: &impl ConnectionTrait, prefix: &str) -> Result<Option<license_keys::Model>> {
    let rows = license_keys::Entity::visible(Scope::Everything).filter(license_keys::Column::Prefix.eq(prefix));
    Ok(rows.one(db).await?)
}

/// Locks the licence whose key has this prefix until the commit, so that nobody else registers a device on it.
pub(super) async fn lock_licence_of_key(txn: &Txn, prefix: &str) -> Result<Option<license_keys::Model>> {
    let rows = license_keys::Entity::visible(Scope::Everything).filter(license_keys::Column::Prefix.eq(prefix));
    Ok(rows.lock(ROW_LOCK).one(txn).await?)
}

/// Counts the registered devices of a licence.
pub(super) async fn devices_used(db: &impl ConnectionTrait, licence_id: Uuid) -> Result<i64> {
    let rows = devices::Entity::visible(Scope::Everything).filter(devices::Column::LicenseKeyId.eq(licence_id));
    let used = rows.filter(devices::Column::RevokedAt.is_null()).count(db).await?;
    Ok(i64::try_from(used).unwrap_or(i64::MAX))
}

/// Returns the registered device of a licence with this fingerprint.
pub(super) async fn device(
    db: &impl ConnectionTrait,
    licence_id: Uuid,
    fingerprint: &str,
) -> Result<Option<devices::Model>> {
    let rows = devices::Entity::visible(Scope::Everything).filter(devices::Column::LicenseKeyId.eq(licence_id));
    let rows = rows.filter(devices::Column::Fingerprint.eq(fingerprint)).filter(devices::Column::RevokedAt.is_null());
    Ok(rows.one(db).await?)
}

/// Locks the device of `rows` with this id until the commit.
pub(super) async fn lock_device(txn: &Txn, rows: Select<devices::Entity>, id: Uuid) -> Result<Option<devices::Model>> {
    Ok(rows.filter(devices::Column::Id.eq(id)).lock(ROW_LOCK).one(txn).await?)
}

/// Locks the licences of an order for a product until the commit, by unit number.
pub(super) async fn lock_units(
    txn: &Txn,
    provider: &str,
    order: &str,
    product: &str,
) -> Result<Vec<license_keys::Model>> {
    use license_keys::Column;
    let units = license_keys::Entity::visible(Scope::Everything)
        .filter(Column::Provider.eq(provider))
        .filter(Column::OrderExternalId.eq(order))
        .filter(Column::ProductExternalId.eq(product));
    Ok(units.order_by_asc(Column::UnitNumber).lock(ROW_LOCK).all(txn).await?)
}

/// Selects the accounts of a kind, without those of erased people.
fn accounts_of_kind(kind: AccountKind) -> Select<accounts::Entity> {
    let erased = Query::select()
        .column(users::Column::Id)
        .from(users::Entity)
        .and_where(users::Column::ErasedAt.is_not_null())
        .take();
    accounts::Entity::visible(Scope::Everything)
        .filter(accounts::Column::Kind.eq(kind))
        .filter(accounts::Column::OwnerId.not_in_subquery(erased))
}

fn without_licence(kind: AccountKind) -> Select<accounts::Entity> {
    let licensed = Query::select()
        .column(license_keys::Column::Id)
        .from(license_keys::Entity)
        .and_where(license_keys::Column::AccountId.into_expr().equals((accounts::Entity, accounts::Column::Id)))
        .take();
    accounts_of_kind(kind).filter(SimpleExpr::not(Expr::exists(licensed)))
}

/// Counts the accounts of a kind, and those of them without a licence.
pub(super) async fn count_accounts(db: &impl ConnectionTrait, kind: AccountKind) -> Result<(u64, u64)> {
    Ok((accounts_of_kind(kind).count(db).await?, without_licence(kind).count(db).await?))
}

/// Returns up to `limit` accounts of a kind without a licence, from the first one after the id `after`.
pub(super) async fn accounts_without_licence(
    txn: &Txn,
    kind: AccountKind,
    after: Uuid,
    limit: u64,
) -> Result<Vec<accounts::Model>> {
    let rows = without_licence(kind).filter(accounts::Column::Id.gt(after)).order_by_asc(accounts::Column::Id);
    Ok(rows.limit(limit).all(txn).await?)
}

/// Selects the row with this id unless another transaction locks it.
fn unlocked<E: EntityTrait>(column: E::Column, id: Uuid) -> SelectStatement {
    let mut row = Query::select().column(column).from(E::default()).and_where(column.eq(id)).take();
    row.lock_with_behavior(ROW_LOCK, LockBehavior::SkipLocked).take()
}

/// Records the last check of a licence, unless a later one is recorded or another transaction locks it.
pub async fn record_check(txn: &Txn, license_key_id: Uuid, at: DateTime<Utc>) -> Result<()> {
    use license_keys::Column;
    let at = at.fixed_offset();
    let earlier = Condition::any().add(Column::LastVerifiedAt.is_null()).add(Column::LastVerifiedAt.lt(at));
    let update = license_keys::Entity::update_many().col_expr(Column::LastVerifiedAt, Expr::value(at));
    let free = unlocked::<license_keys::Entity>(Column::Id, license_key_id);
    update.filter(Column::Id.in_subquery(free)).filter(earlier).exec(txn).await?;
    Ok(())
}

/// Records that a device was seen, unless a later time is recorded or another transaction locks it.
pub async fn record_seen(txn: &Txn, device_id: Uuid, at: DateTime<Utc>) -> Result<()> {
    use devices::Column;
    let at = at.fixed_offset();
    let update = devices::Entity::update_many().col_expr(Column::LastSeenAt, Expr::value(at));
    let free = unlocked::<devices::Entity>(Column::Id, device_id);
    update.filter(Column::Id.in_subquery(free)).filter(Column::LastSeenAt.lt(at)).exec(txn).await?;
    Ok(())
}
