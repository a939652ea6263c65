//! The background jobs of the inbox; `run.rs` runs them.

use super::kinds::ObjectKind;
use crate::providers::Provider;
use serde::{Deserialize, Serialize};

/// Applies the events of one object of a provider.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ApplyObject {
    /// The provider of the object.
    pub provider: Provider,
    /// The object's kind; `None` in a job of a version that did not record it.
    #[serde(default)]
    pub kind: Option<ObjectKind>,
    /// The object's id there.
    pub object_id: String,
}

/// Reapplies the subscriptions to a price that changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReapplyPrice {
    /// The provider of the price.
    pub provider: Provider,
    /// The price's id there.
    pub price: String,
}

/// Applies the events that wait for something that exists: a concurrent transaction missed them.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct WakeWaiting {}
