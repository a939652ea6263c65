//! The state of a database: the version of its schema, and the environment it serves.

use super::handle::Db;
use super::txn::Txn;
use crate::error::{Error, Result};
use chrono::{DateTime, Utc};
use entity::installation::{ActiveModel, Column, Entity};
use migration::State;
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

impl Db {
    /// Returns the number of migrations that are not applied yet; an error if one is applied that this program does not
    /// know.
    pub async fn pending_migrations(&self) -> Result<usize> {
        let steps = migration::status(&self.reader).await.map_err(schema_error)?;
        Ok(steps.iter().filter(|step| step.state == State::Pending).count())
    }

    /// Applies every pending migration and returns their names. A new database is marked with `environment`,
    /// `development` or `production`, which later protects it from `tollgate reset`.
    pub async fn migrate(&self, id: Uuid, at: DateTime<Utc>, environment: &'static str) -> Result<Vec<&'static str>> {
        let migrator = self.migrator().await?;
        let applied = migration::up(&migrator, None, at).await;
        self.close_migrator(migrator).await?;
        let applied = applied.map_err(schema_error)?;
        if self.environment().await?.is_none() {
            let row = ActiveModel {
                id: Set(id),
                environment: Set(environment.to_owned()),
                created_at: Set(at.fixed_offset()),
                reference_key: Set(None),
            };
            Entity::insert(row).exec_without_returning(self.schema()).await?;
        }
        Ok(applied)
    }

    /// Returns the environment that the database was marked with when it was created; `None` if it was not.
    pub async fn environment(&self) -> Result<Option<String>> {
        // unscoped: the row describes the database itself
        Ok(Entity::find().one(self.schema()).await?.map(|row| row.environment))
    }
}

/// Returns the id of this database, which is a key for hashes that mean nothing elsewhere.
pub async fn installation_id(db: &impl ConnectionTrait) -> Result<Uuid> {
    // unscoped: the row describes the database itself
    let row = Entity::find().one(db).await?;
    Ok(row.ok_or_else(|| Error::internal(anyhow::anyhow!("the database is not marked as an installation")))?.id)
}

/// Returns the secret that signs references to accounts; `None` until one was needed.
pub async fn reference_key(db: &impl ConnectionTrait) -> Result<Option<String>> {
    // unscoped: the row describes the database itself
    Ok(Entity::find().one(db).await?.and_then(|row| row.reference_key))
}

/// Stores `candidate` as the secret that signs references, unless there is one, and returns the secret.
pub async fn claim_reference_key(txn: &Txn, candidate: String) -> Result<String> {
    let update = Entity::update_many().col_expr(Column::ReferenceKey, Expr::value(candidate));
    update.filter(Column::ReferenceKey.is_null()).exec(txn).await?;
    let key = reference_key(txn).await?;
    key.ok_or_else(|| Error::internal(anyhow::anyhow!("the database is not marked as an installation")))
}

/// Turns an error of the migrator into ours; its message says how to proceed.
fn schema_error(error: migration::Error) -> Error {
    match error {
        migration::Error::Database(cause) => cause.into(),
        other => Error::internal(other),
    }
}
