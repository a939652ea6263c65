//! What the mirror of the providers needs: the objects as they were last seen, whose they are, and the facts about
//! subscriptions and money that the first tables had no place for.

use crate::table::*;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        add_columns(manager).await?;
        inbox(manager).await?;
        objects(manager).await?;
        customers(manager).await?;
        catalogue(manager).await?;
        scheduled_changes(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let tables = ["scheduled_changes", "provider_prices", "provider_customers", "provider_objects"];
        drop(manager, &tables).await?;
        let indexes = [
            "ix_inbox_events_provider_object_id_occurred_at",
            "ix_inbox_events_provider_received_at_id",
            "ixp_inbox_events_waits_for",
            "ixp_inbox_events_received_at_id",
            "ux_coupons_provider_external_id",
            "ux_promo_codes_provider_external_id",
            "ix_promo_codes_code_normalized",
            "ix_prices_product_version_id",
            "ix_user_identities_subject",
            "ix_subscription_items_price_external_id",
            "ix_invoices_provider_payment_external_id",
        ];
        run(manager, indexes.iter().map(|index| format!("DROP INDEX {index}")).collect()).await?;
        unique(manager, "promo_codes", &["code_normalized"]).await?;
        unique(manager, "prices", &["product_version_id", "currency", "interval", "interval_count"]).await?;
        let columns = COLUMNS.iter().rev().map(|(table, column)| {
            let name = column.split(' ').next().unwrap_or(column);
            format!("ALTER TABLE {table} DROP COLUMN {name}")
        });
        run(manager, columns.collect()).await
    }
}

/// Columns added to tables that are there, in SQL that both engines read alike.
const COLUMNS: [(&str, &str); 34] = [
    // How we came to know of the event.
    (
        "inbox_events",
        "source text NOT NULL DEFAULT 'webhook' CHECK (source IN ('webhook', 'listed', 'fetched', 'answered'))",
    ),
    // What has to be known before it can be applied, e.g. `user:user_17`; NULL once it is, or needs nothing.
    ("inbox_events", "waits_for text"),
    // What an admin should know about an event that was applied all the same.
    ("inbox_events", "note text"),
    ("subscriptions", "customer_external_id text"),
    ("subscriptions", "cancel_at_period_end boolean NOT NULL DEFAULT FALSE"),
    ("subscriptions", "schedule_external_id text"),
    ("subscriptions", "latest_invoice_external_id text"),
    ("subscriptions", "next_billed_at timestamp_with_timezone_text"),
    ("subscriptions", "metadata jsonb_text"),
    ("subscription_items", "price_external_id text"),
    ("subscription_items", "current_period_start timestamp_with_timezone_text"),
    ("subscription_items", "current_period_end timestamp_with_timezone_text"),
    ("coupons", "provider text CHECK (provider IN ('stripe', 'paddle'))"),
    ("coupons", "external_id text"),
    ("coupons", "times_redeemed bigint NOT NULL DEFAULT 0 CHECK (times_redeemed >= 0)"),
    ("promo_codes", "provider text CHECK (provider IN ('stripe', 'paddle'))"),
    ("promo_codes", "external_id text"),
    ("promo_codes", "times_redeemed bigint NOT NULL DEFAULT 0 CHECK (times_redeemed >= 0)"),
    ("invoices", "customer_external_id text"),
    ("invoices", "payment_external_id text"),
    ("invoices", "billing_reason text"),
    ("invoices", "due_minor bigint NOT NULL DEFAULT 0 CHECK (due_minor >= 0)"),
    ("invoices", "attempt_count bigint NOT NULL DEFAULT 0 CHECK (attempt_count >= 0)"),
    ("invoices", "hosted_url text"),
    ("payments", "customer_external_id text"),
    ("payments", "charge_external_id text"),
    ("payments", "provider_status text"),
    ("payments", "received_minor bigint NOT NULL DEFAULT 0 CHECK (received_minor >= 0)"),
    ("payments", "disputed boolean NOT NULL DEFAULT FALSE"),
    ("payments", "failed_attempts bigint NOT NULL DEFAULT 0 CHECK (failed_attempts >= 0)"),
    ("refunds", "charge_external_id text"),
    ("refunds", "provider_status text"),
    ("disputes", "charge_external_id text"),
    ("disputes", "provider_status text"),
];

async fn add_columns(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    // The names under which each engine knows the types that `table.rs` uses elsewhere.
    let (instant, json) = match manager.get_database_backend() {
        sea_orm_migration::sea_orm::DbBackend::Postgres => ("timestamp with time zone", "jsonb"),
        _ => ("timestamp_with_timezone_text", "jsonb_text"),
    };
    let statement = |(table, column): &(&str, &str)| {
        let column = column.replace("timestamp_with_timezone_text", instant).replace("jsonb_text", json);
        format!("ALTER TABLE {table} ADD COLUMN {column}")
    };
    run(manager, COLUMNS.iter().map(statement).collect()).await
}

async fn inbox(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    index(manager, "inbox_events", &["provider", "object_id", "occurred_at"]).await?;
    index(manager, "inbox_events", &["provider", "received_at", "id"]).await?;
    index_where(manager, "inbox_events", &["waits_for"], "waits_for IS NOT NULL").await?;
    index_where(manager, "inbox_events", &["received_at", "id"], "waits_for IS NOT NULL").await
}

/// The newest state of each object at the provider, and what it is tied to.
async fn objects(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "provider_objects",
        vec![
            id().into(),
            text("provider").into(),
            text("external_id").into(),
            text("kind").into(),
            text_null("api_version").into(),
            json_binary("payload").into(),
            boolean("deleted").into(),
            instant("occurred_at").into(),
            reference("inbox_event_id", "inbox_events").into(),
            // The ids, at the provider, of what it belongs to. Once known, a tie is never forgotten.
            text_null("customer").into(),
            text_null("subscription").into(),
            text_null("invoice").into(),
            text_null("payment").into(),
            text_null("charge").into(),
            text_null("product").into(),
            instant("updated_at").into(),
            one_of("provider", &["stripe", "paddle"]),
        ],
    )
    .await?;
    unique(manager, "provider_objects", &["provider", "external_id"]).await?;
    index(manager, "provider_objects", &["provider", "kind", "external_id"]).await?;
    for tie in ["customer", "subscription", "invoice", "payment", "charge", "product"] {
        index(manager, "provider_objects", &["provider", tie, "kind"]).await?;
    }
    Ok(())
}

/// Who is billed at the provider, and which account that is here. One account may have several.
async fn customers(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "provider_customers",
        vec![
            id().into(),
            reference("account_id", "accounts").into(),
            text("provider").into(),
            text("external_id").into(),
            text_null("email").into(),
            text_null("name").into(),
            boolean("delinquent").into(),
            boolean("deleted").into(),
            instant("created_at").into(),
            instant("updated_at").into(),
            one_of("provider", &["stripe", "paddle"]),
        ],
    )
    .await?;
    unique(manager, "provider_customers", &["provider", "external_id"]).await?;
    // The host application names a user by the subject alone.
    index(manager, "user_identities", &["subject"]).await?;
    index(manager, "provider_customers", &["account_id", "created_at", "id"]).await?;
    index(manager, "provider_customers", &["provider", "created_at", "id"]).await?;
    index(manager, "provider_customers", &["delinquent", "created_at", "id"]).await?;
    index(manager, "provider_customers", &["created_at", "id"]).await
}

async fn catalogue(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "provider_prices",
        vec![
            id().into(),
            reference("product_version_id", "product_versions").into(),
            // NULL where the provider's price is not one amount for each unit.
            reference_null("price_id", "prices").into(),
            text("provider").into(),
            text("external_id").into(),
            text("product_external_id").into(),
            // What it says of the product: of the prices of one product, the newest that is sold has the say.
            text("product_kind").into(),
            big_integer("product_rank").into(),
            text("product_name").into(),
            boolean("active").into(),
            // How many credits a pack holds; NULL where it is none.
            big_integer_null("credits").into(),
            instant("created_at").into(),
            instant("updated_at").into(),
            one_of("provider", &["stripe", "paddle"]),
            check("credits > 0"),
        ],
    )
    .await?;
    unique(manager, "provider_prices", &["provider", "external_id"]).await?;
    index(manager, "provider_prices", &["price_id"]).await?;
    index(manager, "provider_prices", &["product_version_id", "id"]).await?;
    index(manager, "provider_prices", &["provider", "product_external_id"]).await?;
    // A provider may sell the same plan at two prices for the same interval: the old one for those who have it.
    replace_unique(manager, "prices", "product_version_id_currency_interval_interval_count").await?;
    index(manager, "prices", &["product_version_id"]).await?;
    unique(manager, "coupons", &["provider", "external_id"]).await?;
    // A provider may give an old code to a new promotion, or the same one to two customers.
    replace_unique(manager, "promo_codes", "code_normalized").await?;
    index(manager, "promo_codes", &["code_normalized"]).await?;
    unique(manager, "promo_codes", &["provider", "external_id"]).await?;
    index(manager, "subscription_items", &["price_external_id"]).await?;
    index(manager, "invoices", &["provider", "payment_external_id"]).await
}

async fn replace_unique(manager: &SchemaManager<'_>, table: &str, columns: &str) -> Result<(), DbErr> {
    let mut name = format!("ux_{table}_{columns}");
    name.truncate(63);
    run(manager, vec![format!("DROP INDEX {name}")]).await
}

/// What is to become of a subscription, and when; derived from the provider's objects and replaced with them.
async fn scheduled_changes(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "scheduled_changes",
        vec![
            id().into(),
            reference("account_id", "accounts").into(),
            reference("subscription_id", "subscriptions").into(),
            text("kind").into(),
            instant("effective_at").into(),
            reference_null("product_version_id", "product_versions").into(),
            reference_null("price_id", "prices").into(),
            text_null("price_external_id").into(),
            big_integer_null("quantity").into(),
            instant("created_at").into(),
            one_of("kind", &["plan_change", "cancel", "pause", "resume"]),
            check("quantity >= 0"),
        ],
    )
    .await?;
    unique(manager, "scheduled_changes", &["subscription_id", "effective_at", "kind"]).await
}
