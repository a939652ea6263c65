//! Inserts of many rows per statement, in a form that both engines accept: `INSERT … VALUES (…), (…)`.

use anyhow::Context;
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, EntityTrait, Iden, Iterable, ModelTrait, Statement, Value,
};

/// The parameters per statement. SQLite allows 32,766; far fewer are as fast.
const PARAMETERS: usize = 2_000;

/// A writer of rows within a transaction.
pub(super) struct Writer<'a> {
    pub(super) txn: &'a DatabaseTransaction,
}

impl Writer<'_> {
    /// Inserts `rows` in order, and returns their number.
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
            self.txn
                .execute_raw(statement)
                .await
                .with_context(|| format!("Rows could not be written to {}.", table.table_name()))?;
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
                // SQLite treats a numbered parameter as a named one, and searches the names from the first each time.
                _ => sql.push('?'),
            }
        }
        sql.push(')');
    }
    sql
}
