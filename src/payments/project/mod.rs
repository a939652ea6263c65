//! Projects money at the payment providers to our rows.

mod invoice;
mod observed;
mod payment;
mod refund;

pub use invoice::project_invoice;
pub use observed::{ObservedDispute, ObservedInvoice, ObservedPayment, ObservedRefund};
pub use payment::project_payment;
pub use refund::note_credits_taken_back;
