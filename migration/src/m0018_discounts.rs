//! The discounts of subscriptions, each with its scope and currency, and the annual revenue of a state over time: it
//! changes when a discount begins or ends, and is NULL while an amount is not known.

use crate::table::*;
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const STATUSES: [&str; 8] =
    ["trialing", "active", "past_due", "unpaid", "paused", "incomplete", "incomplete_expired", "canceled"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = ["arr_minor", "discounted_arr_minor"];
        let nullable = columns.map(|column| format!("ALTER COLUMN {column} DROP NOT NULL"));
        alter_versions(manager, &nullable.join(", "), [big_integer_null, big_integer_null], "*").await?;
        // The currency that it bills in, whatever its prices' own is; NULL until it is known.
        let currency = "currency text CHECK (length(currency) = 3 AND currency = upper(currency))";
        run(manager, vec![format!("ALTER TABLE subscriptions ADD COLUMN {currency}")]).await?;
        discounts(manager).await?;
        arr_changes(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop(manager, &["subscription_arr_changes", "subscription_discounts"]).await?;
        drop_append_only(manager, "subscription_arr_changes").await?;
        run(manager, vec!["ALTER TABLE subscriptions DROP COLUMN currency".to_owned()]).await?;
        // The type is named only because that rewrites the rows of a table that refuses updates.
        let required = ["arr_minor", "discounted_arr_minor"].map(|column| {
            format!("ALTER COLUMN {column} TYPE bigint USING COALESCE({column}, 0), ALTER COLUMN {column} SET NOT NULL")
        });
        const KNOWN: &str = "id, account_id, subscription_id, effective_at, recorded_at, status, paused, \
            product_version_id, items, discount, currency, COALESCE(arr_minor, 0), COALESCE(discounted_arr_minor, 0), \
            cause, inbox_event_id";
        alter_versions(manager, &required.join(", "), [big_integer, big_integer], KNOWN).await
    }
}

/// Alters the columns for annual revenue: in place on PostgreSQL; on SQLite by a copy of the table, whose rows are
/// selected by `columns`.
async fn alter_versions(
    manager: &SchemaManager<'_>,
    postgres: &str,
    [arr, discounted]: [fn(&'static str) -> ColumnDef; 2],
    columns: &str,
) -> Result<(), DbErr> {
    if manager.get_database_backend() == DbBackend::Postgres {
        return run(manager, vec![format!("ALTER TABLE subscription_versions {postgres}")]).await;
    }
    create(
        manager,
        "subscription_versions_new",
        vec![
            id().into(),
            reference("account_id", "accounts").into(),
            reference("subscription_id", "subscriptions").into(),
            instant("effective_at").into(),
            instant("recorded_at").into(),
            text("status").into(),
            boolean("paused").into(),
            reference_null("product_version_id", "product_versions").into(),
            json_binary("items").into(),
            json_binary_null("discount").into(),
            text_null("currency").into(),
            arr("arr_minor").into(),
            discounted("discounted_arr_minor").into(),
            text("cause").into(),
            reference_null("inbox_event_id", "inbox_events").into(),
            one_of("status", &STATUSES),
            iso_currency("currency"),
            check("arr_minor >= 0 AND discounted_arr_minor BETWEEN 0 AND arr_minor"),
            check("currency IS NOT NULL OR arr_minor = 0"),
        ],
    )
    .await?;
    run(
        manager,
        vec![
            format!("INSERT INTO subscription_versions_new SELECT {columns} FROM subscription_versions"),
            "DROP TABLE subscription_versions".to_owned(),
            "ALTER TABLE subscription_versions_new RENAME TO subscription_versions".to_owned(),
        ],
    )
    .await?;
    index(manager, "subscription_versions", &["subscription_id", "effective_at", "recorded_at", "id"]).await?;
    append_only(manager, "subscription_versions").await
}

async fn discounts(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "subscription_discounts",
        vec![
            id().into(),
            reference("account_id", "accounts").into(),
            reference("subscription_id", "subscriptions").into(),
            text("external_id").into(),
            text("scope").into(),
            // The item at the provider that it is for; NULL where it is for all.
            text_null("item_external_id").into(),
            // The ids, at the provider, of the products or prices that it is for; NULL where it is for all.
            json_binary_null("products").into(),
            text_null("coupon_external_id").into(),
            // All NULL while the terms are not known.
            text_null("duration").into(),
            big_integer_null("percent_basis_points").into(),
            big_integer_null("amount_off_minor").into(),
            text_null("currency").into(),
            boolean("per_unit").into(),
            instant_null("starts_at").into(),
            instant_null("ends_at").into(),
            instant("created_at").into(),
            one_of("scope", &["customer", "subscription", "item"]),
            one_of("duration", &["once", "repeating", "forever"]),
            iso_currency("currency"),
            check("percent_basis_points BETWEEN 0 AND 10000"),
            check("percent_basis_points IS NULL OR amount_off_minor IS NULL"),
            check("amount_off_minor >= 0"),
            check("amount_off_minor IS NULL OR currency IS NOT NULL"),
        ],
    )
    .await?;
    unique(manager, "subscription_discounts", &["subscription_id", "external_id"]).await?;
    index(manager, "subscription_discounts", &["subscription_id", "id"]).await?;
    index(manager, "subscription_discounts", &["external_id"]).await?;
    index(manager, "subscription_discounts", &["coupon_external_id"]).await
}

async fn arr_changes(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "subscription_arr_changes",
        vec![
            id().into(),
            reference("account_id", "accounts").into(),
            reference("subscription_version_id", "subscription_versions").into(),
            instant("effective_at").into(),
            text_null("currency").into(),
            big_integer_null("arr_minor").into(),
            big_integer_null("discounted_arr_minor").into(),
            iso_currency("currency"),
            check("arr_minor >= 0 AND discounted_arr_minor BETWEEN 0 AND arr_minor"),
        ],
    )
    .await?;
    unique(manager, "subscription_arr_changes", &["subscription_version_id", "effective_at"]).await?;
    append_only(manager, "subscription_arr_changes").await
}
