//! Invoices, payments, refunds and disputes.

use super::calendar::{At, days, hours, seconds};
use super::credit_events::Event;
use super::customer::Customer;
use super::provider_terms::{Attempt, Reason, payment_word, refund_word};
use ::entity::{audit_log, disputes, invoices, payments, refunds};
use serde_json::json;
use uuid::Uuid;

/// An amount to be paid.
pub(super) struct Bill {
    pub(super) at: At,
    pub(super) stream: &'static str,
    pub(super) reason: Reason,
    pub(super) description: String,
    pub(super) subscription_id: Option<Uuid>,
    pub(super) period: Option<(At, At)>,
    pub(super) subtotal_minor: i64,
    pub(super) discount_minor: i64,
}

/// A payment that succeeded.
#[derive(Clone, Copy)]
pub(super) struct Paid {
    pub(super) payment_id: Uuid,
    pub(super) at: At,
    pub(super) amount_minor: i64,
}

impl Customer<'_> {
    /// Creates the invoice for `bill`, and returns its index among the rows.
    pub(super) fn invoice(&mut self, bill: &Bill) -> usize {
        let net = bill.subtotal_minor - bill.discount_minor;
        let taxed = self.provider == "paddle" && self.currency == "EUR";
        let tax_minor = if taxed { (net * 19 + 50) / 100 } else { 0 };
        let total_minor = net + tax_minor;
        self.invoices += 1;
        let id = self.dice.id(bill.at);
        let external_id = self.dice.token("in_");
        let page = || format!("https://invoice.example.com/{external_id}");
        let invoice = invoices::Model {
            id,
            account_id: self.account_id,
            subscription_id: bill.subscription_id,
            provider: self.provider.to_owned(),
            hosted_url: (self.provider == "stripe").then(page),
            external_id,
            number: Some(format!("{:08}-{:04}", self.number, self.invoices)),
            status: if total_minor == 0 { "paid" } else { "open" }.to_owned(),
            currency: self.currency.to_owned(),
            subtotal_minor: bill.subtotal_minor,
            discount_minor: bill.discount_minor,
            tax_minor,
            total_minor,
            paid_minor: 0,
            period_start: bill.period.map(|period| period.0),
            period_end: bill.period.map(|period| period.1),
            due_at: Some(bill.at),
            paid_at: (total_minor == 0).then_some(bill.at),
            created_at: bill.at,
            customer_external_id: Some(self.reference.clone()),
            payment_external_id: None,
            billing_reason: Some(bill.reason.word(self.provider).to_owned()),
            due_minor: total_minor,
            attempt_count: 0,
        };
        self.rows.invoices.push(invoice);
        self.rows.invoices.len() - 1
    }

    /// Attempts to pay an invoice, given by its index, at `at`.
    pub(super) fn pay(&mut self, bill: &Bill, invoice: usize, at: At, attempt: Attempt) -> Option<Paid> {
        let (invoice_id, amount_minor) = (self.rows.invoices[invoice].id, self.rows.invoices[invoice].total_minor);
        if amount_minor == 0 {
            return None;
        }
        let succeeds = attempt == Attempt::Succeeds;
        let paid_at = succeeds.then(|| at + seconds(self.dice.between(1, 4)));
        let id = self.dice.id(at);
        let failure = ["card_declined", "insufficient_funds", "expired_card", "authentication_required"];
        let failure_code = (attempt == Attempt::Fails).then(|| (*self.dice.pick(&failure)).to_owned());
        let external_id = self.dice.token(if self.provider == "stripe" { "pi_" } else { "txn_" });
        let status = match attempt {
            Attempt::Succeeds => "succeeded",
            Attempt::Fails => "failed",
            Attempt::Pends => "pending",
        };
        let kind = match (self.provider, attempt) {
            ("stripe", Attempt::Succeeds) => "invoice.paid",
            ("stripe", Attempt::Fails) => "invoice.payment_failed",
            ("stripe", Attempt::Pends) => "payment_intent.processing",
            (_, Attempt::Succeeds) => "transaction.completed",
            (_, Attempt::Fails) => "transaction.payment_failed",
            (_, Attempt::Pends) => "transaction.updated",
        };
        let object = json!({
            "id": external_id, "customer": self.reference, "amount": amount_minor, "status": status,
            "currency": self.currency.to_lowercase(), "invoice": self.rows.invoices[invoice].external_id,
        });
        self.inbox(paid_at.unwrap_or(at), at, kind, object);
        self.rows.invoices[invoice].attempt_count += 1;
        self.rows.invoices[invoice].payment_external_id = Some(external_id.clone());
        let charged = self.provider == "stripe" && attempt != Attempt::Pends;
        let charge_external_id = charged.then(|| self.aside.token("ch_"));
        self.rows.payments.push(payments::Model {
            id,
            account_id: self.account_id,
            subscription_id: bill.subscription_id,
            invoice_id: Some(invoice_id),
            provider: self.provider.to_owned(),
            external_id,
            stream: bill.stream.to_owned(),
            status: status.to_owned(),
            currency: self.currency.to_owned(),
            amount_minor,
            fee_minor: succeeds.then(|| (amount_minor * 29 + 500) / 1000 + 30),
            refunded_minor: 0,
            description: Some(bill.description.clone()),
            failure_code,
            paid_at,
            created_at: at,
            customer_external_id: Some(self.reference.clone()),
            charge_external_id,
            provider_status: Some(payment_word(self.provider, attempt).to_owned()),
            received_minor: if succeeds { amount_minor } else { 0 },
            disputed: false,
            failed_attempts: i64::from(attempt == Attempt::Fails),
            returned_minor: Some(0),
        });
        let paid_at = paid_at?;
        let row = &mut self.rows.invoices[invoice];
        (row.status, row.paid_minor, row.paid_at) = ("paid".to_owned(), amount_minor, Some(paid_at));
        self.aftermath(self.rows.payments.len() - 1, paid_at);
        Some(Paid { payment_id: id, at: paid_at, amount_minor })
    }

    /// Disputes or refunds a few payments.
    fn aftermath(&mut self, payment: usize, paid_at: At) {
        if self.dice.chance(3) {
            let at = paid_at + hours(self.dice.between(48, 900));
            self.dispute(payment, at);
        } else if self.dice.chance(if self.rows.payments[payment].stream == "credits" { 45 } else { 20 }) {
            let at = paid_at + hours(self.dice.between(2, 400));
            self.refund(payment, at);
        }
    }

    fn dispute(&mut self, payment: usize, at: At) {
        if !self.has_reached(at) {
            return;
        }
        let closed_at = at + days(self.dice.between(20, 60));
        let status = if self.has_reached(closed_at) {
            *self.dice.pick(&["won", "lost", "lost"])
        } else {
            *self.dice.pick(&["needs_response", "under_review"])
        };
        let row = disputes::Model {
            id: self.dice.id(at),
            account_id: self.account_id,
            payment_id: self.rows.payments[payment].id,
            provider: self.provider.to_owned(),
            external_id: self.dice.token("dp_"),
            status: status.to_owned(),
            currency: self.currency.to_owned(),
            amount_minor: self.rows.payments[payment].amount_minor,
            reason: Some((*self.dice.pick(&["fraudulent", "product_not_received", "duplicate"])).to_owned()),
            created_at: at,
            closed_at: self.has_reached(closed_at).then_some(closed_at),
            charge_external_id: self.rows.payments[payment].charge_external_id.clone(),
            provider_status: Some(status.to_owned()),
        };
        let disputed = &mut self.rows.payments[payment];
        disputed.disputed = true;
        if status == "lost" {
            disputed.returned_minor = Some(disputed.amount_minor);
        }
        self.rows.disputes.push(row);
    }

    fn refund(&mut self, payment: usize, at: At) {
        if !self.has_reached(at) {
            return;
        }
        let total = self.rows.payments[payment].amount_minor;
        let amount_minor = if self.dice.chance(650) { total } else { (total / 2).max(1) };
        let decided_at = at + hours(self.dice.between(1, 70));
        let outcome = self.dice.weighted(&[(82, "processed"), (12, "denied"), (6, "failed")]);
        let asked_by_customer = outcome == "denied" || self.dice.chance(600);
        let (decided, done) = (self.has_reached(decided_at), self.has_reached(decided_at + hours(2)));
        let status = match (decided, done, outcome) {
            (false, ..) => "requested",
            (true, false, "processed" | "failed") => "approved",
            _ => outcome,
        };
        let processed_at = (status == "processed").then(|| decided_at + hours(2));
        let admin = format!("user:{}", self.world.admin);
        let id = self.dice.id(at);
        let sent = matches!(status, "processed" | "failed");
        let row = refunds::Model {
            id,
            account_id: self.account_id,
            payment_id: self.rows.payments[payment].id,
            provider: self.provider.to_owned(),
            external_id: sent.then(|| self.dice.token("re_")),
            status: status.to_owned(),
            currency: self.currency.to_owned(),
            amount_minor,
            reason: Some((*self.dice.pick(&["requested_by_customer", "duplicate", "not_as_expected"])).to_owned()),
            requested_by: Some(if asked_by_customer { self.actor() } else { admin.clone() }),
            decided_by: decided.then(|| admin.clone()),
            credits_taken_back: 0,
            created_at: at,
            processed_at,
            charge_external_id: self.rows.payments[payment].charge_external_id.clone(),
            provider_status: refund_word(self.provider, status).map(str::to_owned),
            requested_minor: Some(amount_minor),
            denial_reason: (status == "denied").then(|| "it was used for most of the period".to_owned()),
            failure_code: (status == "failed").then(|| "expired_or_canceled_card".to_owned()),
        };
        self.rows.refunds.push(row);
        if let Some(at) = processed_at {
            self.rows.payments[payment].refunded_minor += amount_minor;
            self.rows.payments[payment].returned_minor = Some(self.rows.payments[payment].refunded_minor);
            let payment_id = self.rows.payments[payment].id;
            let (refund, share) = (self.rows.refunds.len() - 1, (amount_minor, total));
            // Until the last months, spent credits were forgiven.
            let owes = self.world.calendar.now - at < days(150);
            self.credits.push(Event::Revoke { at, payment_id, refund, share, owes });
        }
        if decided {
            let action = if status == "denied" { "refunds.deny" } else { "refunds.approve" };
            let (before, after) =
                (json!({"status": "requested"}), json!({"status": status, "amountMinor": amount_minor}));
            self.audit(decided_at, action, ("Refund", id), (Some(before), Some(after)));
        }
    }

    /// Adds an action of the administrator to the audit log.
    pub(super) fn audit(
        &mut self,
        at: At,
        action: &str,
        (entity_type, entity_id): (&str, Uuid),
        (before, after): (Option<serde_json::Value>, Option<serde_json::Value>),
    ) {
        let row = audit_log::Model {
            id: self.dice.id(at),
            at,
            actor: format!("user:{}", self.world.admin),
            action: action.to_owned(),
            entity_type: entity_type.to_owned(),
            entity_id,
            account_id: Some(self.account_id),
            before,
            after,
        };
        self.rows.audit_log.push(row);
    }
}
