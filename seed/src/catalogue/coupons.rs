//! Coupons and their promotion codes.

use crate::calendar::{At, Calendar, days};
use crate::dice::Dice;
use crate::rows::Rows;
use ::entity::{coupons, promo_codes};
use uuid::Uuid;

/// The duration of a coupon's discount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Duration {
    Once,
    Months(i64),
    Forever,
}

impl Duration {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Duration::Once => "once",
            Duration::Months(_) => "repeating",
            Duration::Forever => "forever",
        }
    }
}

/// A coupon.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Coupon {
    pub(crate) id: Uuid,
    pub(crate) promo_code_id: Uuid,
    pub(crate) percent_basis_points: Option<i64>,
    pub(crate) amount_off_minor: Option<i64>,
    pub(crate) currency: Option<&'static str>,
    pub(crate) duration: Duration,
    pub(crate) redeem_by: At,
    /// The maximum number of redemptions; only the first customers are offered such a coupon.
    pub(crate) max_redemptions: Option<i64>,
}

struct Spec(&'static str, &'static str, Option<i64>, Option<(i64, &'static str)>, Duration, Option<i64>, i64);

/// Code, name, basis points, amount off, duration, cap, last day to redeem it in days before now (negative: after).
const SPECS: [Spec; 8] = [
    Spec("WELCOME20", "20 % off the first invoice", Some(2_000), None, Duration::Once, None, -90),
    Spec("SPRING50", "Half price for three months", Some(5_000), None, Duration::Months(3), None, 150),
    Spec("AUTUMN30", "30 % off for three months", Some(3_000), None, Duration::Months(3), None, -20),
    Spec("FOUNDERS", "15 % off for ever", Some(1_500), None, Duration::Forever, Some(500), -365),
    Spec("STUDENT", "A third off for students", Some(3_333), None, Duration::Forever, None, -365),
    Spec("TAKE5", "5 dollars off", None, Some((500, "USD")), Duration::Once, None, -60),
    Spec("EURO2", "2 euros off for half a year", None, Some((200, "EUR")), Duration::Months(6), None, -60),
    Spec("FRIEND1", "1 dollar off for ever", None, Some((100, "USD")), Duration::Forever, None, -365),
];

/// Writes the coupons, each with a promotion code, and returns those that can be redeemed.
pub(super) fn coupons(dice: &mut Dice, rows: &mut Rows, calendar: &Calendar) -> Vec<Coupon> {
    let created_at = calendar.start - days(20);
    let mut coupons = Vec::new();
    for Spec(code, name, percent_basis_points, off, duration, max_redemptions, until) in SPECS {
        let (id, promo_code_id) = (dice.id(created_at), dice.id(created_at));
        let redeem_by = calendar.now - days(until);
        let (amount_off_minor, currency) = (off.map(|off| off.0), off.map(|off| off.1));
        let active = redeem_by > calendar.now;
        rows.coupons.push(coupons::Model {
            id,
            code: code.to_lowercase(),
            name: name.to_owned(),
            percent_basis_points,
            amount_off_minor,
            currency: currency.map(str::to_owned),
            duration: duration.name().to_owned(),
            duration_months: if let Duration::Months(months) = duration { Some(months) } else { None },
            max_redemptions,
            redeem_by: Some(redeem_by),
            active,
            created_at,
            provider: None,
            external_id: None,
            times_redeemed: 0,
            once_per_account: false,
        });
        rows.promo_codes.push(promo_codes::Model {
            id: promo_code_id,
            coupon_id: id,
            code: code.to_owned(),
            code_normalized: code.to_lowercase(),
            max_redemptions,
            first_purchase_only: matches!(duration, Duration::Once),
            expires_at: Some(redeem_by),
            active,
            created_at,
            provider: None,
            external_id: None,
            times_redeemed: 0,
            customer_external_id: None,
        });
        coupons.push(Coupon {
            id,
            promo_code_id,
            percent_basis_points,
            amount_off_minor,
            currency,
            duration,
            redeem_by,
            max_redemptions,
        });
    }
    coupons
}
