//! Resolving security events.

use crate::app::App;
use crate::audit::AuditEntry;
use crate::auth::{Permission, Viewer};
use crate::db::rows_for;
use crate::error::{Error, Result};
use entity::security_events::{ActiveModel, Column, Entity, Model};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use serde_json::json;
use uuid::Uuid;

/// Marks a security event as resolved. A resolved event stays unchanged.
pub async fn resolve_security_event(app: &App, viewer: &Viewer, id: Uuid, resolution: String) -> Result<Model> {
    viewer.require(Permission::OperationsWrite)?;
    let rows = rows_for::<Entity>(viewer)?;
    let resolution = resolution.trim().to_owned();
    if resolution.is_empty() || resolution.chars().count() > 500 {
        return Err(Error::refused(
            "RESOLUTION_INVALID",
            &["resolution"],
            "`resolution` must have 1 to 500 characters.",
        ));
    }
    let actor = viewer.actor().to_owned();
    app.db
        .write(move |txn| {
            Box::pin(async move {
                let found = rows.filter(Column::Id.eq(id)).one(txn).await?;
                let event =
                    found.ok_or(Error::refused("NOT_FOUND", &["securityEventId"], "Security event not found."))?;
                if event.resolved_at.is_some() {
                    return Ok(event);
                }
                let now = txn.now().fixed_offset();
                let resolved = ActiveModel {
                    id: Set(id),
                    resolved_at: Set(Some(now)),
                    resolved_by: Set(Some(actor.clone())),
                    resolution: Set(Some(resolution.clone())),
                    ..Default::default()
                };
                let event = Entity::update(resolved).exec(txn).await?;
                let after = json!({"resolvedAt": now, "resolution": resolution});
                let entry = AuditEntry::new("security_events.resolve", "SecurityEvent", id).after(after);
                txn.audit(&actor, entry).await?;
                Ok(event)
            })
        })
        .await
}
