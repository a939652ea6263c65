//! Generates the entity crate from a migrated database, and the page about the tables from the entity crate.
//!
//! Partial indexes are left out: they hold for some rows only, and would turn a relation into a has-one. The foreign keys
//! of a table are sorted by column, because the engines list them in different orders and keys to the same table are
//! numbered in that order.

mod areas;
mod data_model;
mod error;

pub use data_model::data_model;
pub use error::Error;

use sea_orm_codegen::{EntityTransformer, EntityWriterContext};
use sea_orm_migration::prelude::TableCreateStatement;
use sea_orm_migration::sea_orm::DatabaseConnection;
use sea_schema::{postgres, sqlite};
use std::collections::BTreeMap;

/// Generates the files of `entity/src` from the tables of `db`, and returns them by name.
pub async fn entities(db: &DatabaseConnection) -> Result<BTreeMap<String, String>, Error> {
    let mut tables = match db.get_database_backend() {
        sea_orm_migration::sea_orm::DbBackend::Postgres => postgres_tables(db).await?,
        _ => sqlite_tables(db).await?,
    };
    tables.sort_by_key(|(name, _)| name.clone());
    let statements = tables.into_iter().filter(|(name, _)| name != "schema_migrations").map(|(_, table)| table);
    let output = EntityTransformer::transform(statements.collect())?.generate(&context());
    Ok(output.files.into_iter().map(|file| (file.name, file.content)).collect())
}

async fn sqlite_tables(db: &DatabaseConnection) -> Result<Vec<(String, TableCreateStatement)>, Error> {
    let pool = db.get_sqlite_connection_pool().clone();
    let schema = sqlite::discovery::SchemaDiscovery::new(pool).discover().await.map_err(|error| error.to_string())?;
    let mut schema = schema;
    schema.indexes.retain(|index| index.partial == 0);
    let mut tables = schema.merge_indexes_into_table().tables;
    for table in &mut tables {
        table.foreign_keys.sort_by(|one, other| one.from.cmp(&other.from));
    }
    Ok(tables.iter().map(|table| (table.name.clone(), table.write())).collect())
}

async fn postgres_tables(db: &DatabaseConnection) -> Result<Vec<(String, TableCreateStatement)>, Error> {
    let pool = db.get_postgres_connection_pool().clone();
    let schema = postgres::discovery::SchemaDiscovery::new(pool, "public").discover().await?;
    let tables = schema.tables.into_iter().map(|mut table| {
        table.unique_constraints.retain(|constraint| !constraint.is_partial);
        table.reference_constraints.sort_by(|one, other| one.columns.cmp(&other.columns));
        (table.info.name.clone(), table.write())
    });
    Ok(tables.collect())
}

fn context() -> EntityWriterContext {
    use sea_orm_codegen::*;
    EntityWriterContext::new(
        EntityFormat::Dense,
        WithPrelude::None,
        WithSerde::None,
        false,
        DateTimeCrate::Chrono,
        BigIntegerType::I64,
        None,
        true,
        false,
        false,
        TokenStreamList::default(),
        TokenStreamList::default(),
        TokenStreamList::default(),
        TokenStreamList::default(),
        TokenStreamList::default(),
        false,
        true,
        BannerVersion::Off,
    )
}

type TokenStreamList = Vec<String>;
