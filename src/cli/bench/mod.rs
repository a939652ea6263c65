//! `tollgate bench`.

mod callers;
mod common;
mod figures;
mod ledger;
mod scratch;
mod store;
mod table;
mod usage;

use crate::config::Config;
use clap::Subcommand;
use scratch::Scratch;

/// Measures this installation: durable operations per second on its machine, its disk and its database.
#[derive(Debug, Subcommand)]
pub(super) enum Bench {
    /// Measure spending: credits of one wallet and of many, by number of concurrent callers.
    ///
    /// Each operation is a double entry in the ledger with its balance, grant and idempotency key, and is counted when its
    /// commit is durable. Beside it, "one commit each" keeps operations from sharing a commit, and "plain SQL" writes the
    /// same rows with prepared statements and without the engine's rules, one transaction for each operation.
    #[command(after_long_help = PLACE)]
    Ledger(ledger::LedgerBench),
    /// Measure usage: events recorded in batches, and uses of a feature that are checked and counted in three windows.
    #[command(after_long_help = PLACE)]
    Usage(usage::UsageBench),
}

/// The place of the measurement.
const PLACE: &str = "\
The engine runs in this process, without HTTP. It never touches the installation's rows:

  SQLite      a temporary file in the directory of the database, on the same disk, which is deleted at the end
  PostgreSQL  a schema of its own in the database, tollgate_bench_…, which is dropped at the end; the user needs the
              right to create schemas there: GRANT CREATE ON DATABASE … TO …

A command that is killed leaves the file or the schema behind; both can be deleted. The measurement takes the processor
and the disk from whatever else runs on the machine, so measure at a quiet time.";

impl Bench {
    pub(super) async fn run(self, mut config: Config) -> anyhow::Result<()> {
        let common = match &self {
            Bench::Ledger(bench) => &bench.common,
            Bench::Usage(bench) => &bench.common,
        };
        common.check()?;
        if let Some(url) = &common.database_url {
            config.database.url = url.clone();
        }
        let scratch = Scratch::create(config).await?;
        println!("{}\n", scratch.described());
        let measured = tokio::select! {
            measured = self.measure(&scratch) => measured,
            _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
        };
        scratch.remove().await?;
        measured
    }

    async fn measure(&self, scratch: &Scratch) -> anyhow::Result<()> {
        match self {
            Bench::Ledger(bench) => bench.measure(scratch).await,
            Bench::Usage(bench) => bench.measure(scratch).await,
        }
    }
}
