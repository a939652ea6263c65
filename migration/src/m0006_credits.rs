//! The append-only double-entry credit ledger.
//!
//! A posting is written entries first: the `ledger_txns` row then *seals* it, and the database refuses the seal unless
//! the entries of each credit unit add up to zero, and refuses any entry after it.

use crate::table::*;
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const BUCKETS: [&str; 6] = ["available", "held", "spent", "expired", "issued", "revoked"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        grants(manager).await?;
        balances(manager).await?;
        ledger(manager).await?;
        seal(manager).await?;
        append_only(manager, "ledger_txns").await?;
        append_only(manager, "ledger_entries").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop(manager, &["ledger_entries", "ledger_txns", "balances", "credit_grants"]).await?;
        drop_append_only(manager, "ledger_entries").await?;
        drop_append_only(manager, "ledger_txns").await?;
        match manager.get_database_backend() {
            DbBackend::Postgres => {
                let functions = ["ledger_seal()", "ledger_refuse_after_seal()"];
                run(manager, functions.iter().map(|name| format!("DROP FUNCTION {name}")).collect()).await
            }
            _ => Ok(()),
        }
    }
}

async fn grants(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "credit_grants",
        vec![
            id().into(),
            reference("account_id", "accounts").into(),
            reference("credit_unit_id", "credit_units").into(),
            text("source").into(),
            big_integer("amount").into(),
            big_integer("remaining").into(),
            big_integer("priority").into(),
            instant("starts_at").into(),
            instant_null("expires_at").into(),
            text("business_key").into(),
            reference_null("payment_id", "payments").into(),
            text_null("reason").into(),
            text("granted_by").into(),
            instant("created_at").into(),
            one_of("source", &["plan", "purchase", "promo", "gift", "refund", "admin"]),
            check("amount > 0"),
            check("remaining BETWEEN 0 AND amount"),
            check("expires_at > starts_at"),
        ],
    )
    .await?;
    unique(manager, "credit_grants", &["business_key"]).await?;
    index(manager, "credit_grants", &["account_id", "created_at", "id"]).await?;
    index(manager, "credit_grants", &["created_at", "id"]).await?;
    index(manager, "credit_grants", &["payment_id"]).await?;
    // What is to expire next.
    index_where(manager, "credit_grants", &["expires_at", "id"], "remaining > 0").await?;
    // What a spend draws on, in the order in which it draws.
    let spendable = ["account_id", "credit_unit_id", "priority", "expires_at", "id"];
    index_where(manager, "credit_grants", &spendable, "remaining > 0").await
}

async fn balances(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut parts = vec![
        id().into(),
        reference("account_id", "accounts").into(),
        reference("credit_unit_id", "credit_units").into(),
        big_integer("entry_count").into(),
        instant("updated_at").into(),
        check("available >= 0 AND held >= 0 AND spent >= 0 AND expired >= 0 AND revoked >= 0"),
        check("available + held + spent + expired + revoked + issued = 0"),
        // Far from 2^63, past which SQLite would go on in floating point.
        check("issued >= -4000000000000000000"),
    ];
    parts.extend(BUCKETS.map(|bucket| big_integer(bucket).into()));
    create(manager, "balances", parts).await?;
    unique(manager, "balances", &["account_id", "credit_unit_id"]).await
}

async fn ledger(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "ledger_txns",
        vec![
            id().into(),
            reference("account_id", "accounts").into(),
            text("kind").into(),
            text("business_key").into(),
            instant("effective_at").into(),
            instant("recorded_at").into(),
            text("actor").into(),
            text_null("reason").into(),
            text_null("ref_type").into(),
            text_null("ref_id").into(),
            one_of("kind", &["grant", "spend", "hold", "capture", "release", "expire", "revoke"]),
            check("(ref_type IS NULL) = (ref_id IS NULL)"),
        ],
    )
    .await?;
    unique(manager, "ledger_txns", &["business_key"]).await?;
    index(manager, "ledger_txns", &["account_id", "recorded_at", "id"]).await?;
    index(manager, "ledger_txns", &["ref_type", "ref_id"]).await?;

    let sealed_by = "REFERENCES ledger_txns (id) DEFERRABLE INITIALLY DEFERRED";
    create(
        manager,
        "ledger_entries",
        vec![
            id().into(),
            uuid("txn_id").extra(sealed_by).take().into(),
            reference("account_id", "accounts").into(),
            reference("credit_unit_id", "credit_units").into(),
            reference_null("grant_id", "credit_grants").into(),
            text("bucket").into(),
            big_integer("amount").into(),
            big_integer("balance_after").into(),
            big_integer("seq").into(),
            instant("recorded_at").into(),
            one_of("bucket", &BUCKETS),
            check("amount <> 0"),
            check("balance_after >= 0 OR bucket = 'issued'"),
            check("seq > 0"),
        ],
    )
    .await?;
    unique(manager, "ledger_entries", &["account_id", "credit_unit_id", "seq"]).await?;
    index(manager, "ledger_entries", &["account_id", "credit_unit_id", "bucket", "seq", "id"]).await?;
    index(manager, "ledger_entries", &["txn_id"]).await?;
    index(manager, "ledger_entries", &["grant_id"]).await
}

async fn seal(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    const UNBALANCED: &str = "NOT EXISTS (SELECT 1 FROM ledger_entries WHERE txn_id = NEW.id) OR EXISTS (\
         SELECT 1 FROM ledger_entries WHERE txn_id = NEW.id GROUP BY credit_unit_id HAVING SUM(amount) <> 0)";
    const SEALED: &str = "EXISTS (SELECT 1 FROM ledger_txns WHERE id = NEW.txn_id)";
    let guards = [
        ("ledger_seal", "ledger_txns", UNBALANCED, "a ledger transaction adds up to zero per credit unit"),
        ("ledger_refuse_after_seal", "ledger_entries", SEALED, "this ledger transaction is sealed"),
    ];
    for (name, table, refused, message) in guards {
        let statements = match manager.get_database_backend() {
            DbBackend::Postgres => vec![
                format!(
                    "CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                     IF {refused} THEN RAISE EXCEPTION '{message}'; END IF; RETURN NEW; END $$"
                ),
                format!("CREATE TRIGGER {name} BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()"),
            ],
            _ => vec![format!(
                "CREATE TRIGGER {name} BEFORE INSERT ON {table} WHEN {refused} \
                 BEGIN SELECT RAISE(ABORT, '{message}'); END"
            )],
        };
        run(manager, statements).await?;
    }
    Ok(())
}
