//! Objects of the payment providers, as they were last seen.

use crate::subscriptions::{ObservedDiscount, ObservedItem, SubscriptionStatus};
use chrono::{DateTime, Utc};
use serde_json::Value;

/// The state of one object at a provider.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Object {
    /// What it is: Stripe's `object` (`charge`, `checkout.session`), Paddle's first part of the event's type.
    pub(super) kind: String,
    /// Its id at the provider.
    pub(super) external_id: String,
    /// The version of the provider's API that the payload is in.
    pub(super) api_version: Option<String>,
    /// The object itself: `data.object` of a Stripe event, `data` of a Paddle one.
    pub(super) payload: Value,
    /// Whether it was deleted.
    pub(super) deleted: bool,
    /// The provider's time of this state.
    pub(super) occurred_at: DateTime<Utc>,
    /// What it belongs to.
    pub(super) ties: Ties,
}

/// The ids, at the provider, of what an object belongs to. An object of one of these kinds is tied to itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Ties {
    pub(super) customer: Option<String>,
    pub(super) subscription: Option<String>,
    pub(super) invoice: Option<String>,
    /// A payment intent, or a charge without one; a transaction at Paddle.
    pub(super) payment: Option<String>,
    pub(super) charge: Option<String>,
    pub(super) product: Option<String>,
}

impl Ties {
    /// These, and where one is not known, the other's: a tie that was once known is not forgotten.
    pub(super) fn or(self, other: Ties) -> Ties {
        Ties {
            customer: self.customer.or(other.customer),
            subscription: self.subscription.or(other.subscription),
            invoice: self.invoice.or(other.invoice),
            payment: self.payment.or(other.payment),
            charge: self.charge.or(other.charge),
            product: self.product.or(other.product),
        }
    }
}

/// What one state of a subscription says, without when and why it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    /// Its status.
    pub(super) status: SubscriptionStatus,
    /// Whether nothing is collected.
    pub(super) paused: bool,
    /// What it billed for.
    pub(super) items: Vec<ObservedItem>,
    /// What was taken off.
    pub(super) discounts: Vec<ObservedDiscount>,
}
