//! Calls that nobody finished.

use super::finish::finish_due;
use crate::app::App;
use crate::error::Result;
use crate::jobs::{Job, Slots};
use serde::{Deserialize, Serialize};

/// Finishes calls that their callers did not, because the process ended or Stripe was unavailable.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct FinishCalls {}

impl Job for FinishCalls {
    const KIND: &'static str = "finish_calls";
    const SLOTS: Slots = Slots::Network;

    async fn run(self, app: &App) -> Result<()> {
        finish_due(app).await
    }
}
