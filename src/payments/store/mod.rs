//! Every query on payments, refunds, invoices, disputes and discounts.

mod discounts;
pub(super) mod mirror;
pub(super) mod redeem;
mod money;
mod refunds;

pub use discounts::{Coupons, PromoCodes, Redemptions, RedemptionsOf};
pub(super) use refunds::{
    lock_payment_by_id, lock_refund_by_id, lost_in_disputes, payment_by_id, refund_by_id, refunds_of,
};

pub use money::{Disputes, Invoices, InvoicesOf, Payments, PaymentsOf, Refunds, RefundsOf};
pub use redeem::{
    coupon_at_stripe, coupon_by_id, coupon_with_code, is_code_taken, promo_code_at_stripe, promo_code_by_id,
};
