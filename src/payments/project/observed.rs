//! Money as a payment provider has it, independent of the provider.

use crate::payments::values::{DisputeStatus, InvoiceStatus, PaymentStatus, RefundStatus, RevenueStream};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// An invoice at a payment provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedInvoice {
    /// The provider: `stripe` or `paddle`.
    pub provider: &'static str,
    /// Its id at the provider.
    pub external_id: String,
    /// The customer's id at the provider.
    pub customer_external_id: Option<String>,
    /// The id of its subscription at the provider.
    pub subscription_external_id: Option<String>,
    /// The id of its payment at the provider.
    pub payment_external_id: Option<String>,
    /// Its number as people read it.
    pub number: Option<String>,
    /// Its status.
    pub status: InvoiceStatus,
    /// The provider's reason for creating it.
    pub billing_reason: Option<String>,
    /// ISO 4217 code in upper case.
    pub currency: String,
    /// Amount before discounts and tax; negative for a credit, like the following three.
    pub subtotal_minor: i64,
    /// Sum of the discounts, without the tax on them.
    pub discount_minor: i64,
    /// Tax, both included in prices and added to them, such that total = subtotal - discount + tax.
    pub tax_minor: i64,
    /// Total.
    pub total_minor: i64,
    /// Amount due.
    pub due_minor: i64,
    /// Amount paid.
    pub paid_minor: i64,
    /// Number of attempts to collect it.
    pub attempt_count: i64,
    /// Billed period.
    pub period: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// Due date.
    pub due_at: Option<DateTime<Utc>>,
    /// Time of payment.
    pub paid_at: Option<DateTime<Utc>>,
    /// URL of the page to view and pay it.
    pub hosted_url: Option<String>,
    /// Time of creation at the provider.
    pub created_at: DateTime<Utc>,
}

/// A payment at a payment provider, with its refunds and disputes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedPayment {
    /// The provider: `stripe` or `paddle`.
    pub provider: &'static str,
    /// Its id at the provider.
    pub external_id: String,
    /// The customer's id at the provider.
    pub customer_external_id: Option<String>,
    /// The id of its successful charge at the provider; `None` if there is none.
    pub charge_external_id: Option<String>,
    /// The id of its invoice at the provider.
    pub invoice_external_id: Option<String>,
    /// The id of its subscription at the provider.
    pub subscription_external_id: Option<String>,
    /// Its stream of revenue.
    pub stream: RevenueStream,
    /// Its status.
    pub status: PaymentStatus,
    /// The provider's own status.
    pub provider_status: Option<String>,
    /// ISO 4217 code in upper case.
    pub currency: String,
    /// Amount: what was captured of a payment that succeeded, else the amount requested.
    pub amount_minor: i64,
    /// Amount received.
    pub received_minor: i64,
    /// Amount refunded so far, in the payment's currency; it goes down again when a refund fails.
    pub refunded_minor: i64,
    /// The provider's fee; `None` if it is not stated.
    pub fee_minor: Option<i64>,
    /// True if there is or was a dispute.
    pub disputed: bool,
    /// Number of failed attempts.
    pub failed_attempts: i64,
    /// The provider's code of the last failure; `None` once it succeeded.
    pub failure_code: Option<String>,
    /// Its purpose for people to read.
    pub description: Option<String>,
    /// Time of success; set if and only if the status is `Succeeded`.
    pub paid_at: Option<DateTime<Utc>>,
    /// Time of creation at the provider.
    pub created_at: DateTime<Utc>,
    /// Its refunds.
    pub refunds: Vec<ObservedRefund>,
    /// Its disputes.
    pub disputes: Vec<ObservedDispute>,
}

impl ObservedPayment {
    /// Returns the part that is gone again, by refunds and lost disputes, in the payment's currency; `None` if some of it
    /// went in another currency and the provider does not state it in this one.
    pub fn returned_minor(&self) -> Option<i64> {
        let live = || self.refunds.iter().filter(|refund| refund.status.returns_money());
        let own = live().filter(|refund| refund.currency == self.currency);
        let own = own.fold(0_i64, |sum, refund| sum.saturating_add(refund.amount_minor));
        // The provider's figure is in the payment's currency, and holds the others if it is larger.
        let is_known = self.refunded_minor > own || live().all(|refund| refund.currency == self.currency);
        let are_known = self.disputes.iter().all(|dispute| dispute.lost_minor.is_some());
        (is_known && are_known).then(|| self.known_returned_minor())
    }

    /// Returns the part that is known to be gone.
    pub fn known_returned_minor(&self) -> i64 {
        let lost = self.disputes.iter().filter_map(|dispute| dispute.lost_minor);
        lost.fold(self.refunded_minor, i64::saturating_add).clamp(0, self.received_minor.max(0))
    }
}

/// A refund at a payment provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedRefund {
    /// Its id at the provider.
    pub external_id: String,
    /// The id of the refunded charge at the provider.
    pub charge_external_id: Option<String>,
    /// The refund of ours that it executes; `None` if it was created at the provider.
    pub refund_id: Option<Uuid>,
    /// Its status.
    pub status: RefundStatus,
    /// The provider's own status.
    pub provider_status: String,
    /// Amount in minor units of its own currency.
    pub amount_minor: i64,
    /// ISO 4217 code in upper case.
    pub currency: String,
    /// The provider's reason.
    pub reason: Option<String>,
    /// Time of creation at the provider.
    pub created_at: DateTime<Utc>,
    /// Time of execution; set if and only if the status is `Processed`.
    pub processed_at: Option<DateTime<Utc>>,
    /// The provider's code of the failure.
    pub failure_code: Option<String>,
}

/// A dispute at a payment provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedDispute {
    /// Its id at the provider.
    pub external_id: String,
    /// The id of the disputed charge at the provider.
    pub charge_external_id: Option<String>,
    /// Its status.
    pub status: DisputeStatus,
    /// The provider's own status.
    pub provider_status: String,
    /// Amount in minor units of its own currency.
    pub amount_minor: i64,
    /// ISO 4217 code in upper case.
    pub currency: String,
    /// The part of the payment that was lost with it, in the payment's currency; `None` if it is unknown.
    pub lost_minor: Option<i64>,
    /// The provider's reason.
    pub reason: Option<String>,
    /// Time of creation at the provider.
    pub created_at: DateTime<Utc>,
    /// Time of the decision; set if and only if the status is `Won` or `Lost`.
    pub closed_at: Option<DateTime<Utc>>,
}

/// Returns the observed reference, or else that of the existing row: a known reference is never erased.
pub(super) fn or_known<M>(
    observed: &Option<String>,
    known: Option<&M>,
    column: impl Fn(&M) -> &Option<String>,
) -> Option<String> {
    observed.clone().or_else(|| known.and_then(|row| column(row).clone()))
}
