//! Errors of the host application, its e-mail campaigns, and the sales of its partners.

use crate::table::*;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const SEVERITIES: &[&str] = &["info", "warning", "error", "critical"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        error_groups(manager).await?;
        error_events(manager).await?;
        campaigns(manager).await?;
        partners(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop(manager, &["partner_daily", "email_campaigns", "error_events", "error_groups"]).await
    }
}

async fn error_groups(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "error_groups",
        vec![
            id().into(),
            // A hash that errors of one cause have in common.
            text("fingerprint").into(),
            text("error_type").into(),
            // The message of the first error, without its variable parts.
            text("message").into(),
            // The highest of its errors.
            text("severity").into(),
            big_integer("error_count").into(),
            instant("first_seen_at").into(),
            instant("last_seen_at").into(),
            // Errors that are seen later open the group again.
            instant_null("resolved_at").into(),
            one_of("severity", SEVERITIES),
            check("error_count >= 0"),
            check("last_seen_at >= first_seen_at"),
        ],
    )
    .await?;
    unique(manager, "error_groups", &["fingerprint"]).await?;
    index(manager, "error_groups", &["last_seen_at", "id"]).await?;
    index(manager, "error_groups", &["severity", "last_seen_at", "id"]).await
}

async fn error_events(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "error_events",
        vec![
            id().into(),
            reference("error_group_id", "error_groups").into(),
            text("severity").into(),
            text("message").into(),
            text_null("stack").into(),
            // The version of the host application.
            text_null("release").into(),
            text_null("page").into(),
            // The user to whom it happened.
            reference_null("user_id", "users").into(),
            text("dedupe_key").into(),
            json_binary_null("properties").into(),
            instant("occurred_at").into(),
            // The UTC day of `occurred_at`.
            ColumnDef::new("day").date().not_null().take().into(),
            instant("recorded_at").into(),
            one_of("severity", SEVERITIES),
        ],
    )
    .await?;
    unique_where(manager, "error_events", &["user_id", "dedupe_key"], "user_id IS NOT NULL").await?;
    unique_where(manager, "error_events", &["dedupe_key"], "user_id IS NULL").await?;
    index(manager, "error_events", &["error_group_id", "occurred_at", "id"]).await?;
    index(manager, "error_events", &["day", "user_id"]).await
}

async fn campaigns(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let counts = ["delivered", "opened", "clicked", "bounced", "unsubscribed"];
    let mut columns = vec![
        id().into(),
        text("code").into(),
        text("name").into(),
        instant("sent_at").into(),
        big_integer("sent_count").into(),
        check("sent_count >= 0"),
        // The time as of which the counts are; older reports change nothing.
        instant("reported_at").into(),
        instant("created_at").into(),
    ];
    for count in counts {
        columns.push(big_integer(format!("{count}_count")).into());
        columns.push(check(format!("{count}_count BETWEEN 0 AND sent_count")));
    }
    create(manager, "email_campaigns", columns).await?;
    unique(manager, "email_campaigns", &["code"]).await?;
    index(manager, "email_campaigns", &["sent_at", "id"]).await
}

async fn partners(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "partner_daily",
        vec![
            id().into(),
            // The partner, by the id in the host application.
            text("partner_code").into(),
            ColumnDef::new("day").date().not_null().take().into(),
            text("currency").into(),
            big_integer("visit_count").into(),
            big_integer("booking_count").into(),
            // Less than zero where more was refunded than sold.
            big_integer("revenue_minor").into(),
            // The time as of which the figures are; older reports change nothing.
            instant("reported_at").into(),
            check("visit_count >= 0"),
            check("booking_count >= 0"),
            iso_currency("currency"),
        ],
    )
    .await?;
    unique(manager, "partner_daily", &["partner_code", "day", "currency"]).await?;
    index(manager, "partner_daily", &["day"]).await
}
