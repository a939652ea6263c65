//! Many rows per statement, in a form that both engines take: `INSERT … VALUES (…), (…)`.

use anyhow::Context;
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, EntityTrait, Iden, Iterable, ModelTrait, Statement, Value,
};

/// SQLite takes 32,766 parameters; far fewer are as fast, and keep the statements small.
const PARAMETERS: usize = 2_000;

/// Writes rows within a transaction.
pub(super) struct Writer<'a> {
    pub(super) txn: &'a DatabaseTransaction,
}

impl Writer<'_> {
    /// Inserts `rows`, in order, and tells how many there were.
    pub(super) async fn insert<E>(&self, rows: &[E::Model]) -> anyhow::Result<u64>
    where
        E: EntityTrait,
        E::Model: ModelTrait<Entity = E>,
    {
        let columns: Vec<E::Column> = E::Column::iter().collect();
        let backend = self.txn.get_database_backend();
        for batch in rows.chunks(PARAMETERS / columns.len()) {
            let sql = statement::<E>(backend, &columns, batch.len());
            let values: Vec<Value> =
                batch.iter().flat_map(|row| columns.iter().map(|column| row.get(*column))).collect();
            let statement = Statement::from_sql_and_values(backend, sql, values);
            let table = E::default();
            self.txn.execute_raw(statement).await.with_context(|| format!("writing {}", table.table_name()))?;
        }
        Ok(u64::try_from(rows.len())?)
    }
}

fn statement<E: EntityTrait>(backend: DbBackend, columns: &[E::Column], rows: usize) -> String {
    let names = columns.iter().map(|column| format!("\"{}\"", column.to_string())).collect::<Vec<_>>().join(", ");
    let mut sql = format!("INSERT INTO \"{}\" ({names}) VALUES ", E::default().table_name());
    let mut parameter = 0;
    for row in 0..rows {
        sql.push_str(if row == 0 { "(" } else { ", (" });
        for column in 0..columns.len() {
            parameter += 1;
            sql.push_str(if column == 0 { "" } else { ", " });
            match backend {
                DbBackend::Postgres => sql.push_str(&format!("${parameter}")),
                // A numbered parameter is a named one to SQLite, and names are searched from the first on each time.
                _ => sql.push('?'),
            }
        }
        sql.push(')');
    }
    sql
}
