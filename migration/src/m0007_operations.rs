//! What keeps the house in order: who did what, which requests were answered already, and work to be done later.

use crate::table::*;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        audit_log(manager).await?;
        idempotency_keys(manager).await?;
        jobs(manager).await?;
        create(
            manager,
            "installation",
            vec![
                id().into(),
                text("environment").into(),
                instant("created_at").into(),
                one_of("environment", &["development", "production"]),
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop(manager, &["installation", "jobs", "idempotency_keys", "audit_log"]).await?;
        drop_append_only(manager, "audit_log").await
    }
}

async fn audit_log(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "audit_log",
        vec![
            id().into(),
            instant("at").into(),
            text("actor").into(),
            text("action").into(),
            text("entity_type").into(),
            uuid("entity_id").into(),
            uuid_null("account_id").into(),
            json_binary_null("before").into(),
            json_binary_null("after").into(),
        ],
    )
    .await?;
    index(manager, "audit_log", &["at", "id"]).await?;
    index(manager, "audit_log", &["actor", "at", "id"]).await?;
    index(manager, "audit_log", &["action", "at", "id"]).await?;
    index(manager, "audit_log", &["entity_id", "at", "id"]).await?;
    append_only(manager, "audit_log").await
}

async fn idempotency_keys(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "idempotency_keys",
        vec![
            id().into(),
            text("caller").into(),
            text("key").into(),
            text("request_hash").into(),
            json_binary("answer").into(),
            instant("created_at").into(),
        ],
    )
    .await?;
    unique(manager, "idempotency_keys", &["caller", "key"]).await?;
    index(manager, "idempotency_keys", &["created_at"]).await
}

async fn jobs(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "jobs",
        vec![
            id().into(),
            text("kind").into(),
            json_binary("payload").into(),
            text("state").into(),
            text_null("unique_key").into(),
            instant("run_at").into(),
            big_integer("attempts").into(),
            // Who runs it, and until when nobody else may: both or neither.
            uuid_null("locked_by").into(),
            instant_null("locked_until").into(),
            // When it is to run once more, having been asked for while it ran.
            instant_null("again_at").into(),
            text_null("error").into(),
            instant("created_at").into(),
            one_of("state", &["queued", "parked"]),
            check("attempts >= 0"),
            check("(locked_by IS NULL) = (locked_until IS NULL)"),
            check("state = 'queued' OR locked_by IS NULL"),
        ],
    )
    .await?;
    unique(manager, "jobs", &["kind", "unique_key"]).await?;
    index_where(manager, "jobs", &["run_at", "id"], "state = 'queued'").await
}
