//! The versions of an object that a projection reads: all, or those around the events that are applied.

use super::context::Projection;
use crate::error::Result;
use crate::inbox::kinds::ObjectKind;
use crate::inbox::object::Object;
use crate::inbox::version::ObjectVersion;
use crate::subscriptions;
use chrono::{DateTime, Utc};

/// Versions of a subscription, oldest first.
pub(super) struct Versions {
    pub(super) list: Vec<ObjectVersion>,
    /// The earliest event that is applied: versions before the one in front of it are left out; `None` for all versions.
    pub(super) since: Option<DateTime<Utc>>,
}

impl Versions {
    /// Returns all versions of a subscription.
    pub(super) async fn all(ctx: &Projection<'_, '_>, id: &str) -> Result<Versions> {
        Ok(Versions { list: of(ctx, ObjectKind::Subscription, id, None).await?, since: None })
    }

    /// Returns the versions of a subscription on which states depend that the applied events may change: theirs, all later
    /// ones, and the one before, which they end. Where amounts depend on discounts or other objects, those are all.
    pub(super) async fn affected(ctx: &Projection<'_, '_>, subscription: &Object) -> Result<Versions> {
        let id = subscription.external_id.as_str();
        let is_applied = |object: &&Object| object.kind == ObjectKind::Subscription && object.external_id == id;
        let Some(since) = ctx.applied.as_ref().filter(is_applied).and(ctx.since) else {
            return Versions::all(ctx, id).await;
        };
        let list = of(ctx, ObjectKind::Subscription, id, Some(since)).await?;
        let payloads = list.iter().map(|version| &version.object).chain([&subscription.payload]);
        let is_plain = payloads.map(|payload| ctx.store.provider.needed_by(payload)).all(|needed| needed.is_empty());
        let is_preceded = list.first().is_some_and(|first| first.occurred_at < since);
        let provider = ctx.store.provider.name();
        if !is_plain || !is_preceded || subscriptions::had_discounts(ctx.store.txn, provider, id).await? {
            return Versions::all(ctx, id).await;
        }
        Ok(Versions { list, since: Some(since) })
    }
}

/// Returns the versions of an object, oldest first: all, or those from the last one before `since` on.
pub(super) async fn of(
    ctx: &Projection<'_, '_>,
    kind: ObjectKind,
    id: &str,
    since: Option<DateTime<Utc>>,
) -> Result<Vec<ObjectVersion>> {
    let events = match since {
        Some(since) => ctx.store.history_from(kind, id, since).await?,
        None => ctx.store.history(kind, id).await?,
    };
    let versions = events.into_iter().map(|event| ObjectVersion::read(ctx.store.provider, event));
    Ok(versions.filter(|version| version.kind == Some(kind)).collect())
}
