//! The rules for using a promotion code.
//!
//! The provider counts the redemptions of a code and its coupon under a lock of its own, and refuses one too many. A
//! second count here could only refuse redemptions that the provider would accept, for example after somebody else's
//! payment failed. The checks here save a request and name the reason. Only the rule of one redemption per account is
//! ours alone: the caller holds the lock on the account.

use super::store::redeem as store;
use crate::accounts::customers_of;
use crate::db::Txn;
use crate::error::{Error, Result};
use entity::{coupons, promo_codes};
use uuid::Uuid;

/// Maximum length of a code at Stripe.
const MAX_CODE_BYTES: usize = 500;

/// A usable promotion code and its coupon.
#[derive(Debug, Clone, PartialEq)]
pub struct Redeemable {
    /// The promotion code at Stripe.
    pub promo_code: promo_codes::Model,
    /// Its coupon.
    pub coupon: coupons::Model,
}

/// Returns the promotion code with these letters, if all that is known here allows this account to use it now.
pub async fn redeemable(txn: &Txn, account_id: Uuid, code: &str) -> Result<Redeemable> {
    let refuse = |code, message| Err(Error::refused(code, &["promoCode"], message));
    let normalized = code.trim().to_lowercase();
    let named = if normalized.is_empty() || normalized.len() > MAX_CODE_BYTES || normalized.contains('\0') {
        Vec::new()
    } else {
        store::codes_with_letters(txn, &normalized).await?
    };
    let customers = customers_of(txn, "stripe", account_id).await?;
    let is_theirs = |code: &promo_codes::Model| {
        let only = code.customer_external_id.as_deref();
        only.is_none_or(|only| customers.iter().any(|customer| customer.external_id == only))
    };
    let Some(promo_code) = named.into_iter().find(is_theirs) else {
        return refuse("PROMO_CODE_NOT_FOUND", "Promotion code not found.");
    };
    let coupon = store::coupon_of(txn, promo_code.coupon_id).await?;
    let now = txn.now().fixed_offset();
    if promo_code.expires_at.is_some_and(|end| end <= now) || coupon.redeem_by.is_some_and(|end| end <= now) {
        return refuse("PROMO_CODE_EXPIRED", "The promotion code has expired.");
    }
    let is_spent = |used: i64, most: Option<i64>| most.is_some_and(|most| used >= most);
    if is_spent(promo_code.times_redeemed, promo_code.max_redemptions)
        || is_spent(coupon.times_redeemed, coupon.max_redemptions)
    {
        return refuse("PROMO_CODE_USED_UP", "The promotion code has reached its maximum number of redemptions.");
    }
    if !promo_code.active || !coupon.active {
        return refuse("PROMO_CODE_EXPIRED", "The promotion code was deactivated.");
    }
    if coupon.once_per_account && store::has_redeemed(txn, coupon.id, account_id).await? {
        return refuse("PROMO_CODE_ALREADY_USED", "Each account can use the promotion code only once.");
    }
    if promo_code.first_purchase_only && store::has_paid(txn, account_id).await? {
        return refuse("PROMO_CODE_NOT_FIRST", "The promotion code is only for a first purchase.");
    }
    Ok(Redeemable { promo_code, coupon })
}
