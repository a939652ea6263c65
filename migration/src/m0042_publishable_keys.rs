//! Publishable keys, with which pages in browsers record events of visitors.

use crate::table::*;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(
            manager,
            "publishable_keys",
            vec![
                id().into(),
                text("name").into(),
                // The whole key: it is public, as it stands in the pages that use it.
                text("key").into(),
                // The web origins of these pages, separated by spaces.
                text("origins").into(),
                big_integer("events_per_minute").into(),
                text("created_by").into(),
                instant("created_at").into(),
                instant_null("revoked_at").into(),
                check("events_per_minute > 0"),
            ],
        )
        .await?;
        unique(manager, "publishable_keys", &["key"]).await?;
        index(manager, "publishable_keys", &["created_at", "id"]).await?;
        // The origins of valid keys answer preflights.
        index_where(manager, "publishable_keys", &["id"], "revoked_at IS NULL").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop(manager, &["publishable_keys"]).await
    }
}
