//! Decisions of users and visitors on being tracked: each stays, as evidence, and the newest counts.

use crate::table::*;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(
            manager,
            "consent_decisions",
            vec![
                id().into(),
                reference_null("user_id", "users").into(),
                text_null("anonymous_id").into(),
                text("decision").into(),
                instant("decided_at").into(),
                text("recorded_by").into(),
                one_of("decision", &["granted", "refused"]),
                check("(user_id IS NULL) <> (anonymous_id IS NULL)"),
            ],
        )
        .await?;
        index(manager, "consent_decisions", &["user_id", "decided_at", "id"]).await?;
        index(manager, "consent_decisions", &["anonymous_id", "decided_at", "id"]).await?;
        append_only(manager, "consent_decisions").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop(manager, &["consent_decisions"]).await?;
        drop_append_only(manager, "consent_decisions").await
    }
}
