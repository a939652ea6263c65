//! `tollgate reset`.

use crate::config::{Config, Environment};
use anyhow::bail;
use clap::Args;

/// Deletes every row of the database: reverts every migration and applies it again. Refused for a production database.
#[derive(Debug, Args)]
pub(super) struct Reset {
    /// Confirm the deletion.
    #[arg(long)]
    yes: bool,
}

impl Reset {
    pub(super) async fn run(self, config: Config) -> anyhow::Result<()> {
        if config.environment == Environment::Production {
            bail!("Refused: TOLLGATE_ENVIRONMENT is production.");
        }
        let app = super::open::app(config).await?;
        let changes = migration::status(app.db.schema()).await?.len();
        if app.db.pending_migrations().await? < changes && app.db.environment().await?.as_deref() == Some("production")
        {
            bail!("Refused: this database is marked as one for production.");
        }
        if !self.yes {
            bail!("This deletes every row of {}. Pass --yes to confirm.", app.config.database.url);
        }
        migration::empty(app.db.schema()).await?;
        migration::down(app.db.schema(), changes).await?;
        app.db.migrate(app.new_id(), app.now(), super::open::mark(&app.config)).await?;
        println!("the database is empty");
        Ok(())
    }
}
