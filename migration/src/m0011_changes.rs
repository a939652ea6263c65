//! What has just changed, for those who watch: written with the change itself, read by every node, forgotten in a day.

use crate::table::*;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(
            manager,
            "changes",
            vec![
                id().into(),
                text("kind").into(),
                uuid("subject_id").into(),
                // Whose the subject is; NULL where it is nobody's in particular.
                uuid_null("account_id").into(),
                instant("at").into(),
                one_of("kind", &["subscription_changed", "payment_recorded", "webhook_event_received"]),
            ],
        )
        .await?;
        index(manager, "changes", &["at"]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop(manager, &["changes"]).await
    }
}
