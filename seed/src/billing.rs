//! Charges of subscriptions, and the credits of paid periods.

use super::calendar::{At, seconds};
use super::credits::Entitled;
use super::lifecycle::Run;
use super::money::Bill;
use super::provider_terms::{Attempt, Reason};

impl Run<'_, '_> {
    /// Creates and pays the invoice of a period, unless the period is free.
    pub(super) fn charge(&mut self, at: At, attempt: Attempt) -> Option<usize> {
        let subtotal = self.sub.amount_minor();
        if subtotal == 0 || self.sub.row.provider == "manual" {
            return None;
        }
        let description = format!("Subscription ({})", self.sub.plan.code);
        // No first attempt is later than that.
        let first = at <= self.order.at + seconds(2);
        let reason = if first { Reason::Begin } else { Reason::Renew };
        self.bill(at, ("subscription", reason), description, subtotal, attempt)
    }

    /// Creates an invoice, and attempts to pay it a moment later.
    pub(super) fn bill(
        &mut self,
        at: At,
        (stream, reason): (&'static str, Reason),
        description: String,
        subtotal_minor: i64,
        attempt: Attempt,
    ) -> Option<usize> {
        let discount_minor = self.sub.discount_minor(at, subtotal_minor);
        let (subscription_id, period) = (Some(self.sub.row.id), Some(self.sub.period()));
        let bill = Bill { at, stream, reason, description, subscription_id, period, subtotal_minor, discount_minor };
        let invoice = self.customer.invoice(&bill);
        self.sub.row.latest_invoice_external_id = Some(self.customer.rows.invoices[invoice].external_id.clone());
        self.settle(&bill, invoice, at + seconds(1), attempt);
        Some(invoice)
    }

    /// Attempts again to pay an invoice.
    pub(super) fn retry(&mut self, invoice: Option<usize>, at: At, attempt: Attempt) {
        let Some(invoice) = invoice else { return };
        let bill = Bill {
            at,
            stream: "subscription",
            reason: Reason::Renew,
            description: format!("Subscription ({})", self.sub.plan.code),
            subscription_id: Some(self.sub.row.id),
            period: None,
            subtotal_minor: 0,
            discount_minor: 0,
        };
        self.settle(&bill, invoice, at, attempt);
    }

    fn settle(&mut self, bill: &Bill, invoice: usize, at: At, attempt: Attempt) {
        if let Some(paid) = self.customer.pay(bill, invoice, at, attempt) {
            self.sub.record_payment(self.customer, paid.at, paid.amount_minor);
        }
    }

    /// Marks an invoice as void or uncollectible.
    pub(super) fn void(&mut self, invoice: Option<usize>, status: &str) {
        if let Some(invoice) = invoice {
            status.clone_into(&mut self.customer.rows.invoices[invoice].status);
        }
    }

    /// Grants the plan's allowances of the present period. Those that are due already are granted when the last change of
    /// the subscription is known.
    pub(super) fn allow(&mut self) {
        let (period, since) = (self.sub.period(), self.sub.since.1);
        let (subscription_id, plan, known_at) = (self.sub.row.id, self.sub.plan, self.sub.row.updated_at);
        self.customer.allowances(&Entitled { subscription_id, plan, period, since, known_at });
    }
}
