//! Marks of everything from before the rollups, so that a worker makes them, and figures are exact until it has.

use crate::table::*;
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let postgres = manager.get_database_backend() == DbBackend::Postgres;
        let id = if postgres { "gen_random_uuid()" } else { "randomblob(16)" };
        let day = |at: &str| match postgres {
            true => format!("CAST({at} AT TIME ZONE 'UTC' AS date)"),
            false => format!("substr({at}, 1, 10)"),
        };
        let instants = [
            ("payments", "paid_at"),
            ("refunds", "processed_at"),
            ("invoices", "paid_at"),
            ("disputes", "created_at"),
            ("disputes", "closed_at"),
        ];
        let days = instants.map(|(table, at)| format!("SELECT {} AS day FROM {table}", day(at))).join(" UNION ");
        run(
            manager,
            vec![
                format!(
                    "INSERT INTO analytics_marks (id, account_id) SELECT {id}, a.account_id \
                     FROM (SELECT DISTINCT account_id FROM subscription_versions) AS a"
                ),
                format!("INSERT INTO analytics_marks (id, day) SELECT {id}, d.day FROM ({days}) AS d WHERE d.day IS NOT NULL"),
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, vec!["DELETE FROM analytics_marks".to_owned()]).await
    }
}
