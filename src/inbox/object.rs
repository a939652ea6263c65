//! Objects of the payment providers in their newest version.

use super::kinds::{ObjectKind, Reference};
use crate::subscriptions::{ObservedDiscount, ObservedItem, SubscriptionStatus};
use chrono::{DateTime, Utc};
use entity::provider_objects;
use serde_json::Value;

/// An object at a provider.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Object {
    pub(super) kind: ObjectKind,
    /// The id at the provider.
    pub(super) external_id: String,
    /// The version of the provider's API that the payload is in.
    pub(super) api_version: Option<String>,
    /// The object itself: `data.object` of a Stripe event, `data` of a Paddle event.
    pub(super) payload: Value,
    /// True once the provider has deleted it.
    pub(super) deleted: bool,
    /// The provider's time of this version.
    pub(super) occurred_at: DateTime<Utc>,
    pub(super) references: References,
}

/// The ids, at the provider, of the objects that an object belongs to. An object of one of these kinds refers to
/// itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct References {
    pub(super) customer: Option<String>,
    pub(super) subscription: Option<String>,
    pub(super) invoice: Option<String>,
    /// A payment intent, or a charge without one; a transaction at Paddle.
    pub(super) payment: Option<String>,
    pub(super) charge: Option<String>,
    pub(super) product: Option<String>,
}

impl Object {
    /// Reads a row of `provider_objects`.
    pub(super) fn from_row(kind: ObjectKind, row: provider_objects::Model) -> Object {
        Object {
            kind,
            external_id: row.external_id,
            api_version: row.api_version,
            payload: row.payload,
            deleted: row.deleted,
            occurred_at: row.occurred_at.to_utc(),
            references: References {
                customer: row.customer,
                subscription: row.subscription,
                invoice: row.invoice,
                payment: row.payment,
                charge: row.charge,
                product: row.product,
            },
        }
    }
}

impl References {
    /// Returns the id of the object that `reference` names.
    pub(super) fn get(&self, reference: Reference) -> Option<&str> {
        let id = match reference {
            Reference::Customer => &self.customer,
            Reference::Subscription => &self.subscription,
            Reference::Invoice => &self.invoice,
            Reference::Payment => &self.payment,
            Reference::Product => &self.product,
        };
        id.as_deref()
    }

    /// Fills the references that are missing from `other`: one that was known once is never forgotten.
    pub(super) fn or(self, other: References) -> References {
        References {
            customer: self.customer.or(other.customer),
            subscription: self.subscription.or(other.subscription),
            invoice: self.invoice.or(other.invoice),
            payment: self.payment.or(other.payment),
            charge: self.charge.or(other.charge),
            product: self.product.or(other.product),
        }
    }

    /// Returns every id.
    pub(super) fn into_ids(self) -> impl Iterator<Item = String> {
        [self.customer, self.subscription, self.invoice, self.payment, self.charge, self.product].into_iter().flatten()
    }
}

/// The part of a subscription's version that its history keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SubscriptionState {
    pub(super) status: SubscriptionStatus,
    /// True while nothing is collected.
    pub(super) paused: bool,
    /// The currency that it bills in.
    pub(super) currency: Option<String>,
    /// The items that it bills for.
    pub(super) items: Vec<ObservedItem>,
    /// The discounts that count for it, also those of its customer.
    pub(super) discounts: Vec<ObservedDiscount>,
}
