//! Every query on payments, refunds, invoices, disputes and discounts.

mod discounts;
pub(super) mod mirror;
pub(super) mod redeem;
mod money;

pub use discounts::{Coupons, PromoCodes, Redemptions, RedemptionsOf};
pub use money::{Disputes, Invoices, InvoicesOf, Payments, PaymentsOf, Refunds, RefundsOf};
pub use redeem::{
    coupon_at_stripe, coupon_by_id, coupon_with_code, is_code_taken, promo_code_at_stripe, promo_code_by_id,
};
