//! What a subscription is charged, and the credits that come with a paid period.

use super::calendar::{At, seconds};
use super::credits::Entitled;
use super::life::Run;
use super::mirror::Reason;
use super::money::{Attempt, Bill};

impl Run<'_, '_> {
    /// Draws up and pays the invoice of a period, where it costs anything.
    pub(super) fn charge(&mut self, at: At, attempt: Attempt) -> Option<usize> {
        let subtotal = self.sub.amount_minor();
        if subtotal == 0 || self.sub.row.provider == "manual" {
            return None;
        }
        let description = format!("Subscription ({})", self.sub.plan.code);
        // Nobody waits longer than that for the first attempt.
        let first = at <= self.order.at + seconds(2);
        let reason = if first { Reason::Begin } else { Reason::Renew };
        self.bill(at, ("subscription", reason), description, subtotal, attempt)
    }

    /// Draws up an invoice, and tries to have it paid a moment later.
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

    /// Tries again to have an invoice paid.
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
            self.sub.paid(self.customer, paid.at, paid.amount_minor);
        }
    }

    /// Gives an invoice up.
    pub(super) fn void(&mut self, invoice: Option<usize>, status: &str) {
        if let Some(invoice) = invoice {
            status.clone_into(&mut self.customer.rows.invoices[invoice].status);
        }
    }

    pub(super) fn allow_first(&mut self) {
        let (from, to) = self.sub.period();
        self.allow(from, to, true);
    }

    pub(super) fn allow_period(&mut self) {
        let (from, to) = self.sub.period();
        self.allow(from, to, false);
    }

    /// Grants what the plan allows between `from` and `to`.
    pub(super) fn allow(&mut self, from: At, to: At, first: bool) {
        let (subscription_id, plan) = (self.sub.row.id, self.sub.plan);
        self.customer.allowances(&Entitled { subscription_id, plan, from, to, first });
    }
}
