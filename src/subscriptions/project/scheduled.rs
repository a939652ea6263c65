//! The changes that are scheduled for a subscription.

use super::observed::ObservedSubscription;
use super::plan::planned_item;
use crate::db::Mirror;
use crate::error::Result;
use crate::plans::{KnownPrice, ProductKind};
use crate::subscriptions::store::mirror as store;
use crate::subscriptions::values::ScheduledChangeKind;
use chrono::{DateTime, Utc};
use entity::{scheduled_changes, subscriptions};
use sea_orm::ActiveValue::Set;
use std::collections::HashMap;

/// Updates the scheduled changes to those observed, and returns whether anything changed.
pub(super) async fn project_scheduled(
    mirror: &mut Mirror<'_>,
    subscription: &subscriptions::Model,
    observed: &ObservedSubscription,
    known: &HashMap<String, KnownPrice>,
) -> Result<bool> {
    let mut before = HashMap::new();
    for row in store::scheduled(mirror.txn, subscription.id).await? {
        before.insert((ScheduledChangeKind::parse(&row.kind)?, row.effective_at.to_utc()), row);
    }
    let name = |kind: ScheduledChangeKind, at: &DateTime<Utc>| {
        format!("{}:{kind}@{}", subscription.external_id, at.to_rfc3339())
    };
    let mut changed = false;
    let mut seen = Vec::new();
    for change in &observed.scheduled {
        let key = (change.kind, change.effective_at);
        // The first of two changes with one kind and time counts.
        if seen.contains(&key) {
            continue;
        }
        let found = before.remove(&key);
        let created_at = found.as_ref().map_or(mirror.txn.now().fixed_offset(), |found| found.created_at);
        let item = planned_item(&change.items, known);
        let price = item.and_then(|item| known.get(&item.price_external_id));
        let plan = price.filter(|price| price.kind == ProductKind::Plan);
        let wanted = scheduled_changes::ActiveModel {
            id: Set(mirror.txn.new_id()),
            account_id: Set(subscription.account_id),
            subscription_id: Set(subscription.id),
            kind: Set(change.kind.to_string()),
            effective_at: Set(change.effective_at.fixed_offset()),
            product_version_id: Set(plan.map(|price| price.product_version_id)),
            price_id: Set(price.and_then(|price| price.price_id)),
            price_external_id: Set(item.map(|item| item.price_external_id.clone())),
            quantity: Set(item.and_then(|item| item.quantity).map(|quantity| quantity.max(0))),
            created_at: Set(created_at),
        };
        let name = name(change.kind, &change.effective_at);
        changed |= mirror.write::<scheduled_changes::Entity>(&name, found, wanted).await?.changed;
        seen.push(key);
    }
    for ((kind, at), row) in before {
        store::delete_scheduled(mirror.txn, row.id).await?;
        mirror.removed::<scheduled_changes::Entity>(&name(kind, &at), &row);
        changed = true;
    }
    Ok(changed)
}
