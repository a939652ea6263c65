//! `tollgate reset`.

use crate::config::{Config, Environment};
use anyhow::bail;
use clap::Args;

/// Empties the database: undoes every change of the schema and applies it anew.
#[derive(Debug, Args)]
pub(super) struct Reset {
    /// Do it without asking.
    #[arg(long)]
    yes: bool,
}

impl Reset {
    pub(super) async fn run(self, config: Config) -> anyhow::Result<()> {
        if config.environment == Environment::Production {
            bail!("refused: TOLLGATE_ENVIRONMENT is production");
        }
        let app = super::open::app(config).await?;
        let changes = migration::status(app.db.schema()).await?.len();
        if app.db.pending_migrations().await? < changes && app.db.environment().await?.as_deref() == Some("production")
        {
            bail!("refused: this database is marked as one for production");
        }
        if !self.yes {
            bail!("this deletes every row of {}; say --yes to do it", app.config.database.url);
        }
        migration::down(app.db.schema(), changes).await?;
        app.db.migrate(app.new_id(), app.now(), super::open::mark(&app.config)).await?;
        println!("the database is empty");
        Ok(())
    }
}
