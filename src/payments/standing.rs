//! The balance between money received and money returned.

use super::store;
use super::values::PaymentStatus;
use crate::db::Txn;
use crate::error::Result;
use chrono::{DateTime, FixedOffset};
use uuid::Uuid;

/// The outcome of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// No money was received.
    Unpaid,
    /// Received at this time, and not fully returned.
    Paid(DateTime<FixedOffset>),
    /// Received at this time, and fully returned by refunds or lost disputes.
    Returned(DateTime<FixedOffset>),
}

/// Returns the outcome of the payment with this id.
pub async fn standing(txn: &Txn, payment_id: Option<Uuid>) -> Result<Standing> {
    let Some(id) = payment_id else { return Ok(Standing::Unpaid) };
    let Some(payment) = store::payment_by_id(txn, id).await? else { return Ok(Standing::Unpaid) };
    let succeeded = PaymentStatus::parse(&payment.status)? == PaymentStatus::Succeeded;
    let Some(paid_at) = payment.paid_at.filter(|_| succeeded) else { return Ok(Standing::Unpaid) };
    // A part that is unknown is not taken for the whole.
    let returned = payment.returned_minor.is_some_and(|returned| returned >= payment.received_minor);
    Ok(if returned { Standing::Returned(paid_at) } else { Standing::Paid(paid_at) })
}
