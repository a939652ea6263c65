//! Background jobs of the ledger.

use crate::app::App;
use crate::auth::Viewer;
use crate::error::Result;
use crate::jobs::Job;
use serde::{Deserialize, Serialize};

/// Expires the rest of grants whose time is over.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct ExpireCredits {}

impl Job for ExpireCredits {
    const KIND: &'static str = "expire_credits";

    async fn run(self, app: &App) -> Result<()> {
        let count = super::expire(app, &Viewer::system("worker")).await?;
        if count > 0 {
            tracing::info!(count, "grants expired");
        }
        Ok(())
    }
}
