//! The time at which a worker sees to a request to Stripe, so that one schedule sees to all of them.

use crate::table::*;
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let instant = match manager.get_database_backend() {
            DbBackend::Postgres => "timestamp with time zone",
            _ => "timestamp_with_timezone_text",
        };
        let statements = vec![
            // Null once the request is settled.
            format!("ALTER TABLE outbox_calls ADD COLUMN due_at {instant}"),
            "UPDATE outbox_calls SET due_at = created_at WHERE state = 'pending'".to_owned(),
            // Each of them saw to one request.
            "DELETE FROM jobs WHERE kind = 'finish_call'".to_owned(),
        ];
        run(manager, statements).await?;
        index_where(manager, "outbox_calls", &["due_at", "id"], "due_at IS NOT NULL").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let statements =
            ["DROP INDEX ixp_outbox_calls_due_at_id", "ALTER TABLE outbox_calls DROP COLUMN due_at"].map(str::to_owned);
        run(manager, statements.to_vec()).await
    }
}
