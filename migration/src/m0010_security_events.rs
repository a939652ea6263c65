//! What may be an attack, counted rather than listed: one row for each kind and source in each hour.

use crate::table::*;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(
            manager,
            "security_events",
            vec![
                id().into(),
                text("kind").into(),
                text("severity").into(),
                text("subject").into(),
                text_null("detail").into(),
                big_integer("occurrences").into(),
                instant("hour").into(),
                instant("first_at").into(),
                instant("last_at").into(),
                instant_null("resolved_at").into(),
                text_null("resolved_by").into(),
                text_null("resolution").into(),
                one_of("severity", &["low", "medium", "high", "critical"]),
                check("occurrences > 0"),
                check("last_at >= first_at"),
                check("(resolved_at IS NULL) = (resolved_by IS NULL)"),
            ],
        )
        .await?;
        unique(manager, "security_events", &["kind", "subject", "hour"]).await?;
        index(manager, "security_events", &["last_at", "id"]).await?;
        index(manager, "security_events", &["severity", "last_at", "id"]).await?;
        index(manager, "security_events", &["kind", "last_at", "id"]).await?;
        index_where(manager, "security_events", &["last_at", "id"], "resolved_at IS NULL").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop(manager, &["security_events"]).await
    }
}
