//! Events of users and visitors, the users that visitors turned out to be, and the days on which they were active.

use crate::table::*;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// An event or day belongs to a user or to a visitor who is not signed in.
const ONE_PERSON: &str = "(user_id IS NULL) <> (anonymous_id IS NULL)";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        events(manager).await?;
        aliases(manager).await?;
        days(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop(manager, &["visitor_days", "identity_aliases", "analytics_events"]).await
    }
}

async fn events(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "analytics_events",
        vec![
            id().into(),
            text("name").into(),
            reference_null("user_id", "users").into(),
            text_null("anonymous_id").into(),
            text("dedupe_key").into(),
            // What the host application said of the event.
            json_binary_null("properties").into(),
            // The page that was viewed, and the one that led to it.
            text_null("page").into(),
            text_null("referrer").into(),
            instant("occurred_at").into(),
            // The UTC day of `occurred_at`.
            ColumnDef::new("day").date().not_null().take().into(),
            instant("recorded_at").into(),
            check(ONE_PERSON),
            check("length(name) BETWEEN 1 AND 64"),
        ],
    )
    .await?;
    unique_where(manager, "analytics_events", &["user_id", "dedupe_key"], "user_id IS NOT NULL").await?;
    unique_where(manager, "analytics_events", &["anonymous_id", "dedupe_key"], "anonymous_id IS NOT NULL").await?;
    index(manager, "analytics_events", &["name", "occurred_at"]).await
}

/// Creates the aliases: a visitor is one user, and stays that user.
async fn aliases(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "identity_aliases",
        vec![
            id().into(),
            text("anonymous_id").into(),
            reference("user_id", "users").into(),
            instant("created_at").into(),
        ],
    )
    .await?;
    unique(manager, "identity_aliases", &["anonymous_id"]).await?;
    index(manager, "identity_aliases", &["user_id"]).await
}

/// Creates the days on which a user or visitor has an event.
async fn days(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "visitor_days",
        vec![
            id().into(),
            ColumnDef::new("day").date().not_null().take().into(),
            reference_null("user_id", "users").into(),
            text_null("anonymous_id").into(),
            check(ONE_PERSON),
        ],
    )
    .await?;
    unique_where(manager, "visitor_days", &["day", "user_id"], "user_id IS NOT NULL").await?;
    unique_where(manager, "visitor_days", &["day", "anonymous_id"], "anonymous_id IS NOT NULL").await?;
    index(manager, "visitor_days", &["user_id"]).await
}
