//! Rules of rate limits.

use super::store;
use crate::app::App;
use crate::audit::AuditEntry;
use crate::auth::{Permission, Viewer};
use crate::error::{Error, Result};
use crate::plans::{check_code, code_taken};
use entity::rate_limit_rules::{ActiveModel, Entity, Model};
use sea_orm::{ActiveValue::Set, EntityTrait};
use serde_json::{Value, json};
use uuid::Uuid;

/// The greatest number of units in a window.
const MAX_COUNT: i64 = 1_000_000_000;
/// The longest window: a leap year.
const MAX_WINDOW_SECONDS: i64 = 31_622_400;

/// A rule to be created.
#[derive(Debug, Clone)]
pub struct NewRateLimit {
    /// The stable code.
    pub code: String,
    /// Units that an identifier may take in a window.
    pub max_count: i64,
    /// The length of the window.
    pub window_seconds: i64,
}

/// A change of a rule; `None` leaves a field unchanged.
#[derive(Debug, Clone, Copy)]
pub struct RateLimitChange {
    /// Units that an identifier may take in a window.
    pub max_count: Option<i64>,
    /// The length of the window.
    pub window_seconds: Option<i64>,
}

/// Creates a rule.
pub async fn create_rate_limit(app: &App, viewer: &Viewer, new: NewRateLimit) -> Result<Model> {
    viewer.require(Permission::CatalogueWrite)?;
    let code = check_code(&new.code, &["code"])?;
    check(Some(new.max_count), Some(new.window_seconds))?;
    let actor = viewer.actor().to_owned();
    app.db
        .write(move |txn| {
            Box::pin(async move {
                let now = txn.now().fixed_offset();
                let row = ActiveModel {
                    id: Set(txn.new_id()),
                    code: Set(code),
                    max_count: Set(new.max_count),
                    window_seconds: Set(new.window_seconds),
                    created_at: Set(now),
                    updated_at: Set(now),
                };
                let rule = Entity::insert(row).exec_with_returning(txn).await.map_err(code_taken)?;
                let entry = AuditEntry::new("rate_limits.create", "RateLimit", rule.id).after(summary(&rule));
                txn.audit(&actor, entry).await?;
                Ok(rule)
            })
        })
        .await
}

/// Changes a rule from now on. Other windows than before begin with a new length.
pub async fn update_rate_limit(app: &App, viewer: &Viewer, id: Uuid, change: RateLimitChange) -> Result<Model> {
    viewer.require(Permission::CatalogueWrite)?;
    check(change.max_count, change.window_seconds)?;
    let actor = viewer.actor().to_owned();
    app.db
        .write(move |txn| {
            Box::pin(async move {
                let unknown = Error::refused("NOT_FOUND", &["rateLimitId"], "Rate limit not found.");
                let before = store::lock_rule(txn, id).await?.ok_or(unknown)?;
                let row = ActiveModel {
                    id: Set(id),
                    max_count: Set(change.max_count.unwrap_or(before.max_count)),
                    window_seconds: Set(change.window_seconds.unwrap_or(before.window_seconds)),
                    updated_at: Set(txn.now().fixed_offset()),
                    ..Default::default()
                };
                let rule = Entity::update(row).exec(txn).await?;
                let entry = AuditEntry::new("rate_limits.update", "RateLimit", id);
                txn.audit(&actor, entry.before(summary(&before)).after(summary(&rule))).await?;
                Ok(rule)
            })
        })
        .await
}

fn check(max_count: Option<i64>, window_seconds: Option<i64>) -> Result<()> {
    if max_count.is_some_and(|count| !(0..=MAX_COUNT).contains(&count)) {
        return Err(Error::refused("COUNT_INVALID", &["maxCount"], "`maxCount` must be 0 to 1,000,000,000."));
    }
    if window_seconds.is_some_and(|seconds| !(1..=MAX_WINDOW_SECONDS).contains(&seconds)) {
        let message = "`windowSeconds` must be 1 to 31,622,400.";
        return Err(Error::refused("WINDOW_INVALID", &["windowSeconds"], message));
    }
    Ok(())
}

fn summary(rule: &Model) -> Value {
    json!({"code": rule.code, "maxCount": rule.max_count, "windowSeconds": rule.window_seconds})
}
