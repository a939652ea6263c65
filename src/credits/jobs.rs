//! Background jobs of the ledger.

use super::settle::settle_all;
use crate::app::App;
use crate::auth::Viewer;
use crate::error::Result;
use crate::jobs::Job;
use serde::{Deserialize, Serialize};

/// Settles the balances that time has changed: expiries, starts, time-outs of holds, allowances.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct SettleBalances {}

impl Job for SettleBalances {
    const KIND: &'static str = "settle_balances";

    async fn run(self, app: &App) -> Result<()> {
        let count = settle_all(app, &Viewer::system("worker")).await?;
        if count > 0 {
            tracing::info!(count, "balances settled");
        }
        Ok(())
    }
}
