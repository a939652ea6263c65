//! Every query on payments, refunds, invoices, disputes and discounts.

mod discounts;
mod money;

pub use discounts::{Coupons, PromoCodes, Redemptions, RedemptionsOf};
pub use money::{Disputes, Invoices, InvoicesOf, Payments, PaymentsOf, Refunds, RefundsOf};
