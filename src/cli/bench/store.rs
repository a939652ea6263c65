//! The statements of measurements.

use crate::db::{Db, Txn};
use crate::error::Result;
use sea_orm::{ConnectionTrait, DbBackend, Statement, Value};
use uuid::Uuid;

/// The rows of a wallet that plain SQL changes.
#[derive(Debug, Clone, Copy)]
pub(super) struct PlainWallet {
    account_id: Uuid,
    unit_id: Uuid,
    balance_id: Uuid,
    grant_id: Uuid,
}

/// Creates a schema.
pub(super) async fn create_schema(db: &Db, name: &str) -> anyhow::Result<()> {
    db.schema().execute_unprepared(&format!("CREATE SCHEMA {name}")).await?;
    Ok(())
}

/// Drops a schema with all its tables.
pub(super) async fn drop_schema(db: &Db, name: &str) -> anyhow::Result<()> {
    db.schema().execute_unprepared(&format!("DROP SCHEMA {name} CASCADE")).await?;
    Ok(())
}

/// Updates the planner's statistics on PostgreSQL.
pub(super) async fn analyse(db: &Db) -> anyhow::Result<()> {
    if db.schema().get_database_backend() == DbBackend::Postgres {
        db.schema().execute_unprepared("ANALYZE").await?;
    }
    Ok(())
}

/// Returns wallets that have a grant, by account.
pub(super) async fn plain_wallets(db: &Db) -> anyhow::Result<Vec<PlainWallet>> {
    let sql = "SELECT b.account_id, b.credit_unit_id, b.id AS balance_id, g.id AS grant_id FROM balances b \
        JOIN credit_grants g ON g.account_id = b.account_id AND g.credit_unit_id = b.credit_unit_id \
        WHERE g.remaining > 1000000 ORDER BY b.account_id, g.id";
    let rows = db.read().query_all_raw(Statement::from_string(db.read().get_database_backend(), sql)).await?;
    let mut wallets: Vec<PlainWallet> = Vec::with_capacity(rows.len());
    for row in rows {
        let wallet = PlainWallet {
            account_id: row.try_get("", "account_id")?,
            unit_id: row.try_get("", "credit_unit_id")?,
            balance_id: row.try_get("", "balance_id")?,
            grant_id: row.try_get("", "grant_id")?,
        };
        if wallets.last().is_none_or(|last| last.balance_id != wallet.balance_id) {
            wallets.push(wallet);
        }
    }
    Ok(wallets)
}

/// Writes the rows of a spend of one credit, by one statement for each table.
pub(super) async fn plain_spend(txn: &Txn, wallet: PlainWallet) -> Result<()> {
    let backend = txn.get_database_backend();
    let now = Value::from(txn.now().fixed_offset());
    let (txn_id, key_id) = (txn.new_id(), txn.new_id());
    let run = |sql: &'static str, values: Vec<Value>| txn.execute_raw(statement(backend, sql, values));
    let balance = "UPDATE balances SET available = available - 1, spent = spent + 1, entry_count = entry_count + 2, \
        updated_at = $1 WHERE id = $2 RETURNING available, spent, entry_count";
    let balance = statement(backend, balance, vec![now.clone(), wallet.balance_id.into()]);
    let row = txn.query_one_raw(balance).await?;
    let row =
        row.ok_or_else(|| crate::error::Error::internal(anyhow::anyhow!("The balance of a wallet is missing.")))?;
    let (available, spent): (i64, i64) = (row.try_get("", "available")?, row.try_get("", "spent")?);
    let seq: i64 = row.try_get("", "entry_count")?;
    run("UPDATE credit_grants SET remaining = remaining - 1 WHERE id = $1", vec![wallet.grant_id.into()]).await?;
    let entries = "INSERT INTO ledger_entries (id, txn_id, account_id, credit_unit_id, grant_id, bucket, amount, \
        balance_after, seq, recorded_at, effective_at) VALUES \
        ($1, $3, $4, $5, $6, 'available', -1, $7, $9, $11, $11), ($2, $3, $4, $5, $6, 'spent', 1, $8, $10, $11, $11)";
    let values = vec![
        txn.new_id().into(),
        txn.new_id().into(),
        txn_id.into(),
        wallet.account_id.into(),
        wallet.unit_id.into(),
        wallet.grant_id.into(),
        available.into(),
        spent.into(),
        (seq - 1).into(),
        seq.into(),
        now.clone(),
    ];
    run(entries, values).await?;
    let sealed = "INSERT INTO ledger_txns (id, account_id, kind, business_key, effective_at, recorded_at, actor) \
        VALUES ($1, $2, 'spend', $3, $4, $4, 'system:bench')";
    let business_key = format!("spend:{txn_id}");
    run(sealed, vec![txn_id.into(), wallet.account_id.into(), business_key.into(), now.clone()]).await?;
    let key = "INSERT INTO idempotency_keys (id, caller, key, request_hash, answer, created_at) \
        VALUES ($1, 'system:bench', $2, $2, $3, $4)";
    let answer = serde_json::json!({"transaction_id": txn_id, "available": available});
    run(key, vec![key_id.into(), key_id.to_string().into(), answer.into(), now]).await?;
    Ok(())
}

fn statement(backend: DbBackend, sql: &'static str, values: Vec<Value>) -> Statement {
    Statement::from_sql_and_values(backend, sql, values)
}
