//! An account's plan over time. `subscriptions` is the present; `subscription_versions` is every state there was.

use crate::table::*;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const STATUSES: [&str; 8] =
    ["trialing", "active", "past_due", "unpaid", "paused", "incomplete", "incomplete_expired", "canceled"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        subscriptions(manager).await?;
        items(manager).await?;
        versions(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop(manager, &["subscription_versions", "subscription_items", "subscriptions"]).await?;
        drop_append_only(manager, "subscription_versions").await
    }
}

async fn subscriptions(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "subscriptions",
        vec![
            id().into(),
            reference("account_id", "accounts").into(),
            reference_null("product_version_id", "product_versions").into(),
            reference_null("price_id", "prices").into(),
            text("provider").into(),
            text("external_id").into(),
            text("status").into(),
            instant("started_at").into(),
            instant_null("trial_start").into(),
            instant_null("trial_end").into(),
            instant_null("current_period_start").into(),
            instant_null("current_period_end").into(),
            instant_null("cancel_at").into(),
            instant_null("canceled_at").into(),
            instant_null("ended_at").into(),
            instant_null("paused_at").into(),
            instant_null("first_paid_at").into(),
            instant_null("provider_updated_at").into(),
            instant("created_at").into(),
            instant("updated_at").into(),
            one_of("provider", &["stripe", "paddle", "manual"]),
            one_of("status", &STATUSES),
            check("current_period_end >= current_period_start"),
            check("trial_end >= trial_start"),
        ],
    )
    .await?;
    unique(manager, "subscriptions", &["provider", "external_id"]).await?;
    index(manager, "subscriptions", &["account_id", "created_at", "id"]).await?;
    index(manager, "subscriptions", &["status", "created_at", "id"]).await?;
    index(manager, "subscriptions", &["product_version_id", "created_at", "id"]).await?;
    index(manager, "subscriptions", &["created_at", "id"]).await?;
    index_where(manager, "subscriptions", &["account_id"], "status IN ('trialing', 'active', 'past_due')").await
}

async fn items(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "subscription_items",
        vec![
            id().into(),
            reference("account_id", "accounts").into(),
            reference("subscription_id", "subscriptions").into(),
            reference_null("price_id", "prices").into(),
            text_null("external_id").into(),
            text("kind").into(),
            big_integer_null("quantity").into(),
            instant("created_at").into(),
            one_of("kind", &["plan", "addon", "metered"]),
            check("quantity >= 0"),
        ],
    )
    .await?;
    index(manager, "subscription_items", &["subscription_id", "id"]).await?;
    unique(manager, "subscription_items", &["external_id"]).await
}

async fn versions(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "subscription_versions",
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
            big_integer("arr_minor").into(),
            big_integer("discounted_arr_minor").into(),
            text("cause").into(),
            reference_null("inbox_event_id", "inbox_events").into(),
            one_of("status", &STATUSES),
            iso_currency("currency"),
            check("arr_minor >= 0 AND discounted_arr_minor BETWEEN 0 AND arr_minor"),
            check("currency IS NOT NULL OR arr_minor = 0"),
        ],
    )
    .await?;
    index(manager, "subscription_versions", &["subscription_id", "effective_at", "recorded_at", "id"]).await?;
    append_only(manager, "subscription_versions").await
}
