//! Spending, holds, reversals, transfers and debts of credits; the schedule of allowances; balances at past instants.

use crate::table::*;
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const OLD_SUM: &str = "available + held + spent + expired + revoked + issued = 0";
const NEW_SUM: &str = "available + held + spent + expired + revoked + issued + owed = 0";
const OLD_BUCKETS: &str = "bucket IN ('available', 'held', 'spent', 'expired', 'issued', 'revoked')";
const NEW_BUCKETS: &str = "bucket IN ('available', 'held', 'spent', 'expired', 'issued', 'revoked', 'owed')";
const OLD_SIGN: &str = "balance_after >= 0 OR bucket = 'issued'";
const NEW_SIGN: &str = "balance_after >= 0 OR bucket IN ('issued', 'owed')";
const OLD_KINDS: &str = "kind IN ('grant', 'spend', 'hold', 'capture', 'release', 'expire', 'revoke')";
const NEW_KINDS: &str = "kind IN ('grant', 'spend', 'hold', 'capture', 'release', 'expire', 'revoke', 'reverse', \
     'transfer', 'repay')";
const OLD_SOURCES: &str = "source IN ('plan', 'purchase', 'promo', 'gift', 'refund', 'admin')";
const NEW_SOURCES: &str = "source IN ('plan', 'purchase', 'promo', 'gift', 'refund', 'admin', 'transfer')";

/// The CHECKs that change, before and after, with the part of each by which PostgreSQL knows it.
const CHECKS: [(&str, &str, &str, &str, &str); 5] = [
    ("balances", OLD_SUM, NEW_SUM, "revoked) + issued) = 0", "issued) + owed) = 0"),
    ("ledger_entries", OLD_BUCKETS, NEW_BUCKETS, "CHECK ((bucket = ANY", "CHECK ((bucket = ANY"),
    ("ledger_entries", OLD_SIGN, NEW_SIGN, "(balance_after >= 0)", "(balance_after >= 0)"),
    ("ledger_txns", OLD_KINDS, NEW_KINDS, "(kind = ANY", "(kind = ANY"),
    ("credit_grants", OLD_SOURCES, NEW_SOURCES, "(source = ANY", "(source = ANY"),
];

const COLUMNS: [(&str, &str); 9] = [
    // Credits taken back that were spent before; the next grant repays them. Zero or negative.
    ("balances", "owed bigint NOT NULL DEFAULT 0 CHECK (owed <= 0)"),
    // The first instant at which the balance changes without a request; NULL if there is none.
    ("balances", "next_due_at INSTANT"),
    // That of the transaction; it never decreases with `seq`.
    ("ledger_entries", "effective_at INSTANT"),
    // The transaction that this one reverses.
    ("ledger_txns", "reverses_id UUID REFERENCES ledger_txns (id)"),
    // FALSE until the grant has begun; until then no entry shows it.
    ("credit_grants", "started boolean NOT NULL DEFAULT TRUE"),
    // The allowance of the plan, and the subscription to it.
    ("credit_grants", "allowance_id UUID REFERENCES credit_allowances (id)"),
    ("credit_grants", "subscription_id UUID REFERENCES subscriptions (id)"),
    // The fate of unspent credits where the subscription changes to another plan.
    (
        "credit_allowances",
        "on_plan_change text NOT NULL DEFAULT 'replace' CHECK (on_plan_change IN ('replace', 'keep'))",
    ),
    // A name of the IANA database: days begin at midnight there.
    ("accounts", "time_zone text NOT NULL DEFAULT 'UTC'"),
];

const SPENDABLE: &str = "remaining > 0";
const OLD_ORDER: [&str; 5] = ["account_id", "credit_unit_id", "priority", "expires_at", "id"];
const NEW_ORDER: [&str; 5] = ["account_id", "credit_unit_id", "expires_at", "priority", "id"];
const AS_OF: [&str; 5] = ["account_id", "credit_unit_id", "bucket", "effective_at", "seq"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        add_columns(manager, &COLUMNS).await?;
        for (table, old, new, known_by, _) in CHECKS {
            replace_check(manager, table, (old, new), known_by).await?;
        }
        let instants = "UPDATE ledger_entries SET effective_at = \
             (SELECT t.recorded_at FROM ledger_txns t WHERE t.id = ledger_entries.txn_id)";
        rewrite(manager, "ledger_entries", vec![instants.to_owned()]).await?;
        // Settled by the first use or the schedule. Allowances are granted from now on.
        let now = match manager.get_database_backend() {
            DbBackend::Postgres => "now()",
            _ => "strftime('%Y-%m-%dT%H:%M:%S+00:00', 'now')",
        };
        run(manager, vec![format!("UPDATE balances SET next_due_at = {now}")]).await?;
        index(manager, "ledger_entries", &AS_OF).await?;
        index_where(manager, "balances", &["next_due_at", "id"], "next_due_at IS NOT NULL").await?;
        unique(manager, "ledger_txns", &["reverses_id"]).await?;
        index(manager, "credit_grants", &["allowance_id"]).await?;
        index(manager, "credit_grants", &["subscription_id", "credit_unit_id", "id"]).await?;
        drop_indexes(manager, &[("ixp", "credit_grants", &OLD_ORDER)]).await?;
        index_where(manager, "credit_grants", &NEW_ORDER, SPENDABLE).await?;
        holds(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop(manager, &["credit_holds"]).await?;
        drop_indexes(
            manager,
            &[
                ("ixp", "credit_grants", &NEW_ORDER),
                ("ix", "credit_grants", &["subscription_id", "credit_unit_id", "id"]),
                ("ix", "credit_grants", &["allowance_id"]),
                ("ux", "ledger_txns", &["reverses_id"]),
                ("ixp", "balances", &["next_due_at", "id"]),
                ("ix", "ledger_entries", &AS_OF),
            ],
        )
        .await?;
        index_where(manager, "credit_grants", &OLD_ORDER, SPENDABLE).await?;
        for (table, old, new, _, known_by) in CHECKS {
            replace_check(manager, table, (new, old), known_by).await?;
        }
        drop_columns(manager, &COLUMNS).await
    }
}

async fn holds(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "credit_holds",
        vec![
            id().into(),
            reference("account_id", "accounts").into(),
            reference("credit_unit_id", "credit_units").into(),
            big_integer("amount").into(),
            // Credits that are held now, by the grants that they came from: a list of ids and amounts.
            big_integer("remaining").into(),
            json_binary("parts").into(),
            big_integer("captured").into(),
            text("state").into(),
            instant("created_at").into(),
            instant("expires_at").into(),
            instant_null("closed_at").into(),
            text("created_by").into(),
            text_null("reason").into(),
            text_null("ref_type").into(),
            text_null("ref_id").into(),
            one_of("state", &["open", "captured", "released", "expired"]),
            check("amount > 0"),
            check("captured BETWEEN 0 AND amount"),
            check("remaining BETWEEN 0 AND amount - captured"),
            check("(state = 'open') = (closed_at IS NULL)"),
            check("state = 'open' OR remaining = 0"),
            check("expires_at > created_at"),
            check("(ref_type IS NULL) = (ref_id IS NULL)"),
        ],
    )
    .await?;
    index(manager, "credit_holds", &["account_id", "created_at", "id"]).await?;
    index(manager, "credit_holds", &["created_at", "id"]).await?;
    index(manager, "credit_holds", &["ref_type", "ref_id"]).await?;
    index_where(manager, "credit_holds", &["account_id", "credit_unit_id", "expires_at", "id"], "state = 'open'").await
}
