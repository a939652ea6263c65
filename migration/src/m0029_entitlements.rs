//! Counters of limits, overrides of features, rules of access, and rate limits as data.

use crate::table::*;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const COLUMNS: [(&str, &str); 5] = [
    // Days of access after a payment failed; NULL for as long as the subscription is past due.
    ("product_versions", "past_due_grace_days bigint CHECK (past_due_grace_days >= 0)"),
    ("product_versions", "access_while_paused boolean NOT NULL DEFAULT FALSE"),
    ("product_versions", "access_in_trial boolean NOT NULL DEFAULT TRUE"),
    // The credits that pay for each unit beyond the limit; NULL if none do.
    ("product_features", "overage_unit_id UUID REFERENCES credit_units (id)"),
    ("product_features", "overage_credits bigint CHECK (overage_credits > 0)"),
];

const WINDOWS: [&str; 5] = ["hour", "day", "month", "billing", "lifetime"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        add_columns(manager, &COLUMNS).await?;
        counters(manager).await?;
        overrides(manager).await?;
        rate_limits(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let tables = ["rate_limit_counters", "rate_limit_rules", "entitlement_overrides", "usage_counters"];
        drop(manager, &tables).await?;
        drop_columns(manager, &COLUMNS).await
    }
}

async fn counters(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "usage_counters",
        vec![
            id().into(),
            reference("account_id", "accounts").into(),
            reference("meter_id", "meters").into(),
            text("limit_window").into(),
            instant("window_start").into(),
            // The instant at which the next window begins; NULL for a lifetime.
            instant_null("resets_at").into(),
            big_integer("used").into(),
            // Unused units of earlier windows that count in this one.
            big_integer("banked").into(),
            // The limit at the last use; NULL for unlimited.
            big_integer_null("limit_at_use").into(),
            instant("updated_at").into(),
            one_of("limit_window", &WINDOWS),
            check("used >= 0"),
            check("banked >= 0"),
            check("resets_at > window_start"),
        ],
    )
    .await?;
    unique(manager, "usage_counters", &["account_id", "meter_id", "limit_window", "window_start"]).await
}

async fn overrides(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "entitlement_overrides",
        vec![
            id().into(),
            reference("account_id", "accounts").into(),
            reference("feature_id", "features").into(),
            // FALSE takes the feature away.
            boolean("granted").into(),
            text_null("value").into(),
            // NULL for unlimited.
            big_integer_null("limit_units").into(),
            text_null("limit_window").into(),
            text("reason").into(),
            text("created_by").into(),
            instant("created_at").into(),
            instant_null("expires_at").into(),
            instant_null("revoked_at").into(),
            one_of("limit_window", &WINDOWS),
            check("limit_units >= 0"),
            check("expires_at > created_at"),
        ],
    )
    .await?;
    index(manager, "entitlement_overrides", &["account_id", "feature_id", "created_at", "id"]).await?;
    index(manager, "entitlement_overrides", &["account_id", "created_at", "id"]).await?;
    index(manager, "entitlement_overrides", &["created_at", "id"]).await
}

async fn rate_limits(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "rate_limit_rules",
        vec![
            id().into(),
            text("code").into(),
            big_integer("max_count").into(),
            big_integer("window_seconds").into(),
            instant("created_at").into(),
            instant("updated_at").into(),
            check("max_count >= 0"),
            check("window_seconds BETWEEN 1 AND 31622400"),
        ],
    )
    .await?;
    unique(manager, "rate_limit_rules", &["code"]).await?;
    index(manager, "rate_limit_rules", &["created_at", "id"]).await?;
    create(
        manager,
        "rate_limit_counters",
        vec![
            id().into(),
            reference("rule_id", "rate_limit_rules").into(),
            text("identifier").into(),
            instant("window_start").into(),
            instant("resets_at").into(),
            big_integer("used").into(),
            check("used >= 0"),
            check("resets_at > window_start"),
        ],
    )
    .await?;
    unique(manager, "rate_limit_counters", &["rule_id", "identifier", "window_start"]).await?;
    index(manager, "rate_limit_counters", &["resets_at", "id"]).await
}
