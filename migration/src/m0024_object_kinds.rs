//! The kind of object in the key of objects and in their events: an id is unique only among the objects of one kind.

use crate::table::*;
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let (stripe, paddle) = match manager.get_database_backend() {
            DbBackend::Postgres => ("payload #>> '{data,object,object}'", "split_part(kind, '.', 1)"),
            _ => ("json_extract(payload, '$.data.object.object')", "substr(kind, 1, instr(kind || '.', '.') - 1)"),
        };
        let name = |provider: &str, kind: &str| {
            format!(
                "UPDATE inbox_events SET object_kind = {kind} WHERE provider = '{provider}' AND object_id IS NOT NULL"
            )
        };
        let statements = vec![
            // The provider's name for the kind; NULL for an event about no object.
            "ALTER TABLE inbox_events ADD COLUMN object_kind text".to_owned(),
            name("stripe", stripe),
            name("paddle", paddle),
            "DROP INDEX ux_provider_objects_provider_external_id".to_owned(),
            "DROP INDEX ix_provider_objects_provider_kind_external_id".to_owned(),
        ];
        run(manager, statements).await?;
        unique(manager, "provider_objects", &["provider", "kind", "external_id"]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let statements = vec![
            "DROP INDEX ux_provider_objects_provider_kind_external_id".to_owned(),
            "ALTER TABLE inbox_events DROP COLUMN object_kind".to_owned(),
            // One object of each id stays, the oldest; a rebuild restores it from the events.
            "DELETE FROM provider_objects WHERE EXISTS (SELECT 1 FROM provider_objects o \
             WHERE o.provider = provider_objects.provider AND o.external_id = provider_objects.external_id \
             AND o.id < provider_objects.id)"
                .to_owned(),
        ];
        run(manager, statements).await?;
        index(manager, "provider_objects", &["provider", "kind", "external_id"]).await?;
        unique(manager, "provider_objects", &["provider", "external_id"]).await
    }
}
