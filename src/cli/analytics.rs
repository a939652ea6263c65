//! `tollgate analytics`.

use crate::analytics::{self, Progress};
use crate::auth::Viewer;
use crate::config::Config;
use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};

/// Work on the figures of revenue.
#[derive(Debug, Subcommand)]
pub(super) enum Analytics {
    /// Compute the movements of every customer and the cash of every day again, and correct the rows that differ.
    ///
    /// Servers may run meanwhile, and their figures stay exact. The command can be interrupted and run again.
    Rebuild,
    /// Write a report of figures over all accounts, as CSV or JSON.
    #[command(after_long_help = super::export::COLUMNS)]
    Export(super::export::Export),
}

impl Analytics {
    pub(super) async fn run(self, config: Config) -> anyhow::Result<()> {
        match self {
            Analytics::Rebuild => rebuild(config).await,
            Analytics::Export(export) => export.run(config).await,
        }
    }
}

async fn rebuild(config: Config) -> anyhow::Result<()> {
    let app = super::open::app(config).await?;
    let bar = ProgressBar::new(0);
    let style = "customers and days {wide_bar} {human_pos}/{human_len}, {eta} left";
    bar.set_style(ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()));
    let show = |progress: Progress| {
        bar.set_length(progress.total);
        bar.set_position(progress.done);
    };
    let done = analytics::rebuild(&app, &Viewer::system("analytics"), show).await;
    bar.finish_and_clear();
    let done = done.map_err(anyhow::Error::new)?;
    println!("{:>10}  customers, {} movements corrected", done.customers, done.movement_rows);
    println!("{:>10}  days, {} rows of cash corrected", done.days, done.cash_rows);
    println!("{:>10}  other sums corrected", done.total_rows);
    let visits = done.visits;
    println!("{:>10}  people and days, {} sessions corrected", visits.marks, visits.session_rows);
    println!("{:>10}  counts of features corrected", visits.feature_rows);
    println!("{:>10}  counts of active users corrected", visits.active_rows);
    println!("{:>10}  sums of sessions corrected", visits.total_rows);
    Ok(())
}
