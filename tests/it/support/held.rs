//! A table that another process is changing.

use super::TestApp;
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend};
use tollgate::config::DatabaseUrl;

/// A table that nobody can write to until it is released; it can be read.
pub(crate) struct HeldTable(DatabaseConnection);

impl HeldTable {
    /// Holds a table. On SQLite, this holds the whole database.
    pub(crate) async fn of(test: &TestApp, table: &str) -> HeldTable {
        let url = match &test.app.config.database.url {
            DatabaseUrl::Sqlite(path) => format!("sqlite://{}", path.display()),
            DatabaseUrl::Postgres(url) => url.expose().to_owned(),
        };
        let other = Database::connect(ConnectOptions::new(url).max_connections(1).to_owned()).await.unwrap();
        let statements = match other.get_database_backend() {
            DbBackend::Postgres => vec!["BEGIN".to_owned(), format!("LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")],
            _ => vec!["BEGIN IMMEDIATE".to_owned()],
        };
        for statement in statements {
            other.execute_unprepared(&statement).await.unwrap();
        }
        HeldTable(other)
    }

    /// Releases it.
    pub(crate) async fn release(self) {
        self.0.execute_unprepared("ROLLBACK").await.unwrap();
        self.0.close().await.unwrap();
    }
}
