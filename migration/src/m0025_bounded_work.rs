//! The columns and indexes that bound work by what is new: the prices that a subscription ever had and the promotion
//! codes of discounts, by which records are found that depend on an object which came after them; the position of a
//! change, after which the feed reads on; and an index by which the jobs of one kind are claimed.

use crate::table::*;
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(
            manager,
            "subscription_prices",
            vec![id().into(), reference("subscription_id", "subscriptions").into(), text("price_external_id").into()],
        )
        .await?;
        unique(manager, "subscription_prices", &["price_external_id", "subscription_id"]).await?;
        index(manager, "subscription_prices", &["subscription_id"]).await?;
        let (new_id, items, price) = match manager.get_database_backend() {
            DbBackend::Postgres => {
                ("gen_random_uuid()", "jsonb_array_elements(v.items)", "item.value ->> 'priceExternalId'")
            }
            _ => ("randomblob(16)", "json_each(v.items)", "json_extract(item.value, '$.priceExternalId')"),
        };
        let fill = format!(
            "INSERT INTO subscription_prices (id, subscription_id, price_external_id) \
             SELECT {new_id}, subscription_id, price FROM (\
             SELECT v.subscription_id AS subscription_id, {price} AS price FROM subscription_versions v \
             CROSS JOIN {items} AS item UNION \
             SELECT subscription_id, price_external_id FROM subscription_items) AS used WHERE price IS NOT NULL"
        );
        let statements = vec![
            fill,
            // The id, at the provider, of the promotion code that gave a discount.
            "ALTER TABLE provider_objects ADD COLUMN promotion_code text".to_owned(),
            match manager.get_database_backend() {
                DbBackend::Postgres => {
                    "UPDATE provider_objects SET promotion_code = \
                     COALESCE(payload #>> '{promotion_code,id}', payload ->> 'promotion_code') WHERE kind = 'discount'"
                }
                _ => {
                    "UPDATE provider_objects SET promotion_code = COALESCE(json_extract(payload, '$.promotion_code.id'), \
                     json_extract(payload, '$.promotion_code')) WHERE kind = 'discount'"
                }
            }
            .to_owned(),
        ];
        run(manager, statements).await?;
        index(manager, "provider_objects", &["provider", "promotion_code", "kind"]).await?;
        // The transaction that wrote the change, on PostgreSQL; on SQLite, which has one writer, a number that grows.
        run(manager, vec!["ALTER TABLE changes ADD COLUMN position bigint".to_owned()]).await?;
        if manager.get_database_backend() == DbBackend::Postgres {
            let default = "ALTER TABLE changes ALTER COLUMN position SET DEFAULT pg_current_xact_id()::text::bigint";
            run(manager, vec![default.to_owned()]).await?;
        }
        index(manager, "changes", &["position"]).await?;
        index_where(manager, "jobs", &["kind", "run_at", "id"], "state = 'queued'").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let statements = vec![
            "DROP INDEX ixp_jobs_kind_run_at_id".to_owned(),
            "DROP INDEX ix_changes_position".to_owned(),
            "ALTER TABLE changes DROP COLUMN position".to_owned(),
            "DROP INDEX ix_provider_objects_provider_promotion_code_kind".to_owned(),
            "ALTER TABLE provider_objects DROP COLUMN promotion_code".to_owned(),
        ];
        run(manager, statements).await?;
        drop(manager, &["subscription_prices"]).await
    }
}
