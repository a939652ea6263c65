//! Licence keys of a desktop application, and the machines they are used on.

use crate::table::*;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(
            manager,
            "license_keys",
            vec![
                id().into(),
                reference("account_id", "accounts").into(),
                // What the key begins with and the hash of all of it; NULL until its owner first asks for it.
                text_null("prefix").into(),
                text_null("hash").into(),
                text("status").into(),
                big_integer("max_devices").into(),
                text("source").into(),
                reference_null("payment_id", "payments").into(),
                // What was paid for, and which of its units this is: a key is issued once for each.
                text_null("provider").into(),
                text_null("order_external_id").into(),
                text_null("product_external_id").into(),
                big_integer("unit_number").into(),
                instant("created_at").into(),
                instant_null("revoked_at").into(),
                // An admin's word stands whatever becomes of the money.
                text_null("revoked_by").into(),
                instant_null("last_verified_at").into(),
                one_of("status", &["active", "revoked"]),
                one_of("source", &["purchase", "admin", "backfill"]),
                one_of("provider", &["stripe", "paddle"]),
                one_of("revoked_by", &["provider", "admin"]),
                check("max_devices > 0"),
                check("unit_number > 0"),
                check("(prefix IS NULL) = (hash IS NULL)"),
                check("(status = 'revoked') = (revoked_at IS NOT NULL)"),
                check("(revoked_at IS NULL) = (revoked_by IS NULL)"),
                check("(source = 'purchase') = (order_external_id IS NOT NULL)"),
                check("(provider IS NULL) = (order_external_id IS NULL)"),
            ],
        )
        .await?;
        unique(manager, "license_keys", &["prefix"]).await?;
        unique(manager, "license_keys", &["provider", "order_external_id", "product_external_id", "unit_number"])
            .await?;
        // However often it is run, and wherever it was broken off, the backfill gives an account one licence.
        unique_where(manager, "license_keys", &["account_id"], "source = 'backfill'").await?;
        index(manager, "license_keys", &["account_id", "created_at", "id"]).await?;
        index(manager, "license_keys", &["status", "created_at", "id"]).await?;
        index(manager, "license_keys", &["source", "created_at", "id"]).await?;
        index(manager, "license_keys", &["created_at", "id"]).await?;
        index(manager, "license_keys", &["payment_id"]).await?;
        create(
            manager,
            "devices",
            vec![
                id().into(),
                reference("account_id", "accounts").into(),
                reference("license_key_id", "license_keys").into(),
                text("fingerprint").into(),
                text_null("name").into(),
                text_null("os").into(),
                text_null("app_version").into(),
                instant("first_seen_at").into(),
                instant("last_seen_at").into(),
                instant_null("revoked_at").into(),
                check("last_seen_at >= first_seen_at"),
            ],
        )
        .await?;
        unique_where(manager, "devices", &["license_key_id", "fingerprint"], "revoked_at IS NULL").await?;
        index(manager, "devices", &["license_key_id", "first_seen_at", "id"]).await?;
        index(manager, "devices", &["account_id", "first_seen_at", "id"]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop(manager, &["devices", "license_keys"]).await
    }
}
