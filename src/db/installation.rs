//! What a database says about itself: which schema it has, and whether it serves customers.

use super::Db;
use crate::error::{Error, Result};
use chrono::{DateTime, Utc};
use entity::installation::{ActiveModel, Entity};
use migration::State;
use sea_orm::{ActiveValue::Set, ConnectionTrait, EntityTrait};
use uuid::Uuid;

impl Db {
    /// How many changes of the schema this database lacks; an error where it has others than this program knows.
    pub async fn pending_changes(&self) -> Result<usize> {
        let steps = migration::status(&self.reader).await.map_err(schema_error)?;
        Ok(steps.iter().filter(|step| step.state == State::Pending).count())
    }

    /// Applies every pending change of the schema, and tells which. A new database is marked as one of `environment`,
    /// `development` or `production`, which later protects it from `tollgate reset`.
    pub async fn migrate(&self, id: Uuid, at: DateTime<Utc>, environment: &'static str) -> Result<Vec<&'static str>> {
        let applied = migration::up(self.schema(), None, at).await.map_err(schema_error)?;
        if self.environment().await?.is_none() {
            let row = ActiveModel {
                id: Set(id),
                environment: Set(environment.to_owned()),
                created_at: Set(at.fixed_offset()),
            };
            Entity::insert(row).exec_without_returning(self.schema()).await?;
        }
        Ok(applied)
    }

    /// What the database was marked as when it was made; `None` for one that was not.
    pub async fn environment(&self) -> Result<Option<String>> {
        // unscoped: this is about the database itself
        Ok(Entity::find().one(self.schema()).await?.map(|row| row.environment))
    }
}

/// What tells this database from others; a key for hashes that mean nothing elsewhere.
pub async fn installation_id(db: &impl ConnectionTrait) -> Result<Uuid> {
    // unscoped: this is about the database itself
    let row = Entity::find().one(db).await?;
    Ok(row.ok_or_else(|| Error::internal(anyhow::anyhow!("the database is not marked as an installation")))?.id)
}

/// What stands in the way of the schema, in words that say what to do.
fn schema_error(error: migration::Error) -> Error {
    match error {
        migration::Error::Database(cause) => cause.into(),
        other => Error::internal(other),
    }
}
