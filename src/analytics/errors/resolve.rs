//! Groups of errors whose cause is mended.

use super::store;
use crate::app::App;
use crate::audit::AuditEntry;
use crate::auth::{Permission, Viewer};
use crate::error::{Error, Result};
use entity::error_groups::{ActiveModel, Entity, Model};
use sea_orm::{ActiveValue::Set, EntityTrait};
use serde_json::json;
use uuid::Uuid;

/// Notes that the cause of a group is mended. An error of it that happens later opens the group again.
pub async fn resolve_error_group(app: &App, viewer: &Viewer, id: Uuid) -> Result<Model> {
    viewer.require(Permission::EventsWrite)?;
    let actor = viewer.actor().to_owned();
    let written = app.db.write(move |txn| {
        Box::pin(async move {
            let unknown = Error::refused("NOT_FOUND", &["errorGroupId"], "Group of errors not found.");
            let before = store::lock_group(txn, id).await?.ok_or(unknown)?;
            if store::is_resolved(&before) {
                let message = "The group of errors is already resolved: it opens again with its next error.";
                return Err(Error::refused("ALREADY_RESOLVED", &["errorGroupId"], message));
            }
            let now = txn.now().fixed_offset();
            let row = ActiveModel { id: Set(id), resolved_at: Set(Some(now)), ..Default::default() };
            let resolved = Entity::update(row).exec(txn).await?;
            let entry = AuditEntry::new("error_groups.resolve", "ErrorGroup", id)
                .before(json!({"resolvedAt": before.resolved_at}))
                .after(json!({"resolvedAt": now}));
            txn.audit(&actor, entry).await?;
            Ok(resolved)
        })
    });
    written.await
}
