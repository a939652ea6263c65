//! Reading the terms of accounts.

use super::store;
use super::terms::{FeatureCache, Readers, Terms};
use crate::app::App;
use crate::auth::{Scope, Viewer};
use crate::error::Result;
use chrono::{DateTime, Utc};
use sea_orm::ConnectionTrait;
use std::collections::HashMap;
use uuid::Uuid;

/// Returns the scope of the accounts whose terms a caller may see.
pub fn terms_scope(viewer: &Viewer) -> Scope {
    store::terms::scope(Readers::Viewer(viewer))
}

/// Returns the terms of accounts at an instant, by account. Accounts that do not exist, or that the reader may not see,
/// are left out.
pub async fn terms(
    db: &impl ConnectionTrait,
    readers: Readers<'_>,
    accounts: &[Uuid],
    now: DateTime<Utc>,
) -> Result<HashMap<Uuid, Terms>> {
    read(db, readers, accounts, now, None).await
}

/// Returns what [`terms`] returns. The features of versions that never change are read once.
pub async fn cached_terms(app: &App, viewer: &Viewer, accounts: &[Uuid]) -> Result<HashMap<Uuid, Terms>> {
    read(app.db.read(), Readers::Viewer(viewer), accounts, app.now(), Some(&app.plan_features)).await
}

async fn read(
    db: &impl ConnectionTrait,
    readers: Readers<'_>,
    accounts: &[Uuid],
    now: DateTime<Utc>,
    cache: Option<&FeatureCache>,
) -> Result<HashMap<Uuid, Terms>> {
    let (mut found, overridden) = store::terms::plans(db, readers, accounts, cache).await?;
    for (row, feature) in store::terms::overrides(db, &overridden, now).await? {
        if let Some(terms) = found.get_mut(&row.account_id) {
            terms.overrides.push((row, feature));
        }
    }
    Ok(found)
}
