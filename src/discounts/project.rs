//! Projects coupons, promotion codes and their redemptions at the payment providers to our rows.

use super::store::mirror as store;
use crate::db::{Mirror, Mirrored};
use crate::error::{Error, Result};
use crate::subscriptions::{self, DiscountDuration};
use chrono::{DateTime, Utc};
use entity::{coupons, discount_redemptions, promo_codes};
use sea_orm::ActiveValue::{NotSet, Set};
use uuid::Uuid;

/// A coupon at a payment provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedCoupon {
    /// The provider: `stripe` or `paddle`.
    pub provider: &'static str,
    /// Its id at the provider.
    pub external_id: String,
    /// A name for people to read.
    pub name: Option<String>,
    /// Percentage off, in hundredths of a percent.
    pub percent_basis_points: Option<i64>,
    /// Amount off in minor units, with its currency in upper case.
    pub amount_off: Option<(i64, String)>,
    /// Duration of the discount.
    pub duration: DiscountDuration,
    /// Number of months if it repeats.
    pub duration_months: Option<i64>,
    /// Maximum number of redemptions.
    pub max_redemptions: Option<i64>,
    /// End of the time to redeem it.
    pub redeem_by: Option<DateTime<Utc>>,
    /// Number of redemptions so far.
    pub times_redeemed: i64,
    /// True if it can be redeemed now.
    pub valid: bool,
    /// True if each account may redeem it only once.
    pub once_per_account: bool,
    /// Time of creation at the provider.
    pub created_at: DateTime<Utc>,
}

/// A promotion code at a payment provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedPromoCode {
    /// The provider: `stripe` or `paddle`.
    pub provider: &'static str,
    /// Its id at the provider.
    pub external_id: String,
    /// The id of its coupon at the provider.
    pub coupon_external_id: String,
    /// The code as people type it.
    pub code: String,
    /// The id of the only customer at the provider who may use it; `None` for everyone.
    pub customer_external_id: Option<String>,
    /// Maximum number of redemptions.
    pub max_redemptions: Option<i64>,
    /// True if it is only for a first purchase.
    pub first_purchase_only: bool,
    /// End of the time to redeem it.
    pub expires_at: Option<DateTime<Utc>>,
    /// Number of redemptions so far.
    pub times_redeemed: i64,
    /// True if it can be redeemed now.
    pub active: bool,
    /// Time of creation at the provider.
    pub created_at: DateTime<Utc>,
}

/// A redemption of a coupon at a payment provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedRedemption {
    /// The provider: `stripe` or `paddle`.
    pub provider: &'static str,
    /// The coupon's id at the provider.
    pub coupon_external_id: String,
    /// The promotion code's id at the provider, if one was used.
    pub promo_code_external_id: Option<String>,
    /// The id of the discounted subscription at the provider.
    pub subscription_external_id: Option<String>,
    /// Time of redemption.
    pub redeemed_at: DateTime<Utc>,
    /// End of the discount, past or future.
    pub ends_at: Option<DateTime<Utc>>,
}

/// Mirrors a coupon. Its code is its id at the provider; a coupon created by hand with that code becomes its mirror.
pub async fn project_coupon(mirror: &mut Mirror<'_>, coupon: &ObservedCoupon) -> Result<Mirrored<coupons::Model>> {
    let mut found = store::lock_coupon(mirror.txn, coupon.provider, &coupon.external_id).await?;
    let mut code = coupon.external_id.clone();
    if let Some(known) = &found {
        code.clone_from(&known.code);
    } else if let Some(other) = store::lock_coupon_with_code(mirror.txn, &code).await? {
        match other.provider {
            None => found = Some(other),
            // Another provider has a coupon with this id.
            Some(_) => code = format!("{}:{}", coupon.provider, coupon.external_id),
        }
    }
    let percent = coupon.percent_basis_points.filter(|points| (1..=10_000).contains(points));
    let amount = coupon.amount_off.as_ref().filter(|(amount, _)| percent.is_none() && *amount > 0);
    if percent.is_none() && amount.is_none() {
        return Err(Error::internal(anyhow::anyhow!("The coupon {} takes nothing off.", coupon.external_id)));
    }
    // A repeating coupon without an end lasts forever.
    let months = coupon.duration_months.filter(|months| coupon.duration == DiscountDuration::Repeating && *months > 0);
    let duration = match coupon.duration {
        DiscountDuration::Repeating if months.is_none() => DiscountDuration::Forever,
        duration => duration,
    };
    let wanted = coupons::ActiveModel {
        id: Set(mirror.txn.new_id()),
        name: Set(coupon.name.clone().unwrap_or_else(|| code.clone())),
        code: Set(code),
        percent_basis_points: Set(percent),
        amount_off_minor: Set(amount.map(|(amount, _)| *amount)),
        currency: Set(amount.map(|(_, currency)| currency.clone())),
        duration: Set(duration.to_string()),
        duration_months: Set(months),
        max_redemptions: Set(coupon.max_redemptions.filter(|most| *most > 0)),
        redeem_by: Set(coupon.redeem_by.map(|at| at.fixed_offset())),
        active: Set(coupon.valid),
        created_at: Set(coupon.created_at.fixed_offset()),
        provider: Set(Some(coupon.provider.to_owned())),
        external_id: Set(Some(coupon.external_id.clone())),
        times_redeemed: Set(coupon.times_redeemed.max(0)),
        once_per_account: Set(coupon.once_per_account),
    };
    mirror.write::<coupons::Entity>(&coupon.external_id, found, wanted).await
}

/// Mirrors a promotion code; returns `None` if its coupon is not mirrored yet. A promotion code created by hand for
/// that coupon with the same letters becomes its mirror.
pub async fn project_promo_code(
    mirror: &mut Mirror<'_>,
    promo_code: &ObservedPromoCode,
) -> Result<Option<Mirrored<promo_codes::Model>>> {
    let (provider, external_id) = (promo_code.provider, &promo_code.external_id);
    let Some(coupon) = store::coupon(mirror.txn, provider, &promo_code.coupon_external_id).await? else {
        return Ok(None);
    };
    let normalized = promo_code.code.trim().to_lowercase();
    let mut found = store::lock_promo_code(mirror.txn, provider, external_id).await?;
    if found.is_none() {
        found = store::lock_own_promo_code(mirror.txn, coupon.id, &normalized).await?;
    }
    let wanted = promo_codes::ActiveModel {
        id: Set(mirror.txn.new_id()),
        coupon_id: Set(coupon.id),
        code: Set(promo_code.code.clone()),
        code_normalized: Set(normalized),
        max_redemptions: Set(promo_code.max_redemptions.filter(|most| *most > 0)),
        first_purchase_only: Set(promo_code.first_purchase_only),
        expires_at: Set(promo_code.expires_at.map(|at| at.fixed_offset())),
        active: Set(promo_code.active),
        created_at: Set(promo_code.created_at.fixed_offset()),
        provider: Set(Some(provider.to_owned())),
        external_id: Set(Some(external_id.clone())),
        times_redeemed: Set(promo_code.times_redeemed.max(0)),
        customer_external_id: Set(promo_code.customer_external_id.clone()),
    };
    Ok(Some(mirror.write::<promo_codes::Entity>(external_id, found, wanted).await?))
}

/// Mirrors a redemption by `account_id`; returns false if its coupon or subscription is not mirrored yet.
///
/// Two redemptions of one coupon for one subscription are one row, with the later time.
pub async fn project_redemption(
    mirror: &mut Mirror<'_>,
    account_id: Uuid,
    redemption: &ObservedRedemption,
) -> Result<bool> {
    let provider = redemption.provider;
    let Some(coupon) = store::coupon(mirror.txn, provider, &redemption.coupon_external_id).await? else {
        return Ok(false);
    };
    let subscription_id = match &redemption.subscription_external_id {
        None => None,
        Some(id) => match subscriptions::find_id(mirror.txn, provider, id).await? {
            None => return Ok(false),
            found => found,
        },
    };
    let promo_code = match &redemption.promo_code_external_id {
        Some(id) => store::promo_code(mirror.txn, provider, id).await?,
        None => None,
    };
    let found = store::lock_redemption(mirror.txn, coupon.id, account_id, subscription_id).await?;
    let redeemed_at = redemption.redeemed_at.fixed_offset();
    if found.as_ref().is_some_and(|found| found.redeemed_at > redeemed_at) {
        return Ok(true);
    }
    let wanted = discount_redemptions::ActiveModel {
        id: Set(mirror.txn.new_id()),
        account_id: Set(account_id),
        coupon_id: Set(coupon.id),
        promo_code_id: match (promo_code, &found) {
            (None, Some(_)) => NotSet,
            (promo_code, _) => Set(promo_code.map(|promo_code| promo_code.id)),
        },
        subscription_id: Set(subscription_id),
        redeemed_at: Set(redeemed_at),
        // A discount that never began ended at its planned start.
        ends_at: Set(redemption.ends_at.map(|at| at.fixed_offset().max(redeemed_at))),
    };
    let subscription = redemption.subscription_external_id.as_deref().unwrap_or("customer");
    let name = format!("{}:{subscription}", redemption.coupon_external_id);
    mirror.write::<discount_redemptions::Entity>(&name, found, wanted).await?;
    Ok(true)
}
