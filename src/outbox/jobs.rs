//! Calls that nobody finished.

use super::carry_out::{Asker, proceed};
use crate::app::App;
use crate::error::Result;
use crate::jobs::Job;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Finishes a call that whoever made it did not, because the process ended or Stripe was away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinishCall {
    /// Which call.
    pub call_id: Uuid,
}

impl Job for FinishCall {
    const KIND: &'static str = "finish_call";

    fn unique_key(&self) -> Option<String> {
        Some(self.call_id.to_string())
    }

    async fn run(self, app: &App) -> Result<()> {
        proceed(app, self.call_id, Asker::Worker).await.map(drop)
    }
}
