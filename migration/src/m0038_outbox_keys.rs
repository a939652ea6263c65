//! Calls that are sent under another idempotency key, because Stripe repeats an error under the one before.

use crate::table::*;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const COLUMNS: [(&str, &str); 1] = [("outbox_calls", "key_changes bigint NOT NULL DEFAULT 0 CHECK (key_changes >= 0)")];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        add_columns(manager, &COLUMNS).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_columns(manager, &COLUMNS).await
    }
}
