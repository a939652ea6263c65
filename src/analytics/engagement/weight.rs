//! The weights of events.

use crate::error::{Error, Result};
use entity::engagement_scores::Model;
use serde::{Deserialize, Serialize};

/// The weight of the events of one name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Weight {
    /// The name of the events.
    pub event_name: String,
    /// The weight of each.
    pub weight: i64,
}

/// Returns the weights of a score.
pub fn weights(row: &Model) -> Result<Vec<Weight>> {
    serde_json::from_value(row.weights.clone()).map_err(|error| Error::internal(anyhow::Error::new(error)))
}
