//! `tollgate reconcile`.

use super::{drift, since};
use crate::auth::Viewer;
use crate::config::Config;
use crate::inbox::{Comparison, reconcile};
use clap::Args;

/// Compare the mirror with Stripe, and apply what never arrived: missed events, and objects that differ. Needs
/// TOLLGATE_STRIPE_API_KEY.
#[derive(Debug, Args)]
pub(super) struct Reconcile {
    /// Compare events, invoices and payments since then: a date, an instant, or a length of time such as 24h. Other
    /// objects are all compared. Stripe lists events of the last 30 days.
    #[arg(long, value_name = "WHEN")]
    since: String,
    /// Print what differs without applying it.
    #[arg(long)]
    dry_run: bool,
}

impl Reconcile {
    pub(super) async fn run(self, config: Config) -> anyhow::Result<()> {
        let app = super::open::app(config).await?;
        let since = since::parse(&self.since, app.now())?;
        let comparison = Comparison { since, dry_run: self.dry_run, max_pages: usize::MAX };
        let bar = drift::bar("objects");
        let show = |found: &crate::inbox::Reconciled| {
            bar.set_position(u64::try_from(found.listed + found.compared).unwrap_or(0));
        };
        let found = reconcile(&app, &Viewer::system("reconcile"), comparison, show).await;
        bar.finish_and_clear();
        let found = found?;
        println!("{:>10}  events listed, {} of them missed", found.listed, found.missed);
        println!("{:>10}  objects compared, {} of them different", found.compared, found.differing);
        drift::print(&found.drift);
        Ok(())
    }
}
