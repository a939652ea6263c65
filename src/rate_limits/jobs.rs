//! The job that removes old counters.

use super::store;
use crate::app::App;
use crate::error::Result;
use crate::jobs::Job;
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

/// The time for which a counter is kept after its window, for nodes whose clocks differ.
const KEPT: TimeDelta = TimeDelta::hours(1);

/// Deletes the counters of windows that ended more than an hour ago.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct PurgeRateLimits {}

impl Job for PurgeRateLimits {
    const KIND: &'static str = "purge_rate_limits";

    async fn run(self, app: &App) -> Result<()> {
        let count = store::purge(&app.db, app.now() - KEPT).await?;
        tracing::debug!(count, "counters of rate limits purged");
        Ok(())
    }
}
