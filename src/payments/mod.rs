//! Money: invoices, payments, refunds, disputes, and the discounts that lower them.
//!
//! Invariants: `refunded_minor` lies between zero and what was paid; money of different currencies is never added.

mod project;
mod redeem;
mod store;

pub use project::{
    ObservedCoupon, ObservedDispute, ObservedInvoice, ObservedPayment, ObservedPromoCode, ObservedRedemption,
    ObservedRefund, project_coupon, project_invoice, project_payment, project_promo_code, project_redemption,
};
pub use redeem::{Redeemable, has_discount, redeemable};
pub use store::mirror::by_external_id;
pub use store::{
    Coupons, Disputes, Invoices, InvoicesOf, Payments, PaymentsOf, PromoCodes, Redemptions, RedemptionsOf, Refunds,
    RefundsOf, coupon_at_stripe, coupon_by_id, coupon_with_code, is_code_taken, promo_code_at_stripe, promo_code_by_id,
};
