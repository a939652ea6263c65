//! Plain SQL beside the product's own: what the tests compare its answers with.

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, FromQueryResult, QueryResult, Statement, TryGetable, Value,
};
use std::collections::BTreeMap;
use uuid::Uuid;

/// The rows of a query in the words of both engines, with `$1` and so on for `values`.
pub(crate) async fn rows(
    db: &impl ConnectionTrait,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Vec<QueryResult> {
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    db.query_all_raw(statement).await.unwrap_or_else(|error| panic!("{sql}: {error}"))
}

/// The first column of every row.
pub(crate) async fn column<T: TryGetable>(
    db: &impl ConnectionTrait,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Vec<T> {
    rows(db, sql, values).await.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}

/// The ids that a query finds.
pub(crate) async fn ids(db: &impl ConnectionTrait, sql: &str, values: impl IntoIterator<Item = Value>) -> Vec<Uuid> {
    column(db, sql, values).await
}

/// The one number of a query.
pub(crate) async fn number(db: &impl ConnectionTrait, sql: &str) -> i64 {
    column(db, sql, []).await.pop().unwrap_or_else(|| panic!("{sql} has no row"))
}

/// Every row of a table or query as its model.
pub(crate) async fn models<M: FromQueryResult>(db: &DatabaseConnection, sql: &str) -> Vec<M> {
    rows(db, sql, []).await.iter().map(|row| M::from_query_result(row, "").unwrap()).collect()
}

/// Runs a statement without parameters.
pub(crate) async fn execute(db: &DatabaseConnection, sql: &str) {
    db.execute_unprepared(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// The columns of every table, by table.
pub(crate) async fn columns(db: &DatabaseConnection) -> BTreeMap<String, Vec<String>> {
    let columns = match db.get_database_backend() {
        DbBackend::Postgres => {
            "SELECT table_name AS t, column_name AS c FROM information_schema.columns WHERE table_schema = 'public' \
             ORDER BY table_name, ordinal_position"
        }
        _ => "SELECT m.name AS t, p.name AS c FROM sqlite_master m, pragma_table_info(m.name) p WHERE m.type = 'table'",
    };
    let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in rows(db, columns, []).await {
        tables.entry(row.try_get("", "t").unwrap()).or_default().push(row.try_get("", "c").unwrap());
    }
    tables
}

/// All that the database holds, as one text.
pub(crate) async fn everything(db: &DatabaseConnection) -> String {
    let mut all = String::new();
    for (table, columns) in columns(db).await {
        for name in columns {
            let cell = format!("SELECT CAST(\"{name}\" AS TEXT) FROM \"{table}\" WHERE \"{name}\" IS NOT NULL");
            for row in rows(db, &cell, []).await {
                all.push_str(&row.try_get_by_index::<String>(0).unwrap_or_default());
                all.push('\n');
            }
        }
    }
    all
}

/// Makes every write to a table fail, as on a full disk.
pub(crate) async fn break_table(db: &DatabaseConnection, table: &str) {
    let statements = match db.get_database_backend() {
        DbBackend::Postgres => vec![
            "CREATE OR REPLACE FUNCTION fail() RETURNS trigger AS $$ BEGIN RAISE EXCEPTION 'no space left' \
             USING ERRCODE = '53100'; END $$ LANGUAGE plpgsql"
                .to_owned(),
            format!("CREATE TRIGGER fail BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION fail()"),
        ],
        _ => ["INSERT", "UPDATE"]
            .map(|event| {
                format!(
                    "CREATE TRIGGER fail_{event} BEFORE {event} ON {table} BEGIN SELECT RAISE(ABORT, 'no space'); END"
                )
            })
            .to_vec(),
    };
    for statement in statements {
        execute(db, &statement).await;
    }
}

/// Makes the writes to a table succeed again.
pub(crate) async fn mend_table(db: &DatabaseConnection, table: &str) {
    let statements = match db.get_database_backend() {
        DbBackend::Postgres => vec![format!("DROP TRIGGER fail ON {table}")],
        _ => vec!["DROP TRIGGER fail_INSERT".to_owned(), "DROP TRIGGER fail_UPDATE".to_owned()],
    };
    for statement in statements {
        execute(db, &statement).await;
    }
}
