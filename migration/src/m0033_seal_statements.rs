//! On PostgreSQL the ledger is sealed by statement instead of by row: one query checks all the transactions, or all the
//! entries, that a statement inserts. Checking each row took a third of the time of inserting them.

use crate::table::*;
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const UNBALANCED: &str = "NOT EXISTS (SELECT 1 FROM ledger_entries WHERE txn_id = NEW.id) OR EXISTS (\
     SELECT 1 FROM ledger_entries WHERE txn_id = NEW.id GROUP BY credit_unit_id HAVING SUM(amount) <> 0)";
const SEALED: &str = "EXISTS (SELECT 1 FROM ledger_txns WHERE id = NEW.txn_id)";
// A transaction without entries has a NULL for its sum.
const ANY_UNBALANCED: &str = "EXISTS (SELECT 1 FROM added n LEFT JOIN ledger_entries e ON e.txn_id = n.id \
     GROUP BY n.id, e.credit_unit_id HAVING SUM(e.amount) IS DISTINCT FROM 0)";
const ANY_SEALED: &str = "EXISTS (SELECT 1 FROM added n JOIN ledger_txns t ON t.id = n.txn_id)";

/// A plan that was made while the tables were small would be kept when they have grown.
const BY_INDEX: &str = "SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off";

/// The name, the table, the condition by row, the condition by statement and the message of each trigger.
const GUARDS: [(&str, &str, &str, &str, &str); 2] = [
    ("ledger_seal", "ledger_txns", UNBALANCED, ANY_UNBALANCED, "a ledger transaction adds up to zero per credit unit"),
    ("ledger_refuse_after_seal", "ledger_entries", SEALED, ANY_SEALED, "this ledger transaction is sealed"),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, table, _, refused, message) in GUARDS {
            let each = "AFTER INSERT ON {table} REFERENCING NEW TABLE AS added FOR EACH STATEMENT";
            replace(manager, (name, table), (refused, message), &each.replace("{table}", table), BY_INDEX).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, table, refused, _, message) in GUARDS {
            let each = format!("BEFORE INSERT ON {table} FOR EACH ROW");
            replace(manager, (name, table), (refused, message), &each, "").await?;
        }
        Ok(())
    }
}

async fn replace(
    manager: &SchemaManager<'_>,
    (name, table): (&str, &str),
    (refused, message): (&str, &str),
    each: &str,
    settings: &str,
) -> Result<(), DbErr> {
    if manager.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    let statements = vec![
        format!("DROP TRIGGER {name} ON {table}"),
        format!(
            "CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             IF {refused} THEN RAISE EXCEPTION '{message}'; END IF; RETURN NEW; END $$ {settings}"
        ),
        format!("CREATE TRIGGER {name} {each} EXECUTE FUNCTION {name}()"),
    ];
    run(manager, statements).await
}
