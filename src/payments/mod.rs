//! Money: invoices, payments, refunds, disputes, and the discounts that lower them.
//!
//! Invariants: `refunded_minor` lies between zero and what was paid, and so does the sum of the refunds that are asked
//! for, approved or processed; money of different currencies is never added.

mod project;
mod redeem;
mod refund;
mod standing;
mod store;
mod values;

pub use project::{
    ObservedCoupon, ObservedDispute, ObservedInvoice, ObservedPayment, ObservedPromoCode, ObservedRedemption,
    ObservedRefund, note_credits_taken_back, project_coupon, project_invoice, project_payment, project_promo_code,
    project_redemption,
};
pub use redeem::{Redeemable, has_discount, redeemable};
pub use refund::{
    CARRY_OUT_REFUND, Denial, RefundRequest, approve_refund, deny_refund, refund, refund_refused, request_refund,
};
pub use standing::{Standing, standing};
pub use store::mirror::{by_external_id, has_coupon};
pub use store::{
    Coupons, Disputes, Invoices, InvoicesOf, Payments, PaymentsOf, PromoCodes, Redemptions, RedemptionsOf, Refunds,
    RefundsOf, coupon_at_stripe, coupon_by_id, coupon_with_code, is_code_taken, promo_code_at_stripe, promo_code_by_id,
};
pub use values::{DisputeStatus, InvoiceStatus, PaymentStatus, RefundStatus, RevenueStream};
