//! `tollgate seed`.

use crate::app::App;
use crate::config::{Config, Environment};
use anyhow::bail;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use seed::{self, Phase, Plan, Progress, Totals};
use std::time::Instant;

/// Fills an empty database with a made-up company: 18 months of people, subscriptions, payments and credits.
#[derive(Debug, Args)]
pub(super) struct Seed {
    /// Number of people who sign up, up to a million.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    users: u64,
    /// Random seed; the same number gives the same company, up to the present time.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl Seed {
    pub(super) async fn run(self, config: Config) -> anyhow::Result<()> {
        if config.environment == Environment::Production {
            bail!("This is a production database. Made-up people can only be added in development.");
        }
        let app = super::open::app(config).await?;
        app.db.migrate(app.new_id(), app.now(), super::open::mark(&app.config)).await?;
        let start = Instant::now();
        let totals = fill(&app, self.users, self.seed).await?;
        for (table, rows) in totals.tables() {
            println!("{rows:>10}  {table}");
        }
        println!("{:>10}  rows in {:.1} s", totals.rows(), start.elapsed().as_secs_f32());
        Ok(())
    }
}

/// Creates a company in a migrated database, with a progress bar on a terminal.
pub(super) async fn fill(app: &App, users: u64, seed: u64) -> anyhow::Result<Totals> {
    let plan = Plan { users, seed, now: app.now(), issuer: app.config.jwt.issuer.clone().unwrap_or_default() };
    let bar = ProgressBar::new(users);
    let style = "{msg} {wide_bar} {human_pos}/{human_len} users, {eta} left";
    bar.set_style(ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()));
    let totals = seed::seed(app.db.schema(), &plan, |progress| show(&bar, progress)).await;
    bar.finish_and_clear();
    totals
}

fn show(bar: &ProgressBar, progress: Progress) {
    bar.set_message(match progress.phase {
        Phase::Catalogue => "plans and prices",
        Phase::Users => "people",
        Phase::Office => "company records",
        Phase::Done => "done",
    });
    bar.set_position(progress.done);
}
