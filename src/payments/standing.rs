//! Whether the money of a payment is here.

use super::store;
use super::values::PaymentStatus;
use crate::db::Txn;
use crate::error::Result;
use chrono::{DateTime, FixedOffset};
use uuid::Uuid;

/// What became of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// No money has come.
    Unpaid,
    /// It came at this time, and some of it is still here.
    Paid(DateTime<FixedOffset>),
    /// It came at this time, and all of it went back: by refunds, or by disputes that are lost.
    Returned(DateTime<FixedOffset>),
}

/// What became of the payment with this id.
pub async fn standing(txn: &Txn, payment_id: Option<Uuid>) -> Result<Standing> {
    let Some(id) = payment_id else { return Ok(Standing::Unpaid) };
    let Some(payment) = store::payment_by_id(txn, id).await? else { return Ok(Standing::Unpaid) };
    let succeeded = PaymentStatus::parse(&payment.status)? == PaymentStatus::Succeeded;
    let Some(paid_at) = payment.paid_at.filter(|_| succeeded) else { return Ok(Standing::Unpaid) };
    let lost = store::lost_in_disputes(txn, id).await?;
    let returned = payment.refunded_minor.saturating_add(lost) >= payment.received_minor;
    Ok(if returned { Standing::Returned(paid_at) } else { Standing::Paid(paid_at) })
}
