//! Creating and revoking API keys.

use super::store;
use crate::app::App;
use crate::audit::AuditEntry;
use crate::auth::{ApiKeySecret, Permission, Viewer};
use crate::db::{Txn, rows_for};
use crate::error::{Error, Result};
use chrono::{DateTime, SecondsFormat, Utc};
use entity::api_keys::{ActiveModel, Column, Entity, Model};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use serde_json::json;
use uuid::Uuid;

/// An API key to be created.
#[derive(Debug, Clone)]
pub struct NewApiKey {
    /// Its purpose for people to read.
    pub name: String,
    /// Scopes such as `billing:read`, each of which the creator must hold too.
    pub scopes: Vec<String>,
    /// Time of expiry; `None` for that of the creator's credential, if it has one, else for no expiry.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Creates an API key and returns its secret, which is not stored and cannot be shown again.
pub async fn create_api_key(app: &App, viewer: &Viewer, new: NewApiKey) -> Result<(Model, ApiKeySecret)> {
    viewer.require(Permission::KeysWrite)?;
    let name = new.name.trim().to_owned();
    if name.is_empty() || name.chars().count() > 100 {
        return Err(Error::refused("NAME_INVALID", &["name"], "`name` must have 1 to 100 characters."));
    }
    if new.expires_at.is_some_and(|at| at <= app.now()) {
        return Err(Error::refused("EXPIRY_INVALID", &["expiresAt"], "`expiresAt` must be in the future."));
    }
    let authority = viewer.authority().clone();
    let expires_at = check_expiry(authority.expires_at, new.expires_at)?;
    let scopes = check_scopes(viewer, &new.scopes)?;
    let secret = ApiKeySecret::generate(&mut rand::rng());
    let (prefix, hash, actor) = (secret.prefix().to_owned(), secret.hash(), viewer.actor().to_owned());
    let created = app
        .db
        .write(move |txn| {
            Box::pin(async move {
                if let Some(parent) = authority.key_id {
                    check_parent(txn, parent).await?;
                }
                let row = ActiveModel {
                    id: Set(txn.new_id()),
                    name: Set(name),
                    prefix: Set(prefix),
                    hash: Set(hash),
                    scopes: Set(scopes.join(" ")),
                    created_by: Set(actor.clone()),
                    created_at: Set(txn.now().fixed_offset()),
                    expires_at: Set(expires_at.map(|at| at.fixed_offset())),
                    revoked_at: Set(None),
                    last_used_at: Set(None),
                    parent_id: Set(authority.key_id),
                    responsible_user_id: Set(authority.user_id),
                    requires_admin: Set(authority.requires_admin),
                };
                let key = Entity::insert(row).exec_with_returning(txn).await?;
                let after = json!({"name": key.name, "prefix": key.prefix, "scopes": key.scopes});
                txn.audit(&actor, AuditEntry::new("api_keys.create", "ApiKey", key.id).after(after)).await?;
                Ok(key)
            })
        })
        .await?;
    Ok((created, secret))
}

/// Returns the time of expiry of a new key: no key outlives the credential that creates it.
fn check_expiry(limit: Option<DateTime<Utc>>, asked: Option<DateTime<Utc>>) -> Result<Option<DateTime<Utc>>> {
    match (limit, asked) {
        (Some(limit), Some(asked)) if asked > limit => {
            let limit = limit.to_rfc3339_opts(SecondsFormat::Secs, true);
            let message =
                format!("`expiresAt` must not be after {limit}, when the credential that creates the key expires.");
            Err(Error::refused("EXPIRY_INVALID", &["expiresAt"], message))
        }
        _ => Ok(asked.or(limit)),
    }
}

/// Locks the key that creates another, and fails if it was revoked since the request began: its revocation would miss the
/// new key.
async fn check_parent(txn: &Txn, id: Uuid) -> Result<()> {
    match store::lock_api_key(txn, id).await? {
        Some(parent) if parent.revoked_at.is_none() => Ok(()),
        _ => Err(Error::Unauthenticated("The API key is unknown, expired or revoked.".into())),
    }
}

/// Checks the requested scopes: nobody grants more than they hold.
fn check_scopes(viewer: &Viewer, asked: &[String]) -> Result<Vec<&'static str>> {
    if asked.is_empty() {
        return Err(Error::refused("SCOPE_INVALID", &["scopes"], "`scopes` must name at least one scope."));
    }
    let mut scopes = Vec::new();
    for scope in asked {
        let permission = Permission::parse(scope)
            .map_err(|error| Error::refused("SCOPE_INVALID", &["scopes"], error.to_string()))?;
        if !viewer.permissions().contains(permission) {
            let message = format!("You cannot grant the scope {}, because you do not hold it.", permission.scope());
            return Err(Error::refused("SCOPE_INVALID", &["scopes"], message));
        }
        if !scopes.contains(&permission.scope()) {
            scopes.push(permission.scope());
        }
    }
    Ok(scopes)
}

/// Revokes an API key from the next request on, with all keys that were created with it. Revoking it again changes
/// nothing.
pub async fn revoke_api_key(app: &App, viewer: &Viewer, id: Uuid) -> Result<Model> {
    viewer.require(Permission::KeysWrite)?;
    let rows = rows_for::<Entity>(viewer)?;
    let actor = viewer.actor().to_owned();
    app.db
        .write(move |txn| {
            Box::pin(async move {
                let found = rows.filter(Column::Id.eq(id)).one(txn).await?;
                let key = found.ok_or(Error::refused("NOT_FOUND", &["apiKeyId"], "API key not found."))?;
                if key.revoked_at.is_some() {
                    return Ok(key);
                }
                let key = revoke(txn, &actor, id, None).await?;
                let mut parents = vec![id];
                while !parents.is_empty() {
                    let children = store::children_of(txn, &parents).await?;
                    for child in children.iter().filter(|child| child.revoked_at.is_none()) {
                        revoke(txn, &actor, child.id, child.parent_id).await?;
                    }
                    parents = children.into_iter().map(|child| child.id).collect();
                }
                Ok(key)
            })
        })
        .await
}

async fn revoke(txn: &Txn, actor: &str, id: Uuid, parent: Option<Uuid>) -> Result<Model> {
    let now = txn.now().fixed_offset();
    let revoked = ActiveModel { id: Set(id), revoked_at: Set(Some(now)), ..Default::default() };
    let key = Entity::update(revoked).exec(txn).await?;
    let mut after = json!({"revokedAt": now});
    if let Some(parent) = parent {
        after["revokedWith"] = json!(parent);
    }
    txn.audit(actor, AuditEntry::new("api_keys.revoke", "ApiKey", id).after(after)).await?;
    Ok(key)
}
