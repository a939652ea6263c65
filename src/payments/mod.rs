//! Money: invoices, payments, refunds, disputes, and the discounts that lower them.
//!
//! Invariants: `refunded_minor` lies between zero and what was paid; money of different currencies is never added.

mod store;

pub use store::{
    Coupons, Disputes, Invoices, InvoicesOf, Payments, PaymentsOf, PromoCodes, Redemptions, RedemptionsOf, Refunds,
    RefundsOf,
};
