//! `tollgate licences`.

use crate::accounts::AccountKind;
use crate::auth::Viewer;
use crate::config::Config;
use crate::licences::{self, Backfill};
use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};

/// Licences of a desktop application.
#[derive(Debug, Subcommand)]
pub(super) enum Licences {
    /// Issue a licence to every account that never had one.
    ///
    /// Its owner is shown the key when they ask for it. Broken off, it goes on when it is run again, and gives nobody
    /// two.
    IssueMissing {
        /// On how many devices each may be used at a time; as configured, where it is left out.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..=10_000))]
        max_devices: Option<i64>,
        /// Which accounts get one: individual, couple, team or organisation.
        #[arg(long, default_value = "individual", value_parser = ["individual", "couple", "team", "organisation"])]
        kind: String,
        /// Say what would be done, and do nothing.
        #[arg(long)]
        dry_run: bool,
    },
}

impl Licences {
    pub(super) async fn run(self, config: Config) -> anyhow::Result<()> {
        let Licences::IssueMissing { max_devices, kind, dry_run } = self;
        let app = super::open::app(config).await?;
        let max_devices = max_devices.unwrap_or(app.config.licences.max_devices);
        let kind = AccountKind::parse(&kind).map_err(anyhow::Error::new)?;
        let plan = Backfill { kind, max_devices, dry_run };
        let bar = ProgressBar::new(0);
        let style = "licences {wide_bar} {human_pos}/{human_len}, {eta} left";
        bar.set_style(ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()));
        let show = |done, total| {
            bar.set_length(total);
            bar.set_position(done);
        };
        let done = licences::issue_missing(&app, &Viewer::system("licences"), &plan, show).await;
        bar.finish_and_clear();
        let done = done.map_err(anyhow::Error::new)?;
        println!("{:>10}  {} accounts", done.accounts, plan.kind);
        println!("{:>10}  had a licence already", done.accounts - done.missing);
        if dry_run {
            println!("{:>10}  would get one, for {max_devices} devices each", done.missing);
        } else {
            println!("{:>10}  got one, for {max_devices} devices each", done.issued);
        }
        Ok(())
    }
}
