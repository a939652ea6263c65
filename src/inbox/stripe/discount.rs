//! Reads coupons, promotion codes, and their redemptions.

use super::fields::{currency, id, own_amount};
use crate::discounts::{ObservedCoupon, ObservedPromoCode, ObservedRedemption};
use crate::inbox::json::{at, minor, seconds, text};
use crate::inbox::object::Object;
use crate::subscriptions::{DiscountDuration, Exact, decimal};
use serde_json::Value;

/// Reads a coupon.
pub(in crate::inbox) fn coupon(object: &Object) -> Option<ObservedCoupon> {
    let coupon = &object.payload;
    let percent_basis_points = percent_basis_points(coupon);
    let amount_off = own_amount(coupon, "amount_off").filter(|amount| *amount > 0).zip(currency(coupon));
    if percent_basis_points.is_some() == amount_off.is_some() {
        return None;
    }
    let duration = duration(coupon)?;
    let months = minor(at(coupon, "duration_in_months")).filter(|months| *months > 0);
    Some(ObservedCoupon {
        provider: "stripe",
        external_id: object.external_id.clone(),
        name: text(coupon, "name").map(str::to_owned),
        percent_basis_points,
        amount_off,
        duration,
        duration_months: (duration == DiscountDuration::Repeating).then(|| months.unwrap_or(1)),
        max_redemptions: minor(at(coupon, "max_redemptions")).filter(|most| *most > 0),
        redeem_by: seconds(at(coupon, "redeem_by")),
        times_redeemed: minor(at(coupon, "times_redeemed")).unwrap_or(0).max(0),
        once_per_account: text(coupon, "metadata.tollgate_once_per_account") == Some("true"),
        valid: at(coupon, "valid") == &Value::Bool(true) && !object.deleted,
        created_at: seconds(at(coupon, "created")).unwrap_or(object.occurred_at),
    })
}

/// Reads a promotion code.
pub(in crate::inbox) fn promo_code(object: &Object) -> Option<ObservedPromoCode> {
    let promo_code = &object.payload;
    Some(ObservedPromoCode {
        provider: "stripe",
        external_id: object.external_id.clone(),
        // Since clover the coupon is below `promotion`.
        coupon_external_id: id(at(promo_code, "coupon")).or_else(|| id(at(promo_code, "promotion.coupon")))?,
        code: text(promo_code, "code")?.to_owned(),
        customer_external_id: id(at(promo_code, "customer")),
        max_redemptions: minor(at(promo_code, "max_redemptions")).filter(|most| *most > 0),
        first_purchase_only: at(promo_code, "restrictions.first_time_transaction") == &Value::Bool(true),
        expires_at: seconds(at(promo_code, "expires_at")),
        times_redeemed: minor(at(promo_code, "times_redeemed")).unwrap_or(0).max(0),
        active: at(promo_code, "active") == &Value::Bool(true),
        created_at: seconds(at(promo_code, "created")).unwrap_or(object.occurred_at),
    })
}

/// Reads a discount that a customer was given.
pub(in crate::inbox) fn redemption(object: &Object) -> Option<ObservedRedemption> {
    let discount = &object.payload;
    let (redeemed_at, end) = (seconds(at(discount, "start"))?, seconds(at(discount, "end")));
    Some(ObservedRedemption {
        provider: "stripe",
        coupon_external_id: coupon_of(discount)?,
        promo_code_external_id: id(at(discount, "promotion_code")),
        subscription_external_id: id(at(discount, "subscription")),
        redeemed_at,
        // A discount that was removed before its end, ended then.
        ends_at: if object.deleted { Some(object.occurred_at.max(redeemed_at)) } else { end },
    })
}

/// Returns the id of the coupon of a discount; since clover it is below `source`.
pub(in crate::inbox) fn coupon_of(discount: &Value) -> Option<String> {
    id(at(discount, "coupon")).or_else(|| id(at(discount, "source.coupon")))
}

/// Reads the duration of the discounts of a coupon.
pub(super) fn duration(coupon: &Value) -> Option<DiscountDuration> {
    text(coupon, "duration")?.parse().ok()
}

/// Reads `percent_off`, a number with up to four decimals, exactly.
pub(super) fn percent_off(coupon: &Value) -> Option<Exact> {
    let percent = at(coupon, "percent_off");
    let written = percent.as_str().map_or_else(|| percent.to_string(), str::to_owned);
    decimal(&written).filter(|percent| *percent > Exact::from_integer(0) && *percent <= Exact::from_integer(100))
}

/// Reads `percent_off` in hundredths of a percent, rounded half up.
fn percent_basis_points(coupon: &Value) -> Option<i64> {
    let points = (percent_off(coupon)? * Exact::from_integer(100)).round().to_integer();
    i64::try_from(points).ok().filter(|points| (1..=10_000).contains(points))
}
