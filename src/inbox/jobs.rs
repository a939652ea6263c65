//! What the worker does about the inbox.

use super::apply_object;
use crate::app::App;
use crate::error::Result;
use crate::jobs::Job;
use crate::providers::Provider;
use serde::{Deserialize, Serialize};

/// Applies what has arrived about one object of a provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApplyObject {
    /// Whose object it is.
    pub provider: Provider,
    /// Its id there.
    pub object_id: String,
}

impl ApplyObject {
    /// What makes two of these jobs one: events about one object are applied one after the other.
    pub fn unique_key(&self) -> String {
        format!("{}:{}", self.provider.name(), self.object_id)
    }
}

impl Job for ApplyObject {
    const KIND: &'static str = "apply_object";

    async fn run(self, app: &App) -> Result<()> {
        apply_object(app, self.provider, &self.object_id).await
    }
}
