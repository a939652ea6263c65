//! Discounts: coupons, the promotion codes that give them, and their redemptions.
//!
//! Invariants: a coupon takes off either a percentage or an amount; a coupon that is for each account once is redeemed
//! by an account once. All discounts are made at the payment providers, where `billing` makes ours, and mirrored here.

mod new;
mod project;
mod redeem;
mod store;

pub use new::{AmountOff, NewCoupon, NewPromoCode};
pub use project::{
    ObservedCoupon, ObservedPromoCode, ObservedRedemption, project_coupon, project_promo_code, project_redemption,
};
pub use redeem::{Redeemable, redeemable};
pub use store::mirror::has_coupon;
pub use store::redeem::{
    coupon_at_stripe, coupon_by_id, coupon_with_code, has_discount, is_code_taken, promo_code_at_stripe,
    promo_code_by_id,
};
pub use store::{Coupons, PromoCodes, Redemptions, RedemptionsOf};
