//! The database that is measured: beside the installation's, and without any of its rows.

use super::store;
use crate::accounts::{AccountKind, UserRole};
use crate::app::App;
use crate::clock::Clock;
use crate::config::{Config, DatabaseUrl, Secret};
use crate::db::{insert_all, whole_rows};
use anyhow::Context;
use entity::{accounts, users};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use url::Url;
use uuid::Uuid;

/// A migrated database that exists as long as the measurement.
pub(super) struct Scratch {
    /// An app over the database.
    pub(super) app: Arc<App>,
    place: Place,
}

/// The place of the database.
enum Place {
    /// A directory with the file.
    Directory(PathBuf),
    /// A schema, with an app over the database that contains it.
    Schema { name: String, home: Box<App> },
}

impl Scratch {
    /// Creates the database beside the configured one.
    pub(super) async fn create(config: Config) -> anyhow::Result<Scratch> {
        let url = config.database.url.clone();
        let scratch = match url {
            DatabaseUrl::Sqlite(file) => in_directory(config, &file).await?,
            DatabaseUrl::Postgres(url) => in_schema(config, &url).await?,
        };
        let app = &scratch.app;
        if let Err(error) = app.db.migrate(app.new_id(), app.now(), "development").await {
            scratch.remove().await?;
            return Err(error).context("The tables of the measurement could not be created.");
        }
        Ok(scratch)
    }

    /// Returns a sentence about the place.
    pub(super) fn described(&self) -> String {
        match &self.place {
            Place::Directory(directory) => {
                format!("SQLite, in the temporary directory {}, which is deleted at the end.", directory.display())
            }
            Place::Schema { name, home } => {
                let url = &home.config.database.url;
                format!("PostgreSQL, in the schema {name} of {url}, which is dropped at the end.")
            }
        }
    }

    /// Inserts accounts of one person, and returns their ids.
    pub(super) async fn create_accounts(&self, count: usize) -> anyhow::Result<Vec<Uuid>> {
        let created = self.app.db.write(move |txn| {
            Box::pin(async move {
                let now = txn.now().fixed_offset();
                let owner = users::Model {
                    id: txn.new_id(),
                    email: None,
                    email_normalized: None,
                    name: Some("tollgate bench".to_owned()),
                    avatar_url: None,
                    locale: None,
                    role: UserRole::User.to_string(),
                    created_at: now,
                    last_active_at: None,
                    erased_at: None,
                };
                let account = |id| accounts::Model {
                    id,
                    kind: AccountKind::Team.to_string(),
                    owner_id: owner.id,
                    name: None,
                    currency: None,
                    ref_type: None,
                    ref_id: None,
                    created_at: now,
                    time_zone: "UTC".to_owned(),
                };
                let ids: Vec<Uuid> = (0..count).map(|_| txn.new_id()).collect();
                let rows: Vec<accounts::Model> = ids.iter().copied().map(account).collect();
                insert_all::<users::Entity>(txn, whole_rows(vec![owner])).await?;
                insert_all::<accounts::Entity>(txn, whole_rows(rows)).await?;
                Ok(ids)
            })
        });
        Ok(created.await?)
    }

    /// Updates the statistics by which PostgreSQL chooses its plans, as its own maintenance does in time. SQLite has none.
    pub(super) async fn analyse(&self) -> anyhow::Result<()> {
        store::analyse(&self.app.db).await
    }

    /// Deletes the database.
    pub(super) async fn remove(self) -> anyhow::Result<()> {
        match self.place {
            Place::Directory(directory) => std::fs::remove_dir_all(&directory)
                .with_context(|| format!("The directory {} could not be deleted.", directory.display())),
            Place::Schema { name, home } => store::drop_schema(&home.db, &name)
                .await
                .with_context(|| format!("The schema {name} could not be dropped.")),
        }
    }
}

/// Returns a new name for the directory or the schema.
fn name() -> String {
    format!("tollgate_bench_{}", Clock::System.new_id().simple())
}

async fn in_directory(mut config: Config, file: &Path) -> anyhow::Result<Scratch> {
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.map_or_else(|| PathBuf::from("."), Path::to_owned);
    let directory = parent.join(name());
    std::fs::create_dir(&directory)
        .with_context(|| format!("The directory {} could not be created.", directory.display()))?;
    config.database.url = DatabaseUrl::Sqlite(directory.join("bench.db"));
    let app = Arc::new(crate::cli::open::app(config).await?);
    Ok(Scratch { app, place: Place::Directory(directory) })
}

async fn in_schema(config: Config, url: &Secret) -> anyhow::Result<Scratch> {
    let name = name();
    let mut scratch_url = Url::parse(url.expose())?;
    scratch_url.query_pairs_mut().append_pair("options[search_path]", &name);
    let mut there = config.clone();
    there.database.url = DatabaseUrl::Postgres(Secret::new(scratch_url));
    let home = Box::new(crate::cli::open::app(config).await?);
    store::create_schema(&home.db, &name).await.context(
        "The schema of the measurement could not be created: grant the user CREATE on the database, or name another \
         database with --database-url.",
    )?;
    let app = Arc::new(crate::cli::open::app(there).await?);
    Ok(Scratch { app, place: Place::Schema { name, home } })
}
