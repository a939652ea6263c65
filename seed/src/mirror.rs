//! What the provider knows of a customer beside what they do: itself, its own words, and what it has been told to do.

use super::calendar::At;
use super::catalogue::{Price, Version};
use super::customer::Customer;
use super::money::Attempt;
use super::subscription::Subscription;
use ::entity::{provider_customers, scheduled_changes};

/// Why an invoice is made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// The first of a subscription.
    Begin,
    /// The next period of one.
    Renew,
    /// A change in the middle of a period.
    Change,
    /// Something bought once.
    Buy,
}

impl Reason {
    /// What the provider calls it.
    pub(super) fn word(self, provider: &str) -> &'static str {
        match (provider, self) {
            ("paddle", Reason::Begin | Reason::Buy) => "web",
            ("paddle", Reason::Renew) => "subscription_recurring",
            (_, Reason::Begin) => "subscription_create",
            (_, Reason::Renew) => "subscription_cycle",
            (_, Reason::Change) => "subscription_update",
            (_, Reason::Buy) => "manual",
        }
    }
}

/// What the provider calls a payment after an attempt.
pub(super) fn payment_word(provider: &str, attempt: Attempt) -> &'static str {
    match (provider, attempt) {
        ("paddle", Attempt::Succeeds) => "completed",
        ("paddle", Attempt::Fails) => "past_due",
        ("paddle", Attempt::Pends) => "billed",
        (_, Attempt::Succeeds) => "succeeded",
        (_, Attempt::Fails) => "requires_payment_method",
        (_, Attempt::Pends) => "processing",
    }
}

/// What the provider calls a refund in this status of ours; `None` before it hears of it.
pub(super) fn refund_word(provider: &str, status: &str) -> Option<&'static str> {
    match (provider, status) {
        ("paddle", "processed") => Some("approved"),
        ("paddle", "failed") => Some("rejected"),
        (_, "processed") => Some("succeeded"),
        (_, "failed") => Some("failed"),
        _ => None,
    }
}

impl Customer<'_> {
    /// Writes the customer at the provider, who first bought there after `opened`; `owes` for the newest invoice.
    pub(super) fn known_to_provider(&mut self, opened: At, owes: bool, contact: (Option<String>, Option<String>)) {
        let (email, name) = contact;
        self.rows.provider_customers.push(provider_customers::Model {
            id: self.aside.id(opened),
            account_id: self.account_id,
            provider: self.provider.to_owned(),
            external_id: self.reference.clone(),
            deleted: email.is_none() && name.is_none(),
            email,
            name,
            delinquent: owes,
            created_at: opened,
            updated_at: opened,
        });
    }

    /// Writes what is to become of a subscription that goes on: its end, or another plan when the period ends.
    pub(super) fn schedule(&mut self, sub: &mut Subscription<'_>, next_plan: Option<(&Version, Price)>) {
        if sub.row.ended_at.is_some() || sub.row.provider == "manual" {
            return;
        }
        let mut change = scheduled_changes::Model {
            id: self.aside.id(sub.row.updated_at),
            account_id: self.account_id,
            subscription_id: sub.row.id,
            kind: "cancel".to_owned(),
            effective_at: sub.period().1,
            product_version_id: None,
            price_id: None,
            price_external_id: None,
            quantity: None,
            created_at: sub.row.updated_at,
        };
        match (sub.row.cancel_at, next_plan) {
            (Some(cancel_at), _) => change.effective_at = cancel_at,
            (None, Some((plan, price))) => {
                if self.provider == "stripe" {
                    sub.row.schedule_external_id = Some(self.aside.token("sub_sched_"));
                }
                change.kind = "plan_change".to_owned();
                (change.product_version_id, change.price_id) = (Some(plan.id), Some(price.id));
                change.price_external_id = self.world.catalogue.reference(self.provider, price.id);
                change.quantity = Some(1);
            }
            (None, None) => return,
        }
        self.rows.scheduled_changes.push(change);
    }
}
