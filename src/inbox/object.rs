//! Objects of the payment providers, as they were last seen.

use chrono::{DateTime, Utc};
use serde_json::Value;

pub use crate::providers::Provider;

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
}
