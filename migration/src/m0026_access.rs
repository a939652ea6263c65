//! The secret that signs references to accounts, and the credential and the person that an API key depends on.

use crate::table::*;
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // The name under which each engine knows the type.
        let uuid = if manager.get_database_backend() == DbBackend::Postgres { "uuid" } else { "uuid_text" };
        let columns = [
            // 32 random bytes in hexadecimal; NULL until the first reference is signed.
            ("installation", "reference_key text".to_owned()),
            // The key with which it was created; it ends with that key.
            ("api_keys", format!("parent_id {uuid}")),
            // The user who created it, or created the first key of its line; it ends with that user.
            ("api_keys", format!("responsible_user_id {uuid}")),
            // TRUE if that user was an admin by their row, so that the key ends with this role.
            ("api_keys", "requires_admin boolean NOT NULL DEFAULT FALSE".to_owned()),
        ];
        let statements = columns.iter().map(|(table, column)| format!("ALTER TABLE {table} ADD COLUMN {column}"));
        run(manager, statements.collect()).await?;
        index(manager, "api_keys", &["parent_id"]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let statements = [
            "DROP INDEX ix_api_keys_parent_id",
            "ALTER TABLE api_keys DROP COLUMN requires_admin",
            "ALTER TABLE api_keys DROP COLUMN responsible_user_id",
            "ALTER TABLE api_keys DROP COLUMN parent_id",
            "ALTER TABLE installation DROP COLUMN reference_key",
        ];
        run(manager, statements.map(str::to_owned).to_vec()).await
    }
}
