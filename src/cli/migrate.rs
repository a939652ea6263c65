//! `tollgate migrate`.

use crate::config::Config;
use anyhow::{Context, bail};
use clap::Subcommand;
use migration::State;

/// Changes of the schema.
#[derive(Debug, Subcommand)]
pub(super) enum Migrate {
    /// Apply every pending change, each in a transaction; several processes may do so at once.
    Up,
    /// Undo the newest changes, with what is in their tables.
    Down {
        /// How many.
        #[arg(long, default_value_t = 1)]
        count: usize,
    },
    /// List every change and whether it is applied.
    Status,
    /// End with 1 unless the schema is the one that this version needs; for scripts.
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
                    bail!("this database is marked as one for production; undoing a change would lose its rows");
                }
                report("undone", &migration::down(app.db.schema(), count).await?);
            }
            Migrate::Status => {
                for step in migration::status(app.db.schema()).await.context("the schema cannot be read")? {
                    let state = if step.state == State::Applied { "applied" } else { "pending" };
                    println!("{state}  {}", step.name);
                }
            }
            Migrate::Check => match app.db.pending_migrations().await.map_err(anyhow::Error::new).map_err(innermost)? {
                0 => println!("the schema is up to date"),
                pending => bail!("{pending} changes are pending; run tollgate migrate up"),
            },
        }
        Ok(())
    }
}

/// On the command line the cause is what helps.
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
