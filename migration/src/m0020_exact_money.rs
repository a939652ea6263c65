//! Sums of money as they are: invoices that are credits, the returned part of a payment where it is known, and cash by
//! what was received and in which currency it was returned.

use crate::table::*;
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// The CHECK of `invoices` that refused credits.
const OLD: &str = "discount_minor >= 0 AND tax_minor >= 0 AND paid_minor >= 0";
/// The CHECK in its place.
const NEW: &str = "paid_minor >= 0";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        replace_check(manager, OLD, NEW).await?;
        // What is gone again, by refunds and lost disputes; NULL where some of it went in another currency and the
        // provider does not say what that was in the payment's.
        let statements = [
            "ALTER TABLE payments ADD COLUMN returned_minor bigint CHECK (returned_minor BETWEEN 0 AND received_minor)",
            "UPDATE payments SET returned_minor = CASE WHEN refunded_minor + lost < received_minor \
             THEN refunded_minor + lost ELSE received_minor END FROM (SELECT p.id AS paid, \
             COALESCE((SELECT CAST(SUM(d.amount_minor) AS bigint) FROM disputes d WHERE d.payment_id = p.id \
             AND d.status = 'lost'), 0) AS lost FROM payments p) AS sums WHERE sums.paid = payments.id",
            // The currency of an account is that of its first payment.
            "UPDATE accounts SET currency = (SELECT p.currency FROM payments p WHERE p.account_id = accounts.id \
             AND p.status = 'succeeded' AND p.received_minor > 0 ORDER BY p.paid_at, p.external_id LIMIT 1) \
             WHERE currency IS NULL",
            "DROP INDEX ix_payments_status_paid_at_currency_stream_amount_minor",
            "DROP INDEX ix_refunds_status_processed_at_payment_id_amount_minor",
        ];
        run(manager, statements.map(str::to_owned).to_vec()).await?;
        // Cash is a sum over these alone.
        index(manager, "payments", &["status", "paid_at", "currency", "stream", "received_minor"]).await?;
        index(manager, "refunds", &["status", "processed_at", "payment_id", "currency", "amount_minor"]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let statements = [
            "DROP INDEX ix_payments_status_paid_at_currency_stream_received_minor",
            "DROP INDEX ix_refunds_status_processed_at_payment_id_currency_amount_minor",
            "ALTER TABLE payments DROP COLUMN returned_minor",
            "UPDATE invoices SET subtotal_minor = total_minor, discount_minor = 0, tax_minor = 0 \
             WHERE discount_minor < 0 OR tax_minor < 0",
        ];
        run(manager, statements.map(str::to_owned).to_vec()).await?;
        index(manager, "payments", &["status", "paid_at", "currency", "stream", "amount_minor"]).await?;
        index(manager, "refunds", &["status", "processed_at", "payment_id", "amount_minor"]).await?;
        replace_check(manager, NEW, OLD).await
    }
}

/// Replaces a CHECK of `invoices`.
///
/// SQLite cannot drop one. Its documentation (<https://sqlite.org/lang_altertable.html#otheralter>) has two ways: to copy
/// the table, which the foreign keys to it forbid inside a transaction, or to edit the text of the schema, which is safe
/// for a CHECK because no row is stored differently.
async fn replace_check(manager: &SchemaManager<'_>, old: &str, new: &str) -> Result<(), DbErr> {
    let statements = match manager.get_database_backend() {
        DbBackend::Postgres => {
            // PostgreSQL shows each part in parentheses.
            let shown: Vec<_> = old.split(" AND ").map(|part| format!("({part})")).collect();
            let shown = if shown.len() == 1 { shown.concat() } else { format!("({})", shown.join(" AND ")) };
            vec![
                format!(
                    "DO $$ DECLARE old text; BEGIN SELECT conname INTO STRICT old FROM pg_constraint \
                     WHERE conrelid = 'invoices'::regclass AND contype = 'c' \
                     AND pg_get_constraintdef(oid) = 'CHECK ({shown})'; \
                     EXECUTE format('ALTER TABLE invoices DROP CONSTRAINT %I', old); END $$"
                ),
                format!("ALTER TABLE invoices ADD CHECK ({new})"),
            ]
        }
        _ => vec![
            "PRAGMA writable_schema = ON".to_owned(),
            format!(
                "UPDATE sqlite_schema SET sql = replace(sql, 'CHECK ({old})', 'CHECK ({new})') \
                 WHERE type = 'table' AND name = 'invoices'"
            ),
            "PRAGMA writable_schema = RESET".to_owned(),
        ],
    };
    run(manager, statements).await
}
