//! What is asked of Stripe: written down before it is asked, so that nothing is asked twice and nothing forgotten.

use crate::table::*;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(
            manager,
            "outbox_calls",
            vec![
                id().into(),
                reference_null("account_id", "accounts").into(),
                text("actor").into(),
                text("operation").into(),
                // What makes the provider do it once, however often it is asked.
                text("idempotency_key").into(),
                text("method").into(),
                text("path").into(),
                json_binary("params").into(),
                text("state").into(),
                // Whether it is asked again later when the provider was away and the caller was told so.
                boolean("persistent").into(),
                big_integer("attempts").into(),
                // The object that the provider answered with.
                text_null("object_kind").into(),
                text_null("object_id").into(),
                text_null("url").into(),
                // Why the provider said no: its own words for the reason, never its message.
                text_null("error_code").into(),
                text_null("decline_code").into(),
                instant("created_at").into(),
                instant_null("tried_at").into(),
                instant_null("settled_at").into(),
                one_of("method", &["POST", "DELETE"]),
                one_of("state", &["pending", "done", "refused", "abandoned", "unresolved"]),
                check("attempts >= 0"),
                check("(state = 'pending') = (settled_at IS NULL)"),
                check("state <> 'refused' OR error_code IS NOT NULL"),
                check("decline_code IS NULL OR error_code IS NOT NULL"),
            ],
        )
        .await?;
        unique(manager, "outbox_calls", &["idempotency_key"]).await?;
        index(manager, "outbox_calls", &["account_id", "created_at", "id"]).await?;
        index(manager, "outbox_calls", &["state", "created_at", "id"]).await?;
        index(manager, "outbox_calls", &["created_at", "id"]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop(manager, &["outbox_calls"]).await
    }
}
