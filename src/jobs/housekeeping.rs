//! Jobs on the tables of the infrastructure, which no feature owns.

use super::job::Job;
use crate::app::App;
use crate::db;
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// Deletes idempotency keys and their responses after 30 days.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct PurgeIdempotencyKeys {}

impl Job for PurgeIdempotencyKeys {
    const KIND: &'static str = "purge_idempotency_keys";

    async fn run(self, app: &App) -> Result<()> {
        let count = db::purge(&app.db, app.now()).await?;
        tracing::debug!(count, "idempotency keys purged");
        Ok(())
    }
}
