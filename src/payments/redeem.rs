//! Whether a promotion code may be used by an account.
//!
//! How often a code and its coupon may be used is counted by the provider, which counts under a lock of its own and
//! refuses whoever is one too many: a second count here could only refuse those that the provider would take, as when
//! someone else's payment failed. What is checked here spares a call and names the reason. That a coupon is for each
//! account once is our rule alone: who asks holds the lock on the account's row.

use super::store::redeem as store;
use crate::accounts::customers_of;
use crate::db::Txn;
use crate::error::{Error, Result};
use chrono::{DateTime, Utc};
use entity::{coupons, promo_codes};
use uuid::Uuid;

/// The longest code that Stripe takes.
const LONGEST_CODE: usize = 500;

/// A promotion code that may be used, with what it gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Redeemable {
    /// The code, which is at Stripe.
    pub promo_code: promo_codes::Model,
    /// What it gives.
    pub coupon: coupons::Model,
}

/// The promotion code that `code` stands for, if this account may use it at `now` as far as is known here.
pub async fn redeemable(txn: &Txn, account_id: Uuid, code: &str, now: DateTime<Utc>) -> Result<Redeemable> {
    let refuse = |code, message| Err(Error::refused(code, &["promoCode"], message));
    let normalized = code.trim().to_lowercase();
    let named = if normalized.is_empty() || normalized.len() > LONGEST_CODE || normalized.contains('\0') {
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
        return refuse("PROMO_CODE_NOT_FOUND", "there is no such promotion code");
    };
    let coupon = store::coupon_of(txn, promo_code.coupon_id).await?;
    let now = now.fixed_offset();
    if promo_code.expires_at.is_some_and(|end| end <= now) || coupon.redeem_by.is_some_and(|end| end <= now) {
        return refuse("PROMO_CODE_EXPIRED", "the promotion code has ended");
    }
    let is_spent = |used: i64, most: Option<i64>| most.is_some_and(|most| used >= most);
    if is_spent(promo_code.times_redeemed, promo_code.max_redemptions)
        || is_spent(coupon.times_redeemed, coupon.max_redemptions)
    {
        return refuse("PROMO_CODE_USED_UP", "the promotion code was used as often as it may be");
    }
    if !promo_code.active || !coupon.active {
        return refuse("PROMO_CODE_EXPIRED", "the promotion code was ended");
    }
    if coupon.once_per_account && store::has_redeemed(txn, coupon.id, account_id).await? {
        return refuse("PROMO_CODE_ALREADY_USED", "each account can use the promotion code once");
    }
    if promo_code.first_purchase_only && store::has_paid(txn, account_id).await? {
        return refuse("PROMO_CODE_NOT_FIRST", "the promotion code is for the first purchase");
    }
    Ok(Redeemable { promo_code, coupon })
}

/// Whether something is taken off a subscription at `now`.
pub async fn has_discount(txn: &Txn, subscription_id: Uuid, now: DateTime<Utc>) -> Result<bool> {
    store::has_discount(txn, subscription_id, now.fixed_offset()).await
}
