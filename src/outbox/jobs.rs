//! Calls that nobody finished.

use super::execute::resume;
use super::operation::Initiator;
use crate::app::App;
use crate::error::Result;
use crate::jobs::Job;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Finishes a call that its caller did not, because the process ended or Stripe was unavailable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinishCall {
    /// The id of the call.
    pub call_id: Uuid,
}

impl Job for FinishCall {
    const KIND: &'static str = "finish_call";

    fn unique_key(&self) -> Option<String> {
        Some(self.call_id.to_string())
    }

    async fn run(self, app: &App) -> Result<()> {
        resume(app, self.call_id, Initiator::Worker).await.map(drop)
    }
}
