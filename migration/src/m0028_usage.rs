//! Meters, recorded usage, and the rate cards that turn it into credits.

use crate::table::*;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const COLUMNS: [(&str, &str); 1] = [
    // The meter that the limits of the feature count on; NULL for a feature that is not counted.
    ("features", "meter_id UUID REFERENCES meters (id)"),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        meters(manager).await?;
        add_columns(manager, &COLUMNS).await?;
        index(manager, "features", &["meter_id"]).await?;
        rate_cards(manager).await?;
        events(manager).await?;
        daily(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop(manager, &["usage_daily", "usage_events", "rate_cards"]).await?;
        drop_append_only(manager, "usage_events").await?;
        drop_indexes(manager, &[("ix", "features", &["meter_id"])]).await?;
        drop_columns(manager, &COLUMNS).await?;
        drop(manager, &["meters"]).await
    }
}

async fn meters(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "meters",
        vec![
            id().into(),
            text("code").into(),
            text("name").into(),
            text("aggregation").into(),
            // The path of the value in the dimensions of an event; NULL for the event's own value.
            text_null("value_path").into(),
            // The dimension by which daily summaries are kept apart, such as `model`; NULL for none.
            text_null("group_by").into(),
            instant("created_at").into(),
            one_of("aggregation", &["sum", "count", "max", "unique"]),
            check("aggregation <> 'unique' OR value_path IS NOT NULL"),
        ],
    )
    .await?;
    unique(manager, "meters", &["code"]).await?;
    index(manager, "meters", &["created_at", "id"]).await
}

async fn events(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "usage_events",
        vec![
            id().into(),
            reference("account_id", "accounts").into(),
            reference("meter_id", "meters").into(),
            reference_null("user_id", "users").into(),
            reference_null("device_id", "devices").into(),
            // Identifies the fact: a second event with it is the same one.
            text("dedupe_key").into(),
            instant("occurred_at").into(),
            instant("recorded_at").into(),
            // Negative in a correction.
            big_integer("value").into(),
            // The value of a meter that counts different ones; NULL for others.
            text_null("unique_value").into(),
            json_binary_null("dimensions").into(),
            text_null("ref_type").into(),
            text_null("ref_id").into(),
            // Credits that the usage cost, and the transaction that spent them; negative where they were returned.
            big_integer("credits").into(),
            reference_null("credit_unit_id", "credit_units").into(),
            reference_null("ledger_txn_id", "ledger_txns").into(),
            reference_null("rate_card_id", "rate_cards").into(),
            // TRUE once the host has verified the usage.
            boolean("verified").into(),
            text_null("proof").into(),
            text_null("content_hash").into(),
            reference_null("corrects_id", "usage_events").into(),
            text("recorded_by").into(),
            check("(ref_type IS NULL) = (ref_id IS NULL)"),
            check("corrects_id IS NOT NULL OR value >= 0"),
        ],
    )
    .await?;
    unique(manager, "usage_events", &["meter_id", "account_id", "dedupe_key"]).await?;
    unique(manager, "usage_events", &["corrects_id"]).await?;
    index(manager, "usage_events", &["account_id", "occurred_at", "id"]).await?;
    index(manager, "usage_events", &["account_id", "meter_id", "occurred_at", "id"]).await?;
    index(manager, "usage_events", &["account_id", "meter_id", "unique_value", "occurred_at"]).await?;
    index(manager, "usage_events", &["occurred_at", "id"]).await?;
    index(manager, "usage_events", &["ref_type", "ref_id"]).await?;
    index(manager, "usage_events", &["ledger_txn_id"]).await?;
    append_only(manager, "usage_events").await
}

async fn rate_cards(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "rate_cards",
        vec![
            id().into(),
            reference("meter_id", "meters").into(),
            reference("credit_unit_id", "credit_units").into(),
            // The value of one dimension that an event must have, such as `model` and `gpt-4o`; NULL for any event.
            text_null("dimension").into(),
            text_null("dimension_value").into(),
            // A list of quantities, each with its credits per so many: dimensions of the event, or `value`.
            json_binary("rates").into(),
            instant("starts_at").into(),
            instant_null("ends_at").into(),
            text("created_by").into(),
            instant("created_at").into(),
            check("(dimension IS NULL) = (dimension_value IS NULL)"),
            check("ends_at > starts_at"),
        ],
    )
    .await?;
    unique(manager, "rate_cards", &["meter_id", "dimension", "dimension_value", "starts_at"]).await?;
    index(manager, "rate_cards", &["created_at", "id"]).await
}

async fn daily(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "usage_daily",
        vec![
            id().into(),
            reference("account_id", "accounts").into(),
            reference("meter_id", "meters").into(),
            // A UTC day.
            ColumnDef::new("day").date().not_null().take().into(),
            // The value of the meter's `group_by`; empty for events without it.
            text("dimension_value").into(),
            big_integer("event_count").into(),
            big_integer("value").into(),
            big_integer("credits").into(),
            instant("updated_at").into(),
        ],
    )
    .await?;
    unique(manager, "usage_daily", &["account_id", "meter_id", "day", "dimension_value"]).await?;
    index(manager, "usage_daily", &["account_id", "day", "id"]).await
}
