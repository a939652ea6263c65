//! The exact sums behind the figures of revenue, and the marks of days and customers whose sums have to be made again.
//!
//! The marks are written by triggers, in the transaction of the change itself, whoever makes it: a server of an older
//! version marks its changes too.

use crate::marks::Mark;
use crate::table::*;
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const POLICIES: [&str; 2] = ["forever_only", "all_active"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        marks(manager).await?;
        cash(manager).await?;
        movements(manager).await?;
        daily(manager).await?;
        cohorts(manager).await?;
        let postgres = manager.get_database_backend() == DbBackend::Postgres;
        let statements = CUSTOMERS.iter().chain(&DAYS).flat_map(|mark| mark.create(postgres));
        run(manager, statements.collect()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let postgres = manager.get_database_backend() == DbBackend::Postgres;
        let statements = CUSTOMERS.iter().chain(&DAYS).flat_map(|mark| mark.drop(postgres));
        run(manager, statements.collect()).await?;
        let tables = ["mrr_cohorts", "mrr_daily", "mrr_movements", "revenue_daily", "analytics_marks"];
        drop(manager, &tables).await
    }
}

/// Creates the marks. There may be several for one customer or day: on PostgreSQL a transaction never waits for the mark
/// of another.
async fn marks(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "analytics_marks",
        vec![
            id().into(),
            // The customer whose movements have to be made again.
            uuid_null("account_id").into(),
            // The UTC day whose cash has to be summed again.
            ColumnDef::new("day").date().take().into(),
            check("(account_id IS NULL) <> (day IS NULL)"),
        ],
    )
    .await?;
    index_where(manager, "analytics_marks", &["account_id"], "account_id IS NOT NULL").await?;
    index_where(manager, "analytics_marks", &["day"], "day IS NOT NULL").await
}

fn day(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).date().not_null().take()
}

async fn cash(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "revenue_daily",
        vec![
            id().into(),
            day("day").into(),
            text("currency").into(),
            text("stream").into(),
            // By the day on which payments succeeded.
            big_integer("gross_minor").into(),
            big_integer("payment_count").into(),
            // The provider's fees, as far as they are known, and the number of payments whose fee is not.
            big_integer("fee_minor").into(),
            big_integer("unknown_fee_count").into(),
            // By the day on which refunds were processed.
            big_integer("refunded_minor").into(),
            big_integer("refund_count").into(),
            // By the day on which invoices were paid.
            big_integer("tax_minor").into(),
            // By the day on which disputes were opened, and on which they were lost.
            big_integer("disputed_minor").into(),
            big_integer("lost_minor").into(),
            one_of("stream", &["subscription", "addon", "credits", "gift", "other"]),
            iso_currency("currency"),
        ],
    )
    .await?;
    unique(manager, "revenue_daily", &["day", "currency", "stream"]).await
}

async fn movements(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "mrr_movements",
        vec![
            id().into(),
            reference("account_id", "accounts").into(),
            text("currency").into(),
            text("discounts").into(),
            day("day").into(),
            text("kind").into(),
            text_null("cause").into(),
            big_integer("arr_before_minor").into(),
            big_integer("arr_after_minor").into(),
            // The first day of the month of the customer's first movement.
            day("cohort_on").into(),
            reference("subscription_id", "subscriptions").into(),
            reference("subscription_version_id", "subscription_versions").into(),
            reference_null("inbox_event_id", "inbox_events").into(),
            one_of("discounts", &POLICIES),
            one_of("kind", &["new", "expansion", "contraction", "churn", "reactivation"]),
            one_of("cause", &["paused", "payment_failed", "downgrade_to_free", "voluntary"]),
            check("(kind = 'churn') = (cause IS NOT NULL)"),
            check("(kind IN ('new', 'reactivation')) = (arr_before_minor = 0)"),
            check("(kind = 'churn') = (arr_after_minor = 0)"),
            check("arr_before_minor >= 0 AND arr_after_minor >= 0 AND arr_before_minor <> arr_after_minor"),
            iso_currency("currency"),
        ],
    )
    .await?;
    unique(manager, "mrr_movements", &["account_id", "currency", "discounts", "day"]).await?;
    index(manager, "mrr_movements", &["discounts", "day", "id"]).await?;
    index(manager, "mrr_movements", &["discounts", "kind", "day", "id"]).await
}

async fn daily(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut parts = vec![
        id().into(),
        day("day").into(),
        text("currency").into(),
        text("discounts").into(),
        one_of("discounts", &POLICIES),
        iso_currency("currency"),
    ];
    // Sums of annual amounts, with their signs, and numbers of movements.
    for column in [
        "new_minor",
        "expansion_minor",
        "reactivation_minor",
        "contraction_minor",
        "churn_minor",
        "new_count",
        "expansion_count",
        "reactivation_count",
        "contraction_count",
        "churn_count",
    ] {
        parts.push(big_integer(column).into());
    }
    create(manager, "mrr_daily", parts).await?;
    unique(manager, "mrr_daily", &["discounts", "day", "currency"]).await
}

async fn cohorts(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "mrr_cohorts",
        vec![
            id().into(),
            // The first day of the month in which the customers first paid, and of the month of these changes.
            day("cohort_on").into(),
            day("month_on").into(),
            text("currency").into(),
            text("discounts").into(),
            // Customers of the cohort that began in this month, and their annual amounts on their first days.
            big_integer("started_count").into(),
            big_integer("started_minor").into(),
            // Changes of the number of paying customers, and of their annual amounts.
            big_integer("customer_change").into(),
            big_integer("arr_change_minor").into(),
            one_of("discounts", &POLICIES),
            iso_currency("currency"),
        ],
    )
    .await?;
    unique(manager, "mrr_cohorts", &["discounts", "cohort_on", "month_on", "currency"]).await
}

const CUSTOMERS: [Mark; 3] = [
    Mark {
        table: "subscription_versions",
        column: "account_id",
        // Earlier versions may belong to another account.
        added: &["SELECT v.account_id FROM ROWS JOIN subscription_versions v ON v.subscription_id = r.subscription_id"],
        watched: &[],
        changed: &[],
        deleted: &[],
    },
    Mark {
        table: "subscription_arr_changes",
        column: "account_id",
        added: &["SELECT r.account_id FROM ROWS"],
        watched: &[],
        changed: &[],
        deleted: &[],
    },
    Mark {
        table: "subscriptions",
        column: "account_id",
        added: &[],
        watched: &["first_paid_at"],
        changed: &["SELECT account_id FROM subscription_versions WHERE subscription_id = NEW.id"],
        deleted: &[],
    },
];

const DAYS: [Mark; 4] = [
    Mark {
        table: "payments",
        column: "day",
        added: &[
            "SELECT DAY(r.paid_at) FROM ROWS",
            "SELECT DAY(i.paid_at) FROM ROWS JOIN invoices i ON i.id = r.invoice_id",
        ],
        watched: &["status", "paid_at", "received_minor", "currency", "stream", "fee_minor", "invoice_id"],
        changed: &[
            "SELECT DAY(NEW.paid_at)",
            "SELECT DAY(OLD.paid_at)",
            "SELECT DAY(paid_at) FROM invoices WHERE id IN (NEW.invoice_id, OLD.invoice_id)",
            "SELECT DAY(processed_at) FROM refunds WHERE payment_id = NEW.id",
            "SELECT DAY(created_at) FROM disputes WHERE payment_id = NEW.id",
            "SELECT DAY(closed_at) FROM disputes WHERE payment_id = NEW.id",
        ],
        deleted: &["SELECT DAY(OLD.paid_at)", "SELECT DAY(paid_at) FROM invoices WHERE id = OLD.invoice_id"],
    },
    Mark {
        table: "refunds",
        column: "day",
        added: &["SELECT DAY(r.processed_at) FROM ROWS"],
        watched: &["status", "processed_at", "amount_minor", "currency", "payment_id"],
        changed: &["SELECT DAY(NEW.processed_at)", "SELECT DAY(OLD.processed_at)"],
        deleted: &["SELECT DAY(OLD.processed_at)"],
    },
    Mark {
        table: "invoices",
        column: "day",
        added: &["SELECT DAY(r.paid_at) FROM ROWS"],
        watched: &["status", "paid_at", "tax_minor", "currency", "subscription_id"],
        changed: &["SELECT DAY(NEW.paid_at)", "SELECT DAY(OLD.paid_at)"],
        deleted: &["SELECT DAY(OLD.paid_at)"],
    },
    Mark {
        table: "disputes",
        column: "day",
        added: &["SELECT DAY(r.created_at) FROM ROWS", "SELECT DAY(r.closed_at) FROM ROWS"],
        watched: &["status", "created_at", "closed_at", "amount_minor", "currency", "payment_id"],
        changed: &[
            "SELECT DAY(NEW.created_at)",
            "SELECT DAY(OLD.created_at)",
            "SELECT DAY(NEW.closed_at)",
            "SELECT DAY(OLD.closed_at)",
        ],
        deleted: &["SELECT DAY(OLD.created_at)", "SELECT DAY(OLD.closed_at)"],
    },
];
