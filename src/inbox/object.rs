//! Objects of the payment providers in their newest version.

use super::kinds::{ObjectKind, Reference};
use super::lock::LockKey;
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
    pub(super) promotion_code: Option<String>,
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
                promotion_code: row.promotion_code,
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
            Reference::PromotionCode => &self.promotion_code,
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
            promotion_code: self.promotion_code.or(other.promotion_code),
        }
    }

    /// Returns true if `self` lacks a reference that `others` name differently, so that their order decides.
    pub(super) fn is_ambiguous(&self, others: &[References]) -> bool {
        let fields: [fn(&References) -> &Option<String>; 7] = [
            |it| &it.customer,
            |it| &it.subscription,
            |it| &it.invoice,
            |it| &it.payment,
            |it| &it.charge,
            |it| &it.product,
            |it| &it.promotion_code,
        ];
        fields.iter().any(|field| {
            let mut named = others.iter().filter_map(|other| field(other).as_ref());
            let first = named.next();
            field(self).is_none() && named.any(|id| Some(id) != first)
        })
    }

    /// Returns the locks of all objects that are referred to.
    pub(super) fn locks(&self) -> impl Iterator<Item = LockKey> {
        let named = [
            (ObjectKind::Customer, &self.customer),
            (ObjectKind::Subscription, &self.subscription),
            (ObjectKind::Invoice, &self.invoice),
            (ObjectKind::PaymentIntent, &self.payment),
            (ObjectKind::Charge, &self.charge),
            (ObjectKind::Product, &self.product),
            (ObjectKind::PromotionCode, &self.promotion_code),
        ];
        named.into_iter().filter_map(|(kind, id)| Some(kind.lock(id.as_deref()?)))
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
