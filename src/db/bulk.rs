//! Many rows in one statement, whose text does not depend on their number: they are one parameter, a JSON list.

use super::txn::Txn;
use crate::error::{Error, Result};
use chrono::SecondsFormat;
use sea_orm::sea_query::sea_value_to_json_value;
use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, ColumnType, ConnectionTrait, DbBackend, EntityTrait, FromQueryResult,
    IdenStatic, IntoActiveModel, Iterable, Statement, Value,
};
use serde_json::Map;

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

async fn insert<E: EntityTrait>(txn: &Txn, rows: Vec<E::ActiveModel>, conflict: &str) -> Result<u64> {
    let backend = txn.get_database_backend();
    let Some(source) = Source::<E>::of(backend, &rows) else { return Ok(0) };
    let table = E::default().table_name();
    let names = source.names();
    // `WHERE TRUE` tells SQLite that ON CONFLICT belongs to the insert and not to a join.
    let sql = format!("INSERT INTO {table} ({names}) SELECT {names} FROM {} WHERE TRUE{conflict}", source.table());
    run(txn, sql, source.list).await
}

/// Updates rows by their ids. All of them set the same columns.
pub async fn update_all<E: EntityTrait>(txn: &Txn, rows: Vec<E::ActiveModel>) -> Result<()> {
    let backend = txn.get_database_backend();
    let Some(source) = Source::<E>::of(backend, &rows) else { return Ok(()) };
    let table = E::default().table_name();
    let changes = source.columns.iter().map(|column| column.as_str()).filter(|name| *name != "id");
    let changes = changes.map(|name| format!("\"{name}\" = r.\"{name}\"")).collect::<Vec<_>>().join(", ");
    let sql = format!("UPDATE {table} SET {changes} FROM {} WHERE {table}.id = r.id", source.table());
    let count = u64::try_from(rows.len()).unwrap_or(u64::MAX);
    match run(txn, sql, source.list).await? {
        changed if changed == count => Ok(()),
        changed => Err(Error::internal(anyhow::anyhow!("{changed} of {count} rows of {table} were updated"))),
    }
}

/// Returns the rows that equal one of `keys` in the columns that these set. All keys set the same columns; a row is
/// returned once for each key that it equals.
pub async fn find_matching<E: EntityTrait>(txn: &Txn, keys: Vec<E::ActiveModel>) -> Result<Vec<E::Model>> {
    let backend = txn.get_database_backend();
    let Some(source) = Source::<E>::of(backend, &keys) else { return Ok(Vec::new()) };
    let table = E::default().table_name();
    let shown = E::Column::iter().map(|column| format!("t.\"{}\"", column.as_str())).collect::<Vec<_>>().join(", ");
    let equal = source.columns.iter().map(|column| column.as_str()).map(|name| format!("t.\"{name}\" = r.\"{name}\""));
    let equal = equal.collect::<Vec<_>>().join(" AND ");
    // The keys come first, so that SQLite looks each of them up in an index.
    let sql = format!("SELECT {shown} FROM {} CROSS JOIN {table} AS t WHERE {equal}", source.table());
    let statement = Statement::from_sql_and_values(backend, sql, [source.list.into()]);
    let rows = txn.query_all_raw(statement).await?;
    Ok(rows.iter().map(|row| E::Model::from_query_result(row, "")).collect::<Result<_, _>>()?)
}

async fn run(txn: &Txn, sql: String, list: String) -> Result<u64> {
    let statement = Statement::from_sql_and_values(txn.get_database_backend(), sql, [list.into()]);
    Ok(txn.execute_raw(statement).await?.rows_affected())
}

/// Rows as a table of a statement.
struct Source<E: EntityTrait> {
    backend: DbBackend,
    columns: Vec<E::Column>,
    list: String,
}

impl<E: EntityTrait> Source<E> {
    /// Returns the table of these rows; `None` if there are none.
    fn of(backend: DbBackend, rows: &[E::ActiveModel]) -> Option<Source<E>> {
        let columns: Vec<E::Column> =
            E::Column::iter().filter(|column| rows.first().is_some_and(|row| is_set(&row.get(*column)))).collect();
        if columns.is_empty() {
            return None;
        }
        let object = |row: &E::ActiveModel| {
            let pairs = columns.iter().map(|column| {
                let value = row.get(*column).into_value().unwrap_or(Value::Bool(None));
                (column.as_str().to_owned(), encoded(backend, value))
            });
            serde_json::Value::Object(pairs.collect::<Map<_, _>>())
        };
        let list = serde_json::Value::Array(rows.iter().map(object).collect()).to_string();
        Some(Source { backend, columns, list })
    }

    fn names(&self) -> String {
        self.columns.iter().map(|column| format!("\"{}\"", column.as_str())).collect::<Vec<_>>().join(", ")
    }

    /// Returns the rows as a table with the name `r`.
    fn table(&self) -> String {
        match self.backend {
            DbBackend::Postgres => {
                let columns = self.columns.iter().map(|column| {
                    let definition = column.def();
                    format!("\"{}\" {}", column.as_str(), postgres_type(definition.get_column_type()))
                });
                format!("jsonb_to_recordset($1::jsonb) AS r({})", columns.collect::<Vec<_>>().join(", "))
            }
            _ => {
                let columns = self.columns.iter().map(|column| {
                    let name = column.as_str();
                    match column.def().get_column_type() {
                        ColumnType::Uuid => format!("unhex(value->>'{name}') AS \"{name}\""),
                        _ => format!("value->>'{name}' AS \"{name}\""),
                    }
                });
                format!("(SELECT {} FROM json_each($1)) AS r", columns.collect::<Vec<_>>().join(", "))
            }
        }
    }
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

/// Returns a value as the statement reads it: on SQLite in the form in which the driver stores it. A day is its text.
fn encoded(backend: DbBackend, value: Value) -> serde_json::Value {
    match (backend, value) {
        (_, Value::ChronoDate(Some(day))) => day.to_string().into(),
        (DbBackend::Postgres, value) => sea_value_to_json_value(&value),
        (_, Value::Uuid(Some(id))) => id.simple().to_string().into(),
        (_, Value::ChronoDateTimeWithTimeZone(Some(at))) => at.to_rfc3339_opts(SecondsFormat::AutoSi, false).into(),
        (_, Value::Json(Some(json))) => json.to_string().into(),
        (_, value) => sea_value_to_json_value(&value),
    }
}
