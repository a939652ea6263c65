//! The instants at which entitlements change without a request.

use super::evaluate::{Standing, end_of_grace, slots, standing};
use crate::app::App;
use crate::auth::Viewer;
use crate::credits;
use crate::error::Result;
use crate::usage::cached_terms;
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Returns the next instant from now on at which the entitlements of an account change without a request, as a window,
/// an override or the time to pay ends, or the credits that pay beyond a limit change; `None` if there is none, or the
/// caller may not see them.
pub async fn next_change(app: &App, viewer: &Viewer, account_id: Uuid) -> Result<Option<DateTime<Utc>>> {
    let Some(terms) = cached_terms(app, viewer, &[account_id], false).await?.0.remove(&account_id) else {
        return Ok(None);
    };
    let now = app.now();
    let mut instants: Vec<DateTime<Utc>> = terms.plan.iter().filter_map(end_of_grace).collect();
    instants.extend(terms.overrides.iter().filter_map(|(row, _)| row.expires_at).map(|end| end.to_utc()));
    let features = terms.granted().map(|(_, feature, _)| feature);
    let features = features.chain(terms.overrides.iter().map(|(_, feature)| feature));
    let features: BTreeMap<Uuid, _> = features.map(|feature| (feature.id, feature)).collect();
    let mut costs_credits = false;
    for feature in features.into_values() {
        if let Standing::Granted(grant) = standing(&terms, feature, now)? {
            instants.extend(slots(&terms, feature, &grant.limits, now).iter().filter_map(|slot| slot.window.end));
            costs_credits |= grant.limits.iter().any(|limit| limit.overage.is_some());
        }
    }
    if costs_credits {
        let due = credits::next_due(app.db.read(), viewer, Some(account_id), now).await?;
        instants.extend(due.map(|due| due.at));
    }
    Ok(instants.into_iter().filter(|instant| *instant > now).min())
}
