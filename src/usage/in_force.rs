//! Reading the terms of accounts.

use super::store;
use super::store::terms::{Accounts, Found};
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
    Ok(read(db, Accounts { readers, ids: accounts, user: None }, now, None).await?.terms)
}

/// Returns the terms of accounts that the caller may see, with the features of versions that never change from the
/// cache. With `own` also those of the account that gives the caller their plan, or else of their individual one, and
/// its id.
pub async fn cached_terms(
    app: &App,
    viewer: &Viewer,
    accounts: &[Uuid],
    own: bool,
) -> Result<(HashMap<Uuid, Terms>, Option<Uuid>)> {
    let user = viewer.user_id().filter(|_| own);
    let accounts = Accounts { readers: Readers::Viewer(viewer), ids: accounts, user };
    let found = read(app.db.read(), accounts, app.now(), Some(&app.plan_features)).await?;
    Ok((found.terms, found.of_user))
}

async fn read(
    db: &impl ConnectionTrait,
    accounts: Accounts<'_>,
    now: DateTime<Utc>,
    cache: Option<&FeatureCache>,
) -> Result<Found> {
    let mut found = store::terms::plans(db, accounts, cache).await?;
    for (row, feature) in store::terms::overrides(db, &found.overridden, now).await? {
        if let Some(terms) = found.terms.get_mut(&row.account_id) {
            terms.overrides.push((row, feature));
        }
    }
    Ok(found)
}
