//! Queries on payments, refunds, invoices and disputes.

pub(super) mod mirror;
mod money;
mod refunds;

pub(super) use refunds::{lock_payment_by_id, lock_refund_by_id, payment_by_id, refund_by_id, refunds_of};

pub use money::{Disputes, Invoices, InvoicesOf, Payments, PaymentsOf, Refunds, RefundsOf};
