//! The arguments that all measurements share.

use crate::config::DatabaseUrl;
use anyhow::ensure;
use clap::Args;
use std::time::Duration;

/// The most concurrent callers.
const MAX_CALLERS: usize = 10_000;

/// The arguments of every measurement.
#[derive(Debug, Args)]
pub(super) struct Common {
    /// Duration of each measurement, in seconds.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub(super) seconds: u64,
    /// Numbers of concurrent callers, each with one operation at a time.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16, 64, 256], value_name = "N,…")]
    pub(super) callers: Vec<usize>,
    /// Database beside which to measure, sqlite://… or postgres://…; by default the configured one.
    #[arg(long, value_name = "URL")]
    pub(super) database_url: Option<DatabaseUrl>,
}

impl Common {
    /// Checks the rules that the arguments alone do not express.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let is_right = self.callers.iter().all(|callers| (1..=MAX_CALLERS).contains(callers));
        ensure!(is_right, "--callers must be numbers from 1 to {MAX_CALLERS}.");
        Ok(())
    }

    pub(super) fn time(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}
