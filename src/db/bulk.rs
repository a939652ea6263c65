//! Many rows in one statement. On PostgreSQL they are one parameter, a JSON list; on SQLite there is a statement for each
//! power of two of rows, filled up with rows of nulls.

use super::txn::Txn;
use crate::error::{Error, Result};
use sea_orm::sea_query::sea_value_to_json_value;
use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, ColumnType, ConnectionTrait, DbBackend, EntityTrait, FromQueryResult,
    IdenStatic, IntoActiveModel, Iterable, Statement, Value,
};
use serde_json::Map;
use std::collections::HashSet;
use uuid::Uuid;

/// The most rows of a statement on SQLite, a power of two.
const MAX_ROWS: usize = 512;

/// Returns rows in the form in which [`insert_all`] and [`update_all`] write all their columns.
pub fn whole_rows<M, A>(rows: Vec<M>) -> Vec<A>
where
    M: IntoActiveModel<A>,
    A: ActiveModelTrait,
{
    rows.into_iter().map(|row| row.into_active_model().reset_all()).collect()
}

/// Inserts rows. All of them set the same columns.
pub async fn insert_all<E: EntityTrait>(txn: &Txn, rows: Vec<E::ActiveModel>) -> Result<()> {
    insert::<E>(txn, rows, "").await?;
    Ok(())
}

/// Inserts the rows that no unique index refuses, and returns their number. All of them set the same columns.
pub async fn insert_new<E: EntityTrait>(txn: &Txn, rows: Vec<E::ActiveModel>) -> Result<u64> {
    insert::<E>(txn, rows, " ON CONFLICT DO NOTHING").await
}

/// Inserts the rows that no unique index refuses, and returns their ids. All of them set the same columns.
pub async fn insert_new_ids<E: EntityTrait>(txn: &Txn, rows: Vec<E::ActiveModel>) -> Result<HashSet<Uuid>> {
    let source = Source::<E>::of(txn, rows);
    let mut inserted = HashSet::new();
    for Part { rows, values } in source.parts() {
        let sql = format!("{} RETURNING id", source.insertion(&rows, " ON CONFLICT DO NOTHING"));
        let statement = Statement::from_sql_and_values(source.backend, sql, values);
        for row in txn.query_all_raw(statement).await? {
            inserted.insert(row.try_get("", "id")?);
        }
    }
    Ok(inserted)
}

/// Inserts rows, with `conflict` for those that a unique index refuses. All of them set the same columns.
pub async fn upsert_all<E: EntityTrait>(txn: &Txn, rows: Vec<E::ActiveModel>, conflict: &str) -> Result<()> {
    insert::<E>(txn, rows, conflict).await?;
    Ok(())
}

async fn insert<E: EntityTrait>(txn: &Txn, rows: Vec<E::ActiveModel>, conflict: &str) -> Result<u64> {
    let source = Source::<E>::of(txn, rows);
    run(txn, |rows| source.insertion(rows, conflict), source.parts()).await
}

/// Updates rows by their ids. All of them set the same columns.
pub async fn update_all<E: EntityTrait>(txn: &Txn, rows: Vec<E::ActiveModel>) -> Result<()> {
    let count = u64::try_from(rows.len()).unwrap_or(u64::MAX);
    let source = Source::<E>::of(txn, rows);
    let table = E::default().table_name();
    let changes = source.columns.iter().map(|column| column.as_str()).filter(|name| *name != "id");
    let changes = changes.map(|name| format!("\"{name}\" = r.\"{name}\"")).collect::<Vec<_>>().join(", ");
    let sql = |rows: &str| format!("UPDATE {table} SET {changes} FROM {rows} WHERE {table}.id = r.id");
    match run(txn, sql, source.parts()).await? {
        changed if changed == count => Ok(()),
        changed => Err(Error::internal(anyhow::anyhow!("{changed} of {count} rows of {table} were updated"))),
    }
}

/// Returns the rows that equal one of `keys` in the columns that these set. All keys set the same columns; a row is
/// returned once for each key that it equals.
pub async fn find_matching<E: EntityTrait>(txn: &Txn, keys: Vec<E::ActiveModel>) -> Result<Vec<E::Model>> {
    let source = Source::<E>::of(txn, keys);
    let table = E::default().table_name();
    let shown = E::Column::iter().map(|column| format!("t.\"{}\"", column.as_str())).collect::<Vec<_>>().join(", ");
    let equal = source.columns.iter().map(|column| column.as_str()).map(|name| format!("t.\"{name}\" = r.\"{name}\""));
    let equal = equal.collect::<Vec<_>>().join(" AND ");
    let mut found = Vec::new();
    for Part { rows, values } in source.parts() {
        // The keys come first, so that SQLite looks each of them up in an index.
        let sql = format!("SELECT {shown} FROM {rows} CROSS JOIN {table} AS t WHERE {equal}");
        let rows = txn.query_all_raw(Statement::from_sql_and_values(txn.get_database_backend(), sql, values)).await?;
        for row in rows {
            found.push(E::Model::from_query_result(&row, "")?);
        }
    }
    Ok(found)
}

/// Runs a statement for each part, and returns the number of rows that they changed.
async fn run(txn: &Txn, sql: impl Fn(&str) -> String, parts: Vec<Part>) -> Result<u64> {
    let mut changed = 0;
    for Part { rows, values } in parts {
        let statement = Statement::from_sql_and_values(txn.get_database_backend(), sql(&rows), values);
        changed += txn.execute_raw(statement).await?.rows_affected();
    }
    Ok(changed)
}

/// Rows, with the columns that they set.
struct Source<E: EntityTrait> {
    backend: DbBackend,
    columns: Vec<E::Column>,
    rows: Vec<E::ActiveModel>,
}

/// Rows of one statement: a table with the name `r`, and its parameters.
pub(super) struct Part {
    pub(super) rows: String,
    pub(super) values: Vec<Value>,
}

impl<E: EntityTrait> Source<E> {
    fn of(txn: &Txn, rows: Vec<E::ActiveModel>) -> Source<E> {
        let columns: Vec<E::Column> =
            E::Column::iter().filter(|column| rows.first().is_some_and(|row| is_set(&row.get(*column)))).collect();
        Source { backend: txn.get_database_backend(), columns, rows }
    }

    /// Returns the statement that inserts the rows of the table `rows`.
    fn insertion(&self, rows: &str, conflict: &str) -> String {
        let (table, names) = (E::default().table_name(), self.names());
        format!("INSERT INTO {table} ({names}) SELECT {names} FROM {rows} WHERE r.id IS NOT NULL{conflict}")
    }

    fn names(&self) -> String {
        self.columns.iter().map(|column| format!("\"{}\"", column.as_str())).collect::<Vec<_>>().join(", ")
    }

    /// Returns the rows as tables with the name `r`: on PostgreSQL all of them as one, in a JSON list.
    fn parts(&self) -> Vec<Part> {
        if self.columns.is_empty() {
            return Vec::new();
        }
        let value = |row: &E::ActiveModel, column: &E::Column| match row.get(*column).into_value() {
            Some(value) => value,
            None => Value::Bool(None),
        };
        match self.backend {
            DbBackend::Postgres => {
                let columns: Vec<(&str, &str)> = self
                    .columns
                    .iter()
                    .map(|column| (column.as_str(), postgres_type(column.def().get_column_type())))
                    .collect();
                let object = |row: &E::ActiveModel| {
                    let pairs =
                        self.columns.iter().map(|column| (column.as_str().to_owned(), json(value(row, column))));
                    serde_json::Value::Object(pairs.collect::<Map<_, _>>())
                };
                let list = serde_json::Value::Array(self.rows.iter().map(object).collect()).to_string();
                vec![postgres_part(&columns, list, self.rows.len())]
            }
            _ => {
                let names: Vec<&str> = self.columns.iter().map(|column| column.as_str()).collect();
                let rows = self.rows.iter().map(|row| self.columns.iter().map(|column| value(row, column)).collect());
                sqlite_parts(&names, rows.collect())
            }
        }
    }
}

/// Returns rows of PostgreSQL, a JSON list, as a table with the name `r` and these columns, each with
/// its type.
///
/// The planner expects a hundred rows of such a list, and would rather read a whole table of some thousand rows than look a
/// hundred up. Of a limit that it does not know, it expects a tenth.
pub(super) fn postgres_part(columns: &[(&str, &str)], list: String, count: usize) -> Part {
    let names = columns.iter().map(|(name, _)| format!("r.\"{name}\"")).collect::<Vec<_>>().join(", ");
    let columns = columns.iter().map(|(name, ty)| format!("\"{name}\" {ty}")).collect::<Vec<_>>().join(", ");
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    Part {
        rows: format!("(SELECT {names} FROM jsonb_to_recordset($1::jsonb) AS r({columns}) LIMIT $2) AS r"),
        values: vec![list.into(), count.into()],
    }
}

/// Returns rows of SQLite as tables with the name `r`, each with a power of two of rows, so that there are few different
/// statements. Rows of nulls fill a table up if they are at most a quarter of it. Parameters are read several times faster
/// than JSON.
pub(super) fn sqlite_parts(names: &[&str], rows: Vec<Vec<Value>>) -> Vec<Part> {
    let named: Vec<String> =
        names.iter().enumerate().map(|(index, name)| format!("column{} AS \"{name}\"", index + 1)).collect();
    let (named, row) = (named.join(", "), format!("({})", vec!["?"; names.len()].join(",")));
    let (mut left, mut rows, mut parts) = (rows.len(), rows.into_iter(), Vec::new());
    while left > 0 {
        let count = part_of(left);
        let list = vec![row.as_str(); count].join(",");
        let mut values: Vec<Value> = rows.by_ref().take(count).flatten().collect();
        values.resize(count * names.len(), Value::Bool(None));
        parts.push(Part { rows: format!("(SELECT {named} FROM (VALUES {list})) AS r"), values });
        left = left.saturating_sub(count);
    }
    parts
}

/// Returns the size of the first statement for so many rows.
fn part_of(rows: usize) -> usize {
    let above = rows.next_power_of_two();
    let size = if rows * 4 >= above * 3 { above } else { above / 2 };
    size.min(MAX_ROWS)
}

fn is_set<V: Into<Value>>(value: &ActiveValue<V>) -> bool {
    !matches!(value, ActiveValue::NotSet)
}

fn postgres_type(column: &ColumnType) -> &'static str {
    match column {
        ColumnType::Uuid => "uuid",
        ColumnType::BigInteger => "bigint",
        ColumnType::SmallInteger => "smallint",
        ColumnType::Boolean => "boolean",
        ColumnType::TimestampWithTimeZone => "timestamptz",
        ColumnType::JsonBinary => "jsonb",
        ColumnType::Date => "date",
        _ => "text",
    }
}

/// Returns a value as PostgreSQL reads it from JSON. A day is its text.
fn json(value: Value) -> serde_json::Value {
    match value {
        Value::ChronoDate(Some(day)) => day.to_string().into(),
        value => sea_value_to_json_value(&value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_sqlite_are_split_into_few_sizes_and_filled_up_with_nulls() {
        let sizes = |count: usize| -> Vec<usize> {
            let parts = sqlite_parts(&["id", "name"], vec![vec![Value::from(1), Value::from(2)]; count]);
            let given = parts.iter().flat_map(|part| &part.values).filter(|value| **value != Value::Bool(None)).count();
            assert_eq!(given, 2 * count);
            parts.iter().map(|part| part.values.len() / 2).collect()
        };
        assert_eq!(sizes(0), [0; 0]);
        assert_eq!(sizes(1), [1]);
        assert_eq!(sizes(3), [4]);
        assert_eq!(sizes(5), [4, 1]);
        assert_eq!(sizes(126), [128]);
        assert_eq!(sizes(80), [64, 16]);
        assert_eq!(sizes(1_000), [512, 512]);
    }
}
