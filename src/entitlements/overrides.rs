//! Overrides: features given to or taken from one account, whatever its plan says.

use super::store;
use crate::app::App;
use crate::audit::AuditEntry;
use crate::auth::{Permission, Viewer};
use crate::changes::{self, Change};
use crate::db::{Txn, update_all};
use crate::error::{Error, Result};
use crate::plans::{FeatureKind, LimitWindow};
use chrono::{DateTime, Utc};
use entity::entitlement_overrides::{ActiveModel, Entity, Model};
use entity::features;
use sea_orm::{ActiveValue::Set, EntityTrait};
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

/// The longest reason, in characters.
const MAX_REASON_CHARS: usize = 500;

/// An override to be set.
#[derive(Debug, Clone, Serialize)]
pub struct NewOverride {
    /// The account.
    pub account_id: Uuid,
    /// The code of the feature.
    pub feature: String,
    /// True to give the feature, false to take it away.
    pub granted: bool,
    /// The value of a `config` feature.
    pub value: Option<String>,
    /// The limit; `None` for unlimited.
    pub limit: Option<i64>,
    /// The window of the limit; `None` for all windows of the plan if there is no limit, or else for a limit on each use.
    pub window: Option<LimitWindow>,
    /// A reason for people to read.
    pub reason: String,
    /// Time at which it ends; `None` for no end.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Sets an override in place of those of the same account, feature and window. One without a window replaces all of the
/// feature.
pub async fn set_override(app: &App, viewer: &Viewer, new: NewOverride) -> Result<Model> {
    viewer.require(Permission::BillingWrite)?;
    if !(1..=MAX_REASON_CHARS).contains(&new.reason.trim().chars().count()) {
        return Err(Error::refused("REASON_INVALID", &["reason"], "`reason` must have 1 to 500 characters."));
    }
    if new.limit.is_some_and(|limit| limit < 0) {
        let message = "`limit` must not be negative: leave it out for unlimited use.";
        return Err(Error::refused("LIMIT_INVALID", &["limit"], message));
    }
    let actor = viewer.actor().to_owned();
    app.db.write(move |txn| Box::pin(async move { insert(txn, actor, new).await })).await
}

async fn insert(txn: &Txn, actor: String, new: NewOverride) -> Result<Model> {
    let now = txn.now();
    if new.expires_at.is_some_and(|end| end <= now) {
        return Err(Error::refused("EXPIRY_INVALID", &["expiresAt"], "`expiresAt` must be in the future."));
    }
    if !store::lock_account(txn, new.account_id).await? {
        return Err(Error::refused("ACCOUNT_NOT_FOUND", &["accountId"], "Account not found."));
    }
    let feature = store::features_named(txn, std::iter::once(new.feature.as_str())).await?.remove(&new.feature);
    let feature = feature.ok_or(Error::refused("FEATURE_NOT_FOUND", &["feature"], "Feature not found."))?;
    check(&new, &feature)?;
    let window = new.window.map(|window| window.to_string());
    let replaced = store::overrides_of(txn, new.account_id, feature.id).await?.into_iter();
    let replaced = replaced.filter(|row| window.is_none() || row.limit_window.is_none() || row.limit_window == window);
    let replaced: Vec<Uuid> = replaced.map(|row| row.id).collect();
    update_all::<Entity>(txn, replaced.iter().map(|id| revoked(*id, now)).collect()).await?;
    let row = ActiveModel {
        id: Set(txn.new_id()),
        account_id: Set(new.account_id),
        feature_id: Set(feature.id),
        granted: Set(new.granted),
        value: Set(new.value.clone()),
        limit_units: Set(new.limit),
        limit_window: Set(window),
        reason: Set(new.reason.clone()),
        created_by: Set(actor.clone()),
        created_at: Set(now.fixed_offset()),
        expires_at: Set(new.expires_at.map(|at| at.fixed_offset())),
        revoked_at: Set(None),
    };
    let row = Entity::insert(row).exec_with_returning(txn).await?;
    changes::record(txn, Change::EntitlementsChanged(row.account_id)).await?;
    let entry = AuditEntry::new("entitlement_overrides.set", "EntitlementOverride", row.id).account(row.account_id);
    let after = json!({
        "feature": new.feature, "granted": new.granted, "value": new.value, "limit": new.limit, "window": new.window,
        "reason": new.reason, "expiresAt": new.expires_at, "replaced": replaced,
    });
    txn.audit(&actor, entry.after(after)).await?;
    Ok(row)
}

/// Checks that an override says only what its feature can have.
fn check(new: &NewOverride, feature: &features::Model) -> Result<()> {
    let kind = FeatureKind::parse(&feature.kind)?;
    let is_counted = matches!(kind, FeatureKind::Limit | FeatureKind::Credit);
    if (new.limit.is_some() || new.window.is_some()) && !(new.granted && is_counted) {
        let message = "`limit` and `window` are for an override that gives a feature of the kind LIMIT or CREDIT.";
        return Err(Error::refused("LIMIT_INVALID", &["limit"], message));
    }
    if new.value.is_some() != (new.granted && kind == FeatureKind::Config) {
        let message = "`value` is for an override that gives a feature of the kind CONFIG, which needs one.";
        return Err(Error::refused("VALUE_INVALID", &["value"], message));
    }
    Ok(())
}

/// Ends an override now, so that the terms of the plan hold again.
pub async fn revoke_override(app: &App, viewer: &Viewer, id: Uuid) -> Result<Model> {
    viewer.require(Permission::BillingWrite)?;
    let actor = viewer.actor().to_owned();
    app.db
        .write(move |txn| {
            Box::pin(async move {
                let unknown = Error::refused("NOT_FOUND", &["entitlementOverrideId"], "Override not found.");
                let before = store::lock_override(txn, id).await?.ok_or(unknown)?;
                if before.revoked_at.is_some() {
                    let message = "The override is already revoked.";
                    return Err(Error::refused("ALREADY_REVOKED", &["entitlementOverrideId"], message));
                }
                let row = Entity::update(revoked(id, txn.now())).exec(txn).await?;
                changes::record(txn, Change::EntitlementsChanged(row.account_id)).await?;
                let entry = AuditEntry::new("entitlement_overrides.revoke", "EntitlementOverride", id);
                let after = json!({"revokedAt": row.revoked_at});
                txn.audit(&actor, entry.account(row.account_id).after(after)).await?;
                Ok(row)
            })
        })
        .await
}

fn revoked(id: Uuid, now: DateTime<Utc>) -> ActiveModel {
    ActiveModel { id: Set(id), revoked_at: Set(Some(now.fixed_offset())), ..Default::default() }
}
