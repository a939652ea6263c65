//! The building blocks of the migrations: columns, checks, keys and indexes in the forms that give one entity and one
//! set of guarantees on SQLite and PostgreSQL.

use sea_orm_migration::prelude::*;
pub(crate) use sea_orm_migration::schema::{
    big_integer, big_integer_null, boolean, json_binary, json_binary_null, small_integer, text, text_null,
    timestamp_with_time_zone as instant, timestamp_with_time_zone_null as instant_null, uuid, uuid_null,
};
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend, Statement};

/// Returns the primary key of every table: a UUIDv7.
pub(crate) fn id() -> ColumnDef {
    uuid("id").primary_key().take()
}

/// Returns a column that refers to the `id` of `table`.
pub(crate) fn reference(column: &'static str, table: &'static str) -> (ColumnDef, ForeignKeyCreateStatement) {
    (uuid(column), foreign_key(column, table))
}

/// Returns a nullable column that refers to the `id` of `table`.
pub(crate) fn reference_null(column: &'static str, table: &'static str) -> (ColumnDef, ForeignKeyCreateStatement) {
    (uuid_null(column), foreign_key(column, table))
}

fn foreign_key(column: &'static str, table: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create().from_col(column).to(table, "id").take()
}

/// One part of a table: a column, a column with its foreign key, or a CHECK.
pub(crate) enum Part {
    Column(Box<ColumnDef>),
    Reference(Box<ColumnDef>, Box<ForeignKeyCreateStatement>),
    Check(String),
}

impl From<ColumnDef> for Part {
    fn from(column: ColumnDef) -> Self {
        Part::Column(Box::new(column))
    }
}

impl From<(ColumnDef, ForeignKeyCreateStatement)> for Part {
    fn from((column, key): (ColumnDef, ForeignKeyCreateStatement)) -> Self {
        Part::Reference(Box::new(column), Box::new(key))
    }
}

/// Returns a CHECK in SQL that both engines understand.
pub(crate) fn check(sql: impl Into<String>) -> Part {
    Part::Check(sql.into())
}

/// Returns a CHECK that a text column holds one of these values.
pub(crate) fn one_of(column: &str, values: &[&str]) -> Part {
    let list = values.iter().map(|value| format!("'{value}'")).collect::<Vec<_>>().join(", ");
    check(format!("{column} IN ({list})"))
}

/// Returns a CHECK that a column holds an ISO 4217 code in upper case (or NULL, if the column allows it).
pub(crate) fn iso_currency(column: &str) -> Part {
    check(format!("length({column}) = 3 AND {column} = upper({column})"))
}

/// Creates `name` from its parts.
pub(crate) async fn create(manager: &SchemaManager<'_>, name: &'static str, parts: Vec<Part>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table.table(name);
    for part in parts {
        match part {
            Part::Column(column) => table.col(*column),
            Part::Reference(column, mut key) => table.col(*column).foreign_key(key.from_tbl(name)),
            Part::Check(sql) => table.check(Expr::cust(sql)),
        };
    }
    manager.create_table(table).await
}

/// Drops the tables in the order given: children first.
pub(crate) async fn drop(manager: &SchemaManager<'_>, tables: &[&'static str]) -> Result<(), DbErr> {
    for table in tables {
        manager.drop_table(Table::drop().table(*table).take()).await?;
    }
    Ok(())
}

/// Creates an index for a filter or an order.
pub(crate) async fn index(
    manager: &SchemaManager<'_>,
    table: &'static str,
    columns: &[&'static str],
) -> Result<(), DbErr> {
    manager.create_index(named("ix", table, columns)).await
}

/// Creates a unique index.
pub(crate) async fn unique(
    manager: &SchemaManager<'_>,
    table: &'static str,
    columns: &[&'static str],
) -> Result<(), DbErr> {
    manager.create_index(named("ux", table, columns).unique().take()).await
}

/// Creates an index over the rows that match `condition`.
pub(crate) async fn index_where(
    manager: &SchemaManager<'_>,
    table: &'static str,
    columns: &[&'static str],
    condition: &'static str,
) -> Result<(), DbErr> {
    manager.create_index(named("ixp", table, columns).cond_where(Expr::cust(condition)).take()).await
}

/// Creates a unique index over the rows that match `condition`.
pub(crate) async fn unique_where(
    manager: &SchemaManager<'_>,
    table: &'static str,
    columns: &[&'static str],
    condition: &'static str,
) -> Result<(), DbErr> {
    manager.create_index(named("uxp", table, columns).unique().cond_where(Expr::cust(condition)).take()).await
}

/// Creates an index while other sessions go on writing to the table, for tables that may be large. Only for changes that run
/// outside a transaction. An index that an interrupted attempt has left behind invalid is dropped first.
pub async fn index_concurrently(
    manager: &SchemaManager<'_>,
    table: &'static str,
    columns: &[&'static str],
) -> Result<(), DbErr> {
    let mut index = named("ix", table, columns);
    let db = manager.get_connection();
    if manager.get_database_backend() != DbBackend::Postgres {
        return manager.create_index(index.if_not_exists().take()).await;
    }
    let name = index.get_index_spec().get_name().unwrap_or_default().to_owned();
    let invalid = format!("SELECT 1 FROM pg_index WHERE indexrelid = to_regclass('{name}') AND NOT indisvalid");
    if db.query_one_raw(Statement::from_string(DbBackend::Postgres, invalid)).await?.is_some() {
        db.execute_unprepared(&format!("DROP INDEX CONCURRENTLY {name}")).await?;
    }
    manager.create_index(index.if_not_exists().concurrently().take()).await
}

fn named(prefix: &str, table: &'static str, columns: &[&'static str]) -> IndexCreateStatement {
    let mut name = format!("{prefix}_{table}_{}", columns.join("_"));
    name.truncate(63); // the maximum of PostgreSQL
    let mut index = Index::create().name(name).table(table).take();
    for column in columns {
        index.col(*column);
    }
    index
}

/// Makes `table` append-only: the database itself refuses UPDATE and DELETE.
pub(crate) async fn append_only(manager: &SchemaManager<'_>, table: &str) -> Result<(), DbErr> {
    let message = format!("{table} is append-only");
    let statements = match manager.get_database_backend() {
        DbBackend::Postgres => vec![
            format!(
                "CREATE FUNCTION {table}_append_only() RETURNS trigger LANGUAGE plpgsql AS \
                 $$ BEGIN RAISE EXCEPTION '{message}'; END $$"
            ),
            format!(
                "CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} \
                 FOR EACH STATEMENT EXECUTE FUNCTION {table}_append_only()"
            ),
        ],
        _ => ["UPDATE", "DELETE"]
            .map(|verb| {
                format!(
                    "CREATE TRIGGER {table}_no_{verb} BEFORE {verb} ON {table} \
                     BEGIN SELECT RAISE(ABORT, '{message}'); END"
                )
            })
            .to_vec(),
    };
    run(manager, statements).await
}

/// Drops the function that [`append_only`] created, which outlives its table.
pub(crate) async fn drop_append_only(manager: &SchemaManager<'_>, table: &str) -> Result<(), DbErr> {
    match manager.get_database_backend() {
        DbBackend::Postgres => run(manager, vec![format!("DROP FUNCTION {table}_append_only()")]).await,
        _ => Ok(()), // SQLite drops triggers with their table
    }
}

/// Drops the indexes over these columns, with the prefixes of their names: `ix`, `ux`, `ixp` or `uxp`.
pub(crate) async fn drop_indexes(
    manager: &SchemaManager<'_>,
    indexes: &[(&str, &'static str, &[&'static str])],
) -> Result<(), DbErr> {
    for (prefix, table, columns) in indexes {
        let name = named(prefix, table, columns).get_index_spec().get_name().unwrap_or_default().to_owned();
        run(manager, vec![format!("DROP INDEX {name}")]).await?;
    }
    Ok(())
}

/// Replaces a CHECK of a table. `known_by` is a part of the old text as PostgreSQL shows it.
///
/// SQLite cannot drop one. Its documentation (<https://sqlite.org/lang_altertable.html#otheralter>) has two ways: to copy
/// the table, which the foreign keys to it forbid inside a transaction, or to edit the text of the schema, which is safe
/// for a CHECK because no row is stored differently.
pub(crate) async fn replace_check(
    manager: &SchemaManager<'_>,
    table: &str,
    (old, new): (&str, &str),
    known_by: &str,
) -> Result<(), DbErr> {
    let quoted = |text: &str| text.replace('\'', "''");
    let statements = match manager.get_database_backend() {
        DbBackend::Postgres => vec![
            format!(
                "DO $$ DECLARE old text; BEGIN SELECT conname INTO STRICT old FROM pg_constraint \
                 WHERE conrelid = '{table}'::regclass AND contype = 'c' \
                 AND position('{}' IN pg_get_constraintdef(oid)) > 0; \
                 EXECUTE format('ALTER TABLE {table} DROP CONSTRAINT %I', old); END $$",
                quoted(known_by)
            ),
            format!("ALTER TABLE {table} ADD CHECK ({new})"),
        ],
        _ => vec![
            "PRAGMA writable_schema = ON".to_owned(),
            format!(
                "UPDATE sqlite_schema SET sql = replace(sql, 'CHECK ({})', 'CHECK ({})') \
                 WHERE type = 'table' AND name = '{table}'",
                quoted(old),
                quoted(new)
            ),
            "PRAGMA writable_schema = RESET".to_owned(),
        ],
    };
    run(manager, statements).await
}

/// Runs `statements` on a table that is append-only, as only a migration may.
pub(crate) async fn rewrite(manager: &SchemaManager<'_>, table: &str, statements: Vec<String>) -> Result<(), DbErr> {
    let postgres = manager.get_database_backend() == DbBackend::Postgres;
    let open = match postgres {
        true => vec![format!("ALTER TABLE {table} DISABLE TRIGGER {table}_append_only")],
        false => ["UPDATE", "DELETE"].map(|verb| format!("DROP TRIGGER {table}_no_{verb}")).to_vec(),
    };
    run(manager, open).await?;
    run(manager, statements).await?;
    match postgres {
        true => run(manager, vec![format!("ALTER TABLE {table} ENABLE TRIGGER {table}_append_only")]).await,
        false => append_only(manager, table).await,
    }
}

/// Adds columns to a table, each with its definition in SQL that both engines understand. `UUID`, `INSTANT` and `JSON`
/// stand for the engine's names of the types.
pub(crate) async fn add_columns(manager: &SchemaManager<'_>, columns: &[(&str, &str)]) -> Result<(), DbErr> {
    let types = match manager.get_database_backend() {
        DbBackend::Postgres => ["uuid", "timestamptz", "jsonb"],
        _ => ["uuid_text", "timestamp_with_timezone_text", "jsonb_text"],
    };
    let named = |column: &str| {
        let names = ["UUID", "INSTANT", "JSON"].into_iter().zip(types);
        names.fold(column.to_owned(), |sql, (word, name)| sql.replace(word, name))
    };
    let statement = |(table, column): &(&str, &str)| format!("ALTER TABLE {table} ADD COLUMN {}", named(column));
    run(manager, columns.iter().map(statement).collect()).await
}

/// Drops columns, in the opposite order of their list for [`add_columns`].
pub(crate) async fn drop_columns(manager: &SchemaManager<'_>, columns: &[(&str, &str)]) -> Result<(), DbErr> {
    let name = |column: &str| column.split(' ').next().unwrap_or_default().to_owned();
    let statement = |(table, column): &(&str, &str)| format!("ALTER TABLE {table} DROP COLUMN {}", name(column));
    run(manager, columns.iter().rev().map(statement).collect()).await
}

/// Runs raw statements, one after another.
pub(crate) async fn run(manager: &SchemaManager<'_>, statements: Vec<String>) -> Result<(), DbErr> {
    for statement in statements {
        manager.get_connection().execute_unprepared(&statement).await?;
    }
    Ok(())
}
