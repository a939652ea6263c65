//! Whom a coupon and a code are for.

use crate::table::*;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let statements = [
            // Our own rule, kept in the coupon's metadata at the provider.
            "ALTER TABLE coupons ADD COLUMN once_per_account boolean NOT NULL DEFAULT FALSE",
            // The customer at the provider that the code is for alone; NULL where it is for everyone.
            "ALTER TABLE promo_codes ADD COLUMN customer_external_id text",
        ];
        run(manager, statements.map(str::to_owned).to_vec()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let statements = [
            "ALTER TABLE promo_codes DROP COLUMN customer_external_id",
            "ALTER TABLE coupons DROP COLUMN once_per_account",
        ];
        run(manager, statements.map(str::to_owned).to_vec()).await
    }
}
