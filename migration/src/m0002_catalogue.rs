//! What can be bought, and what it grants.

use crate::table::*;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        products(manager).await?;
        prices(manager).await?;
        features(manager).await?;
        credits(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let tables = ["credit_allowances", "credit_units", "product_features", "features", "prices"];
        drop(manager, &tables).await?;
        drop(manager, &["product_versions", "products"]).await
    }
}

async fn products(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "products",
        vec![
            id().into(),
            text("code").into(),
            text("kind").into(),
            big_integer("rank").into(),
            text("name").into(),
            text_null("description").into(),
            boolean("active").into(),
            instant("created_at").into(),
            instant("updated_at").into(),
            one_of("kind", &["plan", "addon", "credit_pack", "gift"]),
        ],
    )
    .await?;
    unique(manager, "products", &["code"]).await?;
    index(manager, "products", &["rank", "id"]).await?;
    index(manager, "products", &["created_at", "id"]).await?;

    create(
        manager,
        "product_versions",
        vec![
            id().into(),
            reference("product_id", "products").into(),
            big_integer("number").into(),
            text("status").into(),
            instant("created_at").into(),
            instant_null("published_at").into(),
            one_of("status", &["draft", "published", "superseded"]),
            check("number > 0"),
            check("(status = 'draft') = (published_at IS NULL)"),
        ],
    )
    .await?;
    unique(manager, "product_versions", &["product_id", "number"]).await?;
    unique_where(manager, "product_versions", &["product_id"], "status = 'published'").await
}

async fn prices(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "prices",
        vec![
            id().into(),
            reference("product_version_id", "product_versions").into(),
            text("currency").into(),
            big_integer("unit_amount_minor").into(),
            text("interval").into(),
            big_integer("interval_count").into(),
            big_integer_null("trial_days").into(),
            boolean("active").into(),
            instant("created_at").into(),
            one_of("interval", &["day", "week", "month", "year", "one_time"]),
            iso_currency("currency"),
            check("unit_amount_minor >= 0"),
            check("interval_count > 0"),
            check("trial_days > 0"),
        ],
    )
    .await?;
    unique(manager, "prices", &["product_version_id", "currency", "interval", "interval_count"]).await
}

async fn features(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "features",
        vec![
            id().into(),
            text("code").into(),
            text("kind").into(),
            text("name").into(),
            text_null("unit").into(),
            instant("created_at").into(),
            one_of("kind", &["switch", "limit", "config", "credit"]),
        ],
    )
    .await?;
    unique(manager, "features", &["code"]).await?;

    create(
        manager,
        "product_features",
        vec![
            id().into(),
            reference("product_version_id", "product_versions").into(),
            reference("feature_id", "features").into(),
            text_null("value").into(),
            big_integer_null("limit_units").into(),
            text_null("limit_window").into(),
            big_integer_null("rollover_cap").into(),
            text_null("on_exceed").into(),
            one_of("limit_window", &["hour", "day", "month", "billing", "lifetime"]),
            one_of("on_exceed", &["block", "warn", "overage"]),
            check("limit_units >= 0"),
            check("rollover_cap >= 0"),
        ],
    )
    .await?;
    unique(manager, "product_features", &["product_version_id", "feature_id", "limit_window"]).await
}

async fn credits(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "credit_units",
        vec![
            id().into(),
            text("code").into(),
            text("name").into(),
            small_integer("decimals").into(),
            instant("created_at").into(),
            check("decimals BETWEEN 0 AND 12"),
        ],
    )
    .await?;
    unique(manager, "credit_units", &["code"]).await?;

    create(
        manager,
        "credit_allowances",
        vec![
            id().into(),
            reference("product_version_id", "product_versions").into(),
            reference("credit_unit_id", "credit_units").into(),
            big_integer("amount").into(),
            text("cadence").into(),
            big_integer_null("expires_after_days").into(),
            big_integer_null("rollover_cap").into(),
            big_integer("priority").into(),
            one_of("cadence", &["once", "billing", "month", "day"]),
            check("amount > 0"),
            check("expires_after_days > 0"),
            check("rollover_cap >= 0"),
        ],
    )
    .await?;
    unique(manager, "credit_allowances", &["product_version_id", "credit_unit_id", "cadence"]).await
}
