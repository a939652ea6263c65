//! Every query on payments, refunds, invoices, disputes and discounts.

pub(super) mod discounts;
pub(super) mod mirror;
mod money;

pub use discounts::{Coupons, PromoCodes, Redemptions, RedemptionsOf};
pub use money::{Disputes, Invoices, InvoicesOf, Payments, PaymentsOf, Refunds, RefundsOf};
