//! Money and discounts, as the projection looks for them: no caller is involved. What is found is locked until the
//! commit, except where it says otherwise.

use crate::auth::Scope;
use crate::db::{Txn, Visible};
use crate::error::Result;
use entity::{coupons, discount_redemptions, disputes, invoices, payments, promo_codes, refunds};
use sea_orm::{ColumnTrait, ConnectionTrait, DatabaseConnection, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

/// Reads the row of a table that mirrors what a provider knows by an id.
macro_rules! mirrored {
    ($(#[$doc:meta])* $name:ident, $table:ident) => {
        $(#[$doc])*
        pub(crate) async fn $name(txn: &Txn, provider: &str, external_id: &str) -> Result<Option<$table::Model>> {
            use $table::{Column, Entity};
            let rows = Entity::visible(Scope::Everything).filter(Column::Provider.eq(provider));
            Ok(rows.filter(Column::ExternalId.eq(external_id)).lock_exclusive().one(txn).await?)
        }
    };
}

mirrored!(
    /// The mirror of an invoice.
    lock_invoice, invoices
);
mirrored!(
    /// The mirror of a payment.
    lock_payment, payments
);
mirrored!(
    /// The mirror of a refund.
    refund, refunds
);
mirrored!(
    /// The mirror of a dispute.
    dispute, disputes
);
mirrored!(
    /// The mirror of a coupon.
    lock_coupon, coupons
);
mirrored!(
    /// The mirror of a promotion code.
    lock_promo_code, promo_codes
);

/// The mirror of a payment, for who has just had it made.
pub async fn by_external_id(
    db: &DatabaseConnection,
    provider: &str,
    external_id: &str,
) -> Result<Option<payments::Model>> {
    use payments::{Column, Entity};
    let rows = Entity::visible(Scope::Everything).filter(Column::Provider.eq(provider));
    Ok(rows.filter(Column::ExternalId.eq(external_id)).one(db).await?)
}

/// The mirror of an invoice, not locked.
pub(crate) async fn invoice(txn: &Txn, provider: &str, external_id: &str) -> Result<Option<invoices::Model>> {
    use invoices::{Column, Entity};
    let rows = Entity::visible(Scope::Everything).filter(Column::Provider.eq(provider));
    Ok(rows.filter(Column::ExternalId.eq(external_id)).one(txn).await?)
}

/// The newest invoice that names this payment of the provider, not locked.
pub(crate) async fn invoice_paid_by(
    txn: &Txn,
    provider: &str,
    payment_external_id: &str,
) -> Result<Option<invoices::Model>> {
    use invoices::{Column, Entity};
    let rows = Entity::visible(Scope::Everything)
        .filter(Column::Provider.eq(provider))
        .filter(Column::PaymentExternalId.eq(payment_external_id))
        .order_by_desc(Column::CreatedAt)
        .order_by_desc(Column::ExternalId);
    Ok(rows.one(txn).await?)
}

/// The mirror of a coupon, not locked.
pub(crate) async fn coupon(txn: &Txn, provider: &str, external_id: &str) -> Result<Option<coupons::Model>> {
    use coupons::{Column, Entity};
    let rows = Entity::visible(Scope::Everything).filter(Column::Provider.eq(provider));
    Ok(rows.filter(Column::ExternalId.eq(external_id)).one(txn).await?)
}

/// The mirror of a promotion code, not locked.
pub(crate) async fn promo_code(txn: &Txn, provider: &str, external_id: &str) -> Result<Option<promo_codes::Model>> {
    use promo_codes::{Column, Entity};
    let rows = Entity::visible(Scope::Everything).filter(Column::Provider.eq(provider));
    Ok(rows.filter(Column::ExternalId.eq(external_id)).one(txn).await?)
}

/// The coupon with this code of ours.
pub(crate) async fn lock_coupon_with_code(txn: &Txn, code: &str) -> Result<Option<coupons::Model>> {
    let rows = coupons::Entity::visible(Scope::Everything).filter(coupons::Column::Code.eq(code));
    Ok(rows.lock_exclusive().one(txn).await?)
}

/// The promotion code of a coupon with these letters that no provider has.
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
    Ok(rows.lock_exclusive().one(txn).await?)
}

/// The redemption of a coupon by an account for a subscription, or for none.
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
    Ok(rows.order_by_asc(Column::Id).lock_exclusive().one(txn).await?)
}

/// Whether a coupon is at a provider and can be used there.
pub async fn has_coupon(db: &impl ConnectionTrait, provider: &str, external_id: &str) -> Result<bool> {
    use coupons::{Column, Entity};
    let rows = Entity::visible(Scope::Everything).filter(Column::Provider.eq(provider)).filter(Column::Active.eq(true));
    Ok(rows.filter(Column::ExternalId.eq(external_id)).one(db).await?.is_some())
}
