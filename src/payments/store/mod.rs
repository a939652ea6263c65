//! Every query on payments, refunds, invoices, disputes and discounts.

mod discounts;
pub(super) mod mirror;
pub(super) mod redeem;
mod money;

pub use discounts::{Coupons, PromoCodes, Redemptions, RedemptionsOf};
pub use money::{Disputes, Invoices, InvoicesOf, Payments, PaymentsOf, Refunds, RefundsOf};
