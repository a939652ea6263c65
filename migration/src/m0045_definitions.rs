//! Funnels and scores of engagement that are stored by a code.

use crate::table::*;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        funnels(manager).await?;
        scores(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop(manager, &["engagement_scores", "funnels"]).await
    }
}

async fn funnels(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "funnels",
        vec![
            id().into(),
            text("code").into(),
            text("name").into(),
            // The names of the events, in their order: a list of texts.
            json_binary("steps").into(),
            // The longest time from the first step to any other.
            big_integer("window_seconds").into(),
            instant("created_at").into(),
            check("window_seconds >= 0"),
        ],
    )
    .await?;
    unique(manager, "funnels", &["code"]).await?;
    index(manager, "funnels", &["created_at", "id"]).await
}

async fn scores(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "engagement_scores",
        vec![
            id().into(),
            text("code").into(),
            text("name").into(),
            // A list of objects with `eventName` and `weight`.
            json_binary("weights").into(),
            instant("created_at").into(),
        ],
    )
    .await?;
    unique(manager, "engagement_scores", &["code"]).await?;
    index(manager, "engagement_scores", &["created_at", "id"]).await
}
