//! New coupons and promotion codes, and the rules for them.

use super::store::redeem::{coupon_by_id, coupon_with_code, is_code_taken};
use crate::db::Txn;
use crate::error::{Error, Result};
use crate::money::is_currency;
use crate::subscriptions::DiscountDuration;
use chrono::{DateTime, TimeDelta, Utc};
use entity::coupons;
use serde::Serialize;
use uuid::Uuid;

/// The longest name of a coupon at Stripe.
const MAX_NAME_CHARS: usize = 40;
/// The longest code of ours.
const MAX_CODE_BYTES: usize = 64;
const MAX_REDEMPTIONS: i64 = 1_000_000_000;
const MAX_MONTHS: i64 = 120;
const MAX_AMOUNT_OFF_MINOR: i64 = 99_999_999;
/// The longest time for which a coupon or a code can be redeemed.
const MAX_LIFETIME: TimeDelta = TimeDelta::days(5 * 365);

/// A coupon to create.
#[derive(Debug, Clone, Serialize)]
pub struct NewCoupon {
    /// The stable name for machines, and the id at the provider.
    pub code: String,
    /// The name for people, which is printed on invoices.
    pub name: String,
    /// The percentage off, in hundredths of a percent; `None` for an amount off.
    pub percent_basis_points: Option<i64>,
    /// The amount off; `None` for a percentage off.
    pub amount_off: Option<AmountOff>,
    /// The duration of the discount.
    pub duration: DiscountDuration,
    /// The number of months of a repeating discount.
    pub duration_months: Option<i64>,
    /// The number of redemptions allowed; `None` for no limit.
    pub max_redemptions: Option<i64>,
    /// The time until which the coupon can be redeemed; `None` for no limit.
    pub redeem_by: Option<DateTime<Utc>>,
    /// Allows one redemption for each account.
    pub once_per_account: bool,
    /// The codes of the plans that the coupon is for; empty for all.
    pub plans: Vec<String>,
}

/// An amount that a coupon takes off.
#[derive(Debug, Clone, Serialize)]
pub struct AmountOff {
    /// The amount, in the currency's smallest unit.
    pub minor: i64,
    /// The currency: ISO 4217, upper case.
    pub currency: String,
}

/// A promotion code to create.
#[derive(Debug, Clone, Serialize)]
pub struct NewPromoCode {
    /// The coupon that the code gives.
    pub coupon_id: Uuid,
    /// The code that customers type.
    pub code: String,
    /// The number of redemptions allowed; `None` for no limit.
    pub max_redemptions: Option<i64>,
    /// The time until which the code can be redeemed; `None` for no limit.
    pub expires_at: Option<DateTime<Utc>>,
    /// Restricts the code to customers who have never paid.
    pub first_purchase_only: bool,
    /// The only account that may redeem the code; `None` for all.
    pub account_id: Option<Uuid>,
}

impl NewCoupon {
    /// Refuses a coupon with values that no coupon can have at `now`.
    pub fn check(&self, now: DateTime<Utc>) -> Result<()> {
        check_code(&self.code)?;
        if self.name.trim().is_empty() || self.name.chars().count() > MAX_NAME_CHARS {
            return Err(Error::refused("NAME_INVALID", &["name"], "`name` must have 1 to 40 characters."));
        }
        let is_valid = match (self.percent_basis_points, &self.amount_off) {
            (Some(points), None) => (1..=10_000).contains(&points),
            (None, Some(off)) => (1..=MAX_AMOUNT_OFF_MINOR).contains(&off.minor) && is_currency(&off.currency),
            _ => false,
        };
        if !is_valid {
            let message = "A coupon takes off either 1 to 10,000 hundredths of a percent, or 1 to 99,999,999 minor \
                units of a currency in upper case.";
            return Err(Error::refused("DISCOUNT_INVALID", &[], message));
        }
        let is_repeating = self.duration == DiscountDuration::Repeating;
        let is_valid = match self.duration_months {
            Some(months) => is_repeating && (1..=MAX_MONTHS).contains(&months),
            None => !is_repeating,
        };
        if !is_valid {
            let message = "`durationMonths` must be 1 to 120 for a repeating coupon, and absent for any other.";
            return Err(Error::refused("DURATION_INVALID", &["durationMonths"], message));
        }
        check_redemptions(self.max_redemptions)?;
        if !is_valid_end(self.redeem_by, now) {
            let message = "`redeemBy` must be in the future, and within five years.";
            return Err(Error::refused("EXPIRY_INVALID", &["redeemBy"], message));
        }
        Ok(())
    }

    /// Refuses a code that another coupon has.
    pub async fn check_unused(&self, txn: &Txn) -> Result<()> {
        if coupon_with_code(txn, &self.code).await?.is_some() {
            return Err(Error::refused("CODE_TAKEN", &["code"], "Another coupon has this code. Choose another code."));
        }
        Ok(())
    }
}

impl NewPromoCode {
    /// Refuses a promotion code with values that no code can have at `now`.
    pub fn check(&self, now: DateTime<Utc>) -> Result<()> {
        check_code(&self.code)?;
        check_redemptions(self.max_redemptions)?;
        if !is_valid_end(self.expires_at, now) {
            let message = "`expiresAt` must be in the future, and within five years.";
            return Err(Error::refused("EXPIRY_INVALID", &["expiresAt"], message));
        }
        Ok(())
    }

    /// Returns the coupon that the code will give, at Stripe. Refuses one that has ended, and a code that clashes with
    /// another one that `customer` could redeem, which is a customer at Stripe; `None` is all.
    pub async fn coupon(&self, txn: &Txn, customer: Option<&str>) -> Result<coupons::Model> {
        let found = coupon_by_id(txn, self.coupon_id).await?;
        let coupon = found.filter(|coupon| coupon.provider.as_deref() == Some("stripe")).ok_or_else(|| {
            let message = "Coupon not found: `couponId` must be a coupon at Stripe.";
            Error::refused("COUPON_NOT_FOUND", &["couponId"], message)
        })?;
        if !coupon.active {
            let message = "The coupon has ended or is used up. Create a new one with createCoupon.";
            return Err(Error::refused("COUPON_ENDED", &["couponId"], message));
        }
        if is_code_taken(txn, &self.code, customer).await? {
            let message = "Another active promotion code has these letters. Choose another code.";
            return Err(Error::refused("CODE_TAKEN", &["code"], message));
        }
        Ok(coupon)
    }
}

fn check_code(code: &str) -> Result<()> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if !code.is_empty() && code.len() <= MAX_CODE_BYTES && code.bytes().all(is_allowed) {
        return Ok(());
    }
    let message = "`code` must have 1 to 64 characters: letters A to Z, digits, '-' and '_'.";
    Err(Error::refused("CODE_INVALID", &["code"], message))
}

fn check_redemptions(max_redemptions: Option<i64>) -> Result<()> {
    if max_redemptions.is_none_or(|max| (1..=MAX_REDEMPTIONS).contains(&max)) {
        return Ok(());
    }
    let message = "`maxRedemptions` must be between 1 and 1,000,000,000.";
    Err(Error::refused("CAP_INVALID", &["maxRedemptions"], message))
}

fn is_valid_end(end: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
    end.is_none_or(|end| end > now && end <= now + MAX_LIFETIME)
}
