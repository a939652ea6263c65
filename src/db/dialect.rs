//! The differences between SQLite and PostgreSQL in queries.

use crate::error::Result;
use chrono::{DateTime, SecondsFormat, Utc};
use sea_orm::sea_query::{
    ArrayType, Expr, ExprTrait, Func, LockType, PostgresQueryBuilder, Query, SelectStatement, SimpleExpr,
    SqliteQueryBuilder, Value, Values,
};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, EntityTrait, IdenStatic, Iterable, QueryResult, Statement,
};
use std::collections::HashMap;
use uuid::Uuid;

/// The lock that a transaction takes on the rows that it is going to change; empty on SQLite, which has one writer at a
/// time. The order of all locks is in ARCHITECTURE.md.
///
/// Weaker than `FOR UPDATE`: no key changes and no row is deleted, so a row that only refers to the locked one can be
/// inserted meanwhile. With `FOR UPDATE`, the check of its foreign key would wait, and two transactions that lock in one
/// order would still wait for each other.
pub const ROW_LOCK: LockType = LockType::NoKeyUpdate;

/// Returns the condition that `column` is one of `ids`. They are one parameter whatever their number, so that the
/// statement stays the same.
pub fn in_list(db: &impl ConnectionTrait, column: impl Into<Expr>, ids: &[Uuid]) -> SimpleExpr {
    let backend = db.get_database_backend();
    let list = Expr::value(list(backend, ids));
    match backend {
        DbBackend::Postgres => column.into().eq(Func::cust("ANY").arg(list)),
        _ => {
            let ids = Query::select()
                .expr(Expr::cust("unhex(value)"))
                .from_function(Func::cust("json_each").arg(list), "ids")
                .take();
            column.into().in_subquery(ids)
        }
    }
}

/// Returns many ids as one parameter: an array on PostgreSQL, a JSON list of hexadecimal strings on SQLite.
fn list(backend: DbBackend, ids: &[Uuid]) -> Value {
    match backend {
        DbBackend::Postgres => {
            Value::Array(ArrayType::Uuid, Some(Box::new(ids.iter().map(|id| Value::from(*id)).collect())))
        }
        _ => {
            let hex: Vec<String> = ids.iter().map(|id| id.simple().to_string()).collect();
            Value::from(serde_json::json!(hex).to_string())
        }
    }
}

/// Returns the expression for the id of the parent inside a select that [`each`] runs.
pub(super) fn parent_key() -> SimpleExpr {
    Expr::cust("k.parent")
}

/// Runs `children`, which selects the rows of the parent [`parent_key`], once for each of `parents` in one statement,
/// and returns at most `limit` rows for each.
pub(super) async fn each<E: EntityTrait>(
    db: &DatabaseConnection,
    parents: &[Uuid],
    children: SelectStatement,
    limit: Option<u64>,
) -> Result<HashMap<Uuid, Vec<E::Model>>> {
    let rows = each_row(db, parents, children, limit, E::default().table_name()).await?;
    let mut found: HashMap<Uuid, Vec<E::Model>> = HashMap::with_capacity(parents.len());
    for row in rows {
        let (parent, model) = keyed::<E>(&row)?;
        found.entry(parent).or_default().push(model);
    }
    Ok(found)
}

/// Runs `query` once for each of `parents` in one statement, and returns its number, named `n`, for each.
pub(super) async fn scalar_each(
    db: &DatabaseConnection,
    parents: &[Uuid],
    query: SelectStatement,
) -> Result<HashMap<Uuid, i64>> {
    let backend = db.get_database_backend();
    let rows = db.query_all_raw(scalar_statement(backend, parents, query)).await?;
    rows.iter().map(|row| Ok((row.try_get("", "parent_key")?, row.try_get("", "n")?))).collect()
}

fn scalar_statement(backend: DbBackend, parents: &[Uuid], query: SelectStatement) -> Statement {
    let keys = list(backend, parents);
    match backend {
        DbBackend::Postgres => {
            let (inner, Values(mut values)) = query.build(PostgresQueryBuilder);
            values.push(keys);
            let from = format!("unnest(${}::uuid[]) AS k(parent)", values.len());
            let sql = format!("SELECT ({inner}) AS n, k.parent AS parent_key FROM {from}");
            Statement::from_sql_and_values(backend, sql, values)
        }
        _ => {
            let (inner, Values(mut values)) = query.build(SqliteQueryBuilder);
            values.push(keys);
            let from = "(SELECT unhex(value) AS parent FROM json_each(?)) AS k";
            let sql = format!("SELECT ({inner}) AS n, k.parent AS parent_key FROM {from}");
            Statement::from_sql_and_values(backend, sql, values)
        }
    }
}

fn keyed<E: EntityTrait>(row: &QueryResult) -> Result<(Uuid, E::Model)> {
    let model = <E::Model as sea_orm::FromQueryResult>::from_query_result(row, "")?;
    Ok((row.try_get("", "parent_key")?, model))
}

async fn each_row(
    db: &DatabaseConnection,
    parents: &[Uuid],
    children: SelectStatement,
    limit: Option<u64>,
    table: &'static str,
) -> Result<Vec<QueryResult>> {
    let statement = each_statement(db.get_database_backend(), parents, children, limit, table);
    Ok(db.query_all_raw(statement).await?)
}

fn each_statement(
    backend: DbBackend,
    parents: &[Uuid],
    mut children: SelectStatement,
    limit: Option<u64>,
    table: &'static str,
) -> Statement {
    let keys = list(backend, parents);
    // The limit is part of the text: as a parameter it can make PostgreSQL choose a plan for any limit.
    let limit = limit.map(|limit| format!(" LIMIT {limit}")).unwrap_or_default();
    match backend {
        DbBackend::Postgres => {
            let (inner, Values(mut values)) = children.build(PostgresQueryBuilder);
            values.push(keys);
            let sql = format!(
                "SELECT t.*, k.parent AS parent_key FROM unnest(${}::uuid[]) AS k(parent) \
                 CROSS JOIN LATERAL ({inner}{limit}) AS t",
                values.len()
            );
            Statement::from_sql_and_values(backend, sql, values)
        }
        _ => {
            // By rowid, which needs no look-up in the index of ids.
            children.clear_selects().expr(Expr::col((table, "rowid")));
            let (inner, Values(values)) = children.build(SqliteQueryBuilder);
            let sql = format!(
                "SELECT c.*, k.parent AS parent_key FROM (SELECT unhex(value) AS parent FROM json_each(?)) AS k \
                 CROSS JOIN \"{table}\" AS c ON c.rowid IN ({inner}{limit})"
            );
            Statement::from_sql_and_values(backend, sql, std::iter::once(keys).chain(values))
        }
    }
}

/// Returns `select` with a limit in its text, for the reason given in [`each_statement`].
pub(super) fn limited(backend: DbBackend, select: SelectStatement, limit: u64) -> Statement {
    let (sql, Values(values)) = match backend {
        DbBackend::Postgres => select.build(PostgresQueryBuilder),
        _ => select.build(SqliteQueryBuilder),
    };
    Statement::from_sql_and_values(backend, format!("{sql} LIMIT {limit}"), values)
}

/// Returns the text of an instant in the form in which SQLite stores it, which PostgreSQL reads too.
pub fn stored_instant(at: DateTime<Utc>) -> String {
    at.fixed_offset().to_rfc3339_opts(SecondsFormat::AutoSi, false)
}

/// Returns SQL for the UTC day of an instant, which reads as a date. `column` is a name of ours, never input.
pub fn utc_day(backend: DbBackend, column: &str) -> String {
    match backend {
        DbBackend::Postgres => format!("CAST({column} AT TIME ZONE 'UTC' AS date)"),
        _ => format!("substr({column}, 1, 10)"),
    }
}

/// Returns the columns of a table, for the select list of raw SQL. Never `*`: a server of an older version, which knows
/// fewer columns, would fail once a migration adds one, as PostgreSQL refuses a prepared statement with other columns.
pub fn columns<E: EntityTrait>() -> String {
    E::Column::iter().map(|column| format!("\"{}\"", column.as_str())).collect::<Vec<_>>().join(", ")
}

/// Returns the clause that makes a select lock its rows and skip those that are locked. It is empty on SQLite, which
/// has one writer at a time.
pub fn skip_locked(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Postgres => "FOR UPDATE SKIP LOCKED",
        _ => "",
    }
}
