//! `tollgate licences`.

use crate::accounts::AccountKind;
use crate::auth::Viewer;
use crate::config::Config;
use crate::licences::{self, Backfill};
use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};

/// Licences for a desktop application.
#[derive(Debug, Subcommand)]
pub(super) enum Licences {
    /// Issue a licence to every account that never had one.
    ///
    /// Owners get their key on request. The command can be interrupted and run again; no account gets two licences.
    IssueMissing {
        /// Number of devices for each licence, 1 to 10000 [default: license_max_devices].
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..=10_000))]
        max_devices: Option<i64>,
        /// Kind of the accounts.
        #[arg(long, default_value = "individual", value_parser = ["individual", "couple", "team", "organisation"])]
        kind: String,
        /// Show the numbers without issuing anything.
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
