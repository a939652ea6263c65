//! The removal of old changes, which no watcher needs.

use super::store;
use crate::app::App;
use crate::error::Result;
use crate::jobs::Job;
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

/// The time for which changes are kept: far longer than any node reads back.
const RETENTION: TimeDelta = TimeDelta::days(1);

/// Deletes changes that are older than a day.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct PurgeChanges {}

impl Job for PurgeChanges {
    const KIND: &'static str = "purge_changes";

    async fn run(self, app: &App) -> Result<()> {
        let count = store::purge(&app.db, app.now() - RETENTION).await?;
        tracing::debug!(count, "changes purged");
        Ok(())
    }
}
