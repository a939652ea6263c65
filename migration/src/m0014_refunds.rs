//! What refunds that are asked for and decided here need beside those that a provider tells of.

use crate::table::*;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Columns added to `refunds`, in SQL that both engines read alike.
const COLUMNS: [&str; 3] = [
    // What was asked for here; NULL for what was made at the provider. `amount_minor` is what was granted.
    "requested_minor bigint CHECK (requested_minor > 0)",
    // Why it was not granted, in the words of who decided.
    "denial_reason text CHECK (denial_reason IS NULL OR status = 'denied')",
    // Why it could not be carried out, in the provider's word.
    "failure_code text CHECK (failure_code IS NULL OR status = 'failed')",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, COLUMNS.iter().map(|column| format!("ALTER TABLE refunds ADD COLUMN {column}")).collect()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let names = COLUMNS.iter().rev().map(|column| column.split(' ').next().unwrap_or(column));
        run(manager, names.map(|name| format!("ALTER TABLE refunds DROP COLUMN {name}")).collect()).await
    }
}
