//! The jobs that make marked rows again and that write reports.

use super::recompute::recompute_marked;
use super::reports;
use super::visits;
use crate::app::App;
use crate::error::Result;
use crate::jobs::Job;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The time after which the job leaves the rest to the next one: a job is aborted after four minutes.
const LIMIT: Duration = Duration::from_secs(180);

/// Makes the sums of marked customers and days again.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct RecomputeRevenue {}

impl Job for RecomputeRevenue {
    const KIND: &'static str = "recompute_revenue";

    async fn run(self, app: &App) -> Result<()> {
        let done = recompute_marked(app, LIMIT).await?;
        if done.customers + done.days > 0 {
            tracing::debug!(customers = done.customers, days = done.days, "revenue recomputed");
        }
        Ok(())
    }
}

/// Makes the sessions of marked people and the counts of marked days again.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct RecomputeVisits {}

impl Job for RecomputeVisits {
    const KIND: &'static str = "recompute_visits";

    async fn run(self, app: &App) -> Result<()> {
        let done = visits::recompute_marked(app, LIMIT).await?;
        if done.marks > 0 {
            tracing::debug!(marks = done.marks, "sessions and the use of features recomputed");
        }
        Ok(())
    }
}

/// Writes the reports that are due to the directory of the settings.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct WriteReports {}

impl Job for WriteReports {
    const KIND: &'static str = "write_reports";

    async fn run(self, app: &App) -> Result<()> {
        match &app.config.reports_directory {
            Some(directory) => reports::write_due(app, directory).await,
            None => Ok(()),
        }
    }
}
