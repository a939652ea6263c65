//! Queries on discounts for the projection: no caller is involved.

use crate::auth::Scope;
use crate::db::{ROW_LOCK, Txn, Visible};
use crate::error::Result;
use entity::{coupons, discount_redemptions, promo_codes};
use sea_orm::{ColumnTrait, ConnectionTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use uuid::Uuid;

/// Locks the mirror of a coupon until the commit.
pub(crate) async fn lock_coupon(txn: &Txn, provider: &str, external_id: &str) -> Result<Option<coupons::Model>> {
    Ok(coupon_of(provider, external_id).lock(ROW_LOCK).one(txn).await?)
}

/// Returns the mirror of a coupon.
pub(crate) async fn coupon(txn: &Txn, provider: &str, external_id: &str) -> Result<Option<coupons::Model>> {
    Ok(coupon_of(provider, external_id).one(txn).await?)
}

fn coupon_of(provider: &str, external_id: &str) -> Select<coupons::Entity> {
    use coupons::{Column, Entity};
    let rows = Entity::visible(Scope::Everything).filter(Column::Provider.eq(provider));
    rows.filter(Column::ExternalId.eq(external_id))
}

/// Locks the mirror of a promotion code until the commit.
pub(crate) async fn lock_promo_code(
    txn: &Txn,
    provider: &str,
    external_id: &str,
) -> Result<Option<promo_codes::Model>> {
    Ok(promo_code_of(provider, external_id).lock(ROW_LOCK).one(txn).await?)
}

/// Returns the mirror of a promotion code.
pub(crate) async fn promo_code(txn: &Txn, provider: &str, external_id: &str) -> Result<Option<promo_codes::Model>> {
    Ok(promo_code_of(provider, external_id).one(txn).await?)
}

fn promo_code_of(provider: &str, external_id: &str) -> Select<promo_codes::Entity> {
    use promo_codes::{Column, Entity};
    let rows = Entity::visible(Scope::Everything).filter(Column::Provider.eq(provider));
    rows.filter(Column::ExternalId.eq(external_id))
}

/// Locks the coupon with this code of ours until the commit.
pub(crate) async fn lock_coupon_with_code(txn: &Txn, code: &str) -> Result<Option<coupons::Model>> {
    let rows = coupons::Entity::visible(Scope::Everything).filter(coupons::Column::Code.eq(code));
    Ok(rows.lock(ROW_LOCK).one(txn).await?)
}

/// Locks the promotion code of a coupon with these letters that no provider has, until the commit.
pub(crate) async fn lock_own_promo_code(
    txn: &Txn,
    coupon_id: Uuid,
    normalized: &str,
) -> Result<Option<promo_codes::Model>> {
    use promo_codes::{Column, Entity};
    let rows = Entity::visible(Scope::Everything)
        .filter(Column::CouponId.eq(coupon_id))
        .filter(Column::CodeNormalized.eq(normalized))
        .filter(Column::Provider.is_null())
        .order_by_asc(Column::Id);
    Ok(rows.lock(ROW_LOCK).one(txn).await?)
}

/// Locks the redemption of a coupon by an account, for a subscription or for none, until the commit.
pub(crate) async fn lock_redemption(
    txn: &Txn,
    coupon_id: Uuid,
    account_id: Uuid,
    subscription_id: Option<Uuid>,
) -> Result<Option<discount_redemptions::Model>> {
    use discount_redemptions::{Column, Entity};
    let rows = Entity::visible(Scope::Everything)
        .filter(Column::CouponId.eq(coupon_id))
        .filter(Column::AccountId.eq(account_id));
    let rows = match subscription_id {
        Some(id) => rows.filter(Column::SubscriptionId.eq(id)),
        None => rows.filter(Column::SubscriptionId.is_null()),
    };
    Ok(rows.order_by_asc(Column::Id).lock(ROW_LOCK).one(txn).await?)
}

/// Returns whether a provider has a coupon that can be used.
pub async fn has_coupon(db: &impl ConnectionTrait, provider: &str, external_id: &str) -> Result<bool> {
    use coupons::{Column, Entity};
    let rows = Entity::visible(Scope::Everything).filter(Column::Provider.eq(provider)).filter(Column::Active.eq(true));
    Ok(rows.filter(Column::ExternalId.eq(external_id)).one(db).await?.is_some())
}
