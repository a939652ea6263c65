//! Whether a promotion code may be redeemed.

use super::store::discounts as store;
use crate::db::Txn;
use crate::error::{Error, Result};
use chrono::{DateTime, Utc};
use entity::promo_codes;
use uuid::Uuid;

/// The promotion code at Stripe that people type as `code`, if it can be redeemed.
pub async fn redeemable(txn: &Txn, _account_id: Uuid, code: &str) -> Result<promo_codes::Model> {
    let unknown = || Error::refused("PROMO_CODE_NOT_FOUND", &["promoCode"], "there is no such promotion code");
    store::active_promo_code(txn, "stripe", code).await?.ok_or_else(unknown)
}

/// Whether something is taken off a subscription at present.
pub async fn has_discount(txn: &Txn, subscription_id: Uuid, now: DateTime<Utc>) -> Result<bool> {
    store::has_discount(txn, subscription_id, now.fixed_offset()).await
}
