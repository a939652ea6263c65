//! Indexes that find the history of an account, the invoices paid on a day, the disputes lost on a day, and the trials that
//! started in a range.
//!
//! They are made in the transaction of the change: before the first release no installation has large tables.

use crate::table::*;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const INDEXES: [(&str, &[&str]); 3] = [
    ("subscription_versions", &["account_id", "subscription_id"]),
    ("invoices", &["status", "paid_at"]),
    ("disputes", &["status", "closed_at"]),
];
const TRIALS: (&str, &str, &[&str]) = ("ixp", "subscriptions", &["trial_start"]);

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, columns) in INDEXES {
            index(manager, table, columns).await?;
        }
        let (_, table, columns) = TRIALS;
        index_where(manager, table, columns, "trial_start IS NOT NULL").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_indexes(manager, &[TRIALS]).await?;
        drop_indexes(manager, &INDEXES.map(|(table, columns)| ("ix", table, columns))).await
    }
}
