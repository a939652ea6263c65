//! Money: invoices, payments, refunds and disputes.
//!
//! Invariants: `refunded_minor` is between zero and the amount paid, and so is the sum of the requested, approved and
//! processed refunds; amounts in different currencies are never added.

mod project;
mod refund;
mod standing;
mod store;
mod values;

pub use project::{
    ObservedDispute, ObservedInvoice, ObservedPayment, ObservedRefund, note_credits_taken_back, project_invoice,
    project_payment,
};
pub use refund::{Denial, RefundRequest, Withdraw, approve_refund, deny_refund, fail_refund, refund, request_refund};
pub use standing::{Standing, standing};
pub use store::mirror::{by_external_id, for_subscription};
pub use store::{Disputes, Invoices, InvoicesOf, Payments, PaymentsOf, Refunds, RefundsOf};
pub use values::{DisputeStatus, InvoiceStatus, PaymentStatus, RefundStatus, RevenueStream};
