//! What has changed is of use to those who watch, and to nobody later.

use super::store;
use crate::app::App;
use crate::error::Result;
use crate::jobs::Job;
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

/// How long changes are kept: far longer than any node looks back.
const KEEP: TimeDelta = TimeDelta::days(1);

/// Forgets changes that are older than a day.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct PurgeChanges {}

impl Job for PurgeChanges {
    const KIND: &'static str = "purge_changes";

    async fn run(self, app: &App) -> Result<()> {
        let count = store::forget(&app.db, app.now() - KEEP).await?;
        tracing::debug!(count, "changes forgotten");
        Ok(())
    }
}
