//! Allowances that end when the plan changes, and credits that a refund takes back when they return.

use crate::table::*;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const OLD_END: &str = "expires_at > starts_at";
// A grant that is replaced at the instant of its start ends at that instant.
const NEW_END: &str = "expires_at >= starts_at";

const COLUMNS: [(&str, &str); 1] = [
    // Credits that were spent or held when their price was returned: taken back if they come back to the grant.
    ("credit_grants", "unrecovered bigint NOT NULL DEFAULT 0 CHECK (unrecovered >= 0)"),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        replace_check(manager, "credit_grants", (OLD_END, NEW_END), "(expires_at > starts_at)").await?;
        add_columns(manager, &COLUMNS).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_columns(manager, &COLUMNS).await?;
        replace_check(manager, "credit_grants", (NEW_END, OLD_END), "(expires_at >= starts_at)").await
    }
}
