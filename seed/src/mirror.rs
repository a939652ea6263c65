//! The provider's own records of a customer, its terms, and its scheduled changes.

use super::calendar::At;
use super::catalogue::{Price, Version};
use super::customer::Customer;
use super::subscription::Subscription;
use ::entity::{provider_customers, scheduled_changes};

impl Customer<'_> {
    /// Writes the customer at the provider, created after `opened`; `owes` is true if the newest invoice is unpaid.
    pub(super) fn write_provider_customer(
        &mut self,
        opened: At,
        owes: bool,
        contact: (Option<String>, Option<String>),
    ) {
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

    /// Writes the scheduled change of a running subscription: its end, or another plan at the end of the period.
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
