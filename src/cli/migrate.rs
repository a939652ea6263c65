//! `tollgate migrate`.

use crate::config::Config;
use anyhow::{Context, bail};
use clap::Subcommand;
use migration::State;

/// Migrations of the database.
#[derive(Debug, Subcommand)]
pub(super) enum Migrate {
    /// Apply every pending migration, each in a transaction. Several processes can do so at once.
    Up,
    /// Revert the newest migrations and delete the data in their tables.
    ///
    /// Refused for a database that is marked as one for production.
    Down {
        /// Number of migrations to revert.
        #[arg(long, default_value_t = 1)]
        count: usize,
    },
    /// List every migration as applied or pending.
    Status,
    /// Exit with status 1 if migrations are pending, for scripts.
    Check,
}

impl Migrate {
    pub(super) async fn run(self, config: Config) -> anyhow::Result<()> {
        let app = super::open::app(config).await?;
        match self {
            Migrate::Up => {
                let applied = app.db.migrate(app.new_id(), app.now(), super::open::mark(&app.config)).await;
                report("applied", &applied.map_err(anyhow::Error::new).map_err(innermost)?);
            }
            Migrate::Down { count } => {
                if app.db.environment().await.ok().flatten().as_deref() == Some("production") {
                    bail!(
                        "This database is marked as one for production. Reverting a migration would delete its rows."
                    );
                }
                report("undone", &migration::down(app.db.schema(), count).await?);
            }
            Migrate::Status => {
                for step in
                    migration::status(app.db.schema()).await.context("The migrations of the database cannot be read")?
                {
                    let state = if step.state == State::Applied { "applied" } else { "pending" };
                    println!("{state}  {}", step.name);
                }
            }
            Migrate::Check => match app.db.pending_migrations().await.map_err(anyhow::Error::new).map_err(innermost)? {
                0 => println!("the schema is up to date"),
                pending => bail!("{pending} migrations are pending. Run `tollgate migrate up`."),
            },
        }
        Ok(())
    }
}

/// Reduces an error to its innermost cause, which is the most useful part on the command line.
fn innermost(error: anyhow::Error) -> anyhow::Error {
    match error.chain().last() {
        Some(cause) => anyhow::anyhow!("{cause}"),
        None => error,
    }
}

fn report(verb: &str, names: &[&str]) {
    for name in names {
        println!("{verb}  {name}");
    }
    if names.is_empty() {
        println!("nothing to do");
    }
}
