//! What the payment providers told us, byte for byte; the source of truth behind every mirrored row.

use crate::table::*;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(
            manager,
            "inbox_events",
            vec![
                id().into(),
                text("provider").into(),
                text("external_id").into(),
                text("kind").into(),
                text_null("api_version").into(),
                text_null("object_id").into(),
                instant("occurred_at").into(),
                instant("received_at").into(),
                json_binary("payload").into(),
                text("state").into(),
                big_integer("attempts").into(),
                instant_null("next_attempt_at").into(),
                text_null("error").into(),
                instant_null("applied_at").into(),
                one_of("provider", &["stripe", "paddle"]),
                one_of("state", &["received", "applied", "ignored", "failed", "parked"]),
                check("attempts >= 0"),
                check("(state = 'applied') = (applied_at IS NOT NULL)"),
            ],
        )
        .await?;
        unique(manager, "inbox_events", &["provider", "external_id"]).await?;
        index(manager, "inbox_events", &["received_at", "id"]).await?;
        index(manager, "inbox_events", &["state", "received_at", "id"]).await?;
        index(manager, "inbox_events", &["kind", "received_at", "id"]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop(manager, &["inbox_events"]).await
    }
}
