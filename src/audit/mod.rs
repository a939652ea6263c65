//! Who did what. An entry is written in the transaction of the deed itself, and never changed.

mod store;

pub use store::AuditLog;

use crate::app::App;
use crate::auth::Viewer;
use crate::db::Txn;
use crate::error::{Error, Result};
use entity::audit_log::{ActiveModel, Entity};
use sea_orm::{ActiveValue::Set, EntityTrait};
use serde::Serialize;
use uuid::Uuid;

/// A deed that is to be recorded.
pub struct Deed {
    id: Uuid,
    at: chrono::DateTime<chrono::Utc>,
    actor: String,
}

impl Deed {
    /// Something that `viewer` is about to do now.
    pub fn by(app: &App, viewer: &Viewer) -> Deed {
        Deed { id: app.new_id(), at: app.now(), actor: viewer.actor().to_owned() }
    }

    /// Records the deed: `action` (as `credits.grant`) on a row, with what it was before and what it is now.
    pub async fn record(
        self,
        txn: &Txn,
        action: &str,
        (entity_type, entity_id): (&str, Uuid),
        account_id: Option<Uuid>,
        (before, after): (Option<impl Serialize>, Option<impl Serialize>),
    ) -> Result<()> {
        let entry = ActiveModel {
            id: Set(self.id),
            at: Set(self.at.fixed_offset()),
            actor: Set(self.actor),
            action: Set(action.to_owned()),
            entity_type: Set(entity_type.to_owned()),
            entity_id: Set(entity_id),
            account_id: Set(account_id),
            before: Set(before.map(serde_json::to_value).transpose().map_err(Error::internal)?),
            after: Set(after.map(serde_json::to_value).transpose().map_err(Error::internal)?),
        };
        Entity::insert(entry).exec_without_returning(txn).await?;
        Ok(())
    }
}
