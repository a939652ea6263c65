//! An index that finds the entries of all accounts since an instant.
//!
//! It is made in the transaction of the change: before the first release no installation has large tables.

use crate::table::*;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const COLUMNS: [&str; 1] = ["effective_at"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        index(manager, "ledger_entries", &COLUMNS).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_indexes(manager, &[("ix", "ledger_entries", &COLUMNS)]).await
    }
}
