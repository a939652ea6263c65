//! Queries that decide on the use of promotion codes, and lookups for `billing`.

use crate::auth::Scope;
use crate::db::{Txn, Visible};
use crate::error::{Error, Result};
use entity::{coupons, discount_redemptions, payments, promo_codes};
use sea_orm::sea_query::ExprTrait as _;
use sea_orm::{ColumnTrait, ConnectionTrait, QueryFilter, QueryOrder};
use uuid::Uuid;

/// Returns the codes at Stripe with these letters: usable ones first, then newest first.
pub(crate) async fn codes_with_letters(txn: &Txn, normalized: &str) -> Result<Vec<promo_codes::Model>> {
    use promo_codes::{Column, Entity};
    let rows = Entity::visible(Scope::Everything)
        .filter(Column::CodeNormalized.eq(normalized))
        .filter(Column::Provider.eq("stripe"))
        .order_by_desc(Column::Active)
        .order_by_desc(Column::CreatedAt)
        .order_by_desc(Column::Id);
    Ok(rows.all(txn).await?)
}

/// Returns the coupon of a promotion code.
pub(crate) async fn coupon_of(txn: &Txn, id: Uuid) -> Result<coupons::Model> {
    let found = coupons::Entity::visible(Scope::Everything).filter(coupons::Column::Id.eq(id)).one(txn).await?;
    found.ok_or_else(|| Error::internal(anyhow::anyhow!("The promotion code has no coupon.")))
}

/// Returns whether an account ever redeemed a coupon.
pub(crate) async fn has_redeemed(txn: &Txn, coupon_id: Uuid, account_id: Uuid) -> Result<bool> {
    use discount_redemptions::{Column, Entity};
    let rows = Entity::visible(Scope::Everything).filter(Column::CouponId.eq(coupon_id));
    Ok(rows.filter(Column::AccountId.eq(account_id)).one(txn).await?.is_some())
}

/// Returns whether an account ever paid anything, at any provider. Exactly the succeeded payments have `paid_at`.
pub(crate) async fn has_paid(txn: &Txn, account_id: Uuid) -> Result<bool> {
    use payments::{Column, Entity};
    let rows = Entity::visible(Scope::Everything).filter(Column::AccountId.eq(account_id));
    let paid = rows.filter(Column::PaidAt.is_not_null()).filter(Column::AmountMinor.gt(0));
    Ok(paid.one(txn).await?.is_some())
}

/// Returns whether a subscription has a discount that has not ended.
pub async fn has_discount(txn: &Txn, subscription_id: Uuid) -> Result<bool> {
    use discount_redemptions::Column;
    let rows = discount_redemptions::Entity::visible(Scope::Everything);
    let rows = rows.filter(Column::SubscriptionId.eq(subscription_id));
    let lasts = Column::EndsAt.is_null().or(Column::EndsAt.gt(txn.now().fixed_offset()));
    Ok(rows.filter(lasts).one(txn).await?.is_some())
}

/// Returns the coupon with this id.
pub async fn coupon_by_id(txn: &Txn, id: Uuid) -> Result<Option<coupons::Model>> {
    Ok(coupons::Entity::visible(Scope::Everything).filter(coupons::Column::Id.eq(id)).one(txn).await?)
}

/// Returns the coupon with this code.
pub async fn coupon_with_code(txn: &Txn, code: &str) -> Result<Option<coupons::Model>> {
    Ok(coupons::Entity::visible(Scope::Everything).filter(coupons::Column::Code.eq(code)).one(txn).await?)
}

/// Returns the coupon with this id at Stripe.
pub async fn coupon_at_stripe(db: &impl ConnectionTrait, external_id: &str) -> Result<Option<coupons::Model>> {
    use coupons::{Column, Entity};
    let rows = Entity::visible(Scope::Everything).filter(Column::Provider.eq("stripe"));
    Ok(rows.filter(Column::ExternalId.eq(external_id)).one(db).await?)
}

/// Returns the promotion code with this id.
pub async fn promo_code_by_id(txn: &Txn, id: Uuid) -> Result<Option<promo_codes::Model>> {
    Ok(promo_codes::Entity::visible(Scope::Everything).filter(promo_codes::Column::Id.eq(id)).one(txn).await?)
}

/// Returns the promotion code with this id at Stripe.
pub async fn promo_code_at_stripe(db: &impl ConnectionTrait, external_id: &str) -> Result<Option<promo_codes::Model>> {
    use promo_codes::{Column, Entity};
    let rows = Entity::visible(Scope::Everything).filter(Column::Provider.eq("stripe"));
    Ok(rows.filter(Column::ExternalId.eq(external_id)).one(db).await?)
}

/// Returns whether a usable promotion code has these letters, for everyone or for this customer.
pub async fn is_code_taken(txn: &Txn, code: &str, customer: Option<&str>) -> Result<bool> {
    let named = codes_with_letters(txn, &code.trim().to_lowercase()).await?;
    let clashes = |code: &promo_codes::Model| match (&code.customer_external_id, customer) {
        (Some(theirs), Some(customer)) => theirs == customer,
        _ => true,
    };
    Ok(named.iter().any(|code| code.active && clashes(code)))
}
