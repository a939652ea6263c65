//! The present state of a subscription.

use super::discounts::project_discounts;
use super::history::project_history;
use super::observed::{ObservedState, ObservedSubscription};
use super::plan::plan_item;
use super::scheduled::project_scheduled;
use crate::changes::{self, Change};
use crate::db::{Mirror, Mirrored};
use crate::error::Result;
use crate::plans::{self, KnownPrice, ProductKind};
use crate::subscriptions::store::mirror as store;
use crate::subscriptions::trials::claim_trial;
use crate::subscriptions::values::ItemKind;
use chrono::{DateTime, Utc};
use entity::{subscription_items, subscriptions};
use sea_orm::ActiveValue::Set;
use std::collections::HashMap;
use uuid::Uuid;

/// Mirrors a subscription of `account_id` with its items, scheduled changes and history.
///
/// The plan is that of the item whose price is known and has the highest rank. A subscription without such an item is
/// kept and gives no plan.
pub async fn project_subscription(
    mirror: &mut Mirror<'_>,
    account_id: Uuid,
    subscription: &ObservedSubscription,
    history: &[ObservedState],
) -> Result<Mirrored<subscriptions::Model>> {
    let (provider, external_id) = (subscription.provider, &subscription.external_id);
    let prices = price_ids(subscription, history);
    let known = plans::known_prices(mirror.txn, provider, &prices).await?;
    let found = store::lock_subscription(mirror.txn, provider, external_id).await?;
    let first_paid_at = match &found {
        Some(found) => store::first_paid_at(mirror.txn, found.id).await?.or(found.first_paid_at),
        None => None,
    };
    let mut wanted = row(mirror, account_id, subscription, &known, found.as_ref());
    wanted.first_paid_at = Set(first_paid_at);
    let mut written = mirror.write::<subscriptions::Entity>(external_id, found, wanted).await?;
    written.changed |= project_items(mirror, &written.row, subscription, &known).await?;
    written.changed |= project_scheduled(mirror, &written.row, subscription, &known).await?;
    written.changed |= project_discounts(mirror, &written.row, history).await?;
    written.changed |= project_history(mirror, &written.row, history, &known).await?;
    if written.row.trial_start.is_some() {
        claim_trial(mirror, &written.row).await?;
    }
    if written.changed {
        store::note_prices(mirror.txn, written.row.id, &prices).await?;
        let change = Change::SubscriptionChanged(written.row.id, written.row.account_id);
        changes::record(mirror.txn, change).await?;
    }
    Ok(written)
}

/// Records the time of a subscription's first payment, after one of its payments was mirrored.
pub async fn note_first_payment(mirror: &mut Mirror<'_>, subscription_id: Uuid) -> Result<()> {
    let Some(found) = store::lock_by_id(mirror.txn, subscription_id).await? else { return Ok(()) };
    let Some(first_paid_at) = store::first_paid_at(mirror.txn, subscription_id).await? else { return Ok(()) };
    let (external_id, account_id) = (found.external_id.clone(), found.account_id);
    let wanted = subscriptions::ActiveModel { first_paid_at: Set(Some(first_paid_at)), ..Default::default() };
    if mirror.write::<subscriptions::Entity>(&external_id, Some(found), wanted).await?.changed {
        let change = Change::SubscriptionChanged(subscription_id, account_id);
        changes::record(mirror.txn, change).await?;
    }
    Ok(())
}

fn price_ids(subscription: &ObservedSubscription, history: &[ObservedState]) -> Vec<String> {
    let items = subscription.items.iter().chain(history.iter().flat_map(|state| &state.items));
    let scheduled = subscription.scheduled.iter().flat_map(|change| &change.items);
    let scheduled = scheduled.map(|item| &item.price_external_id);
    let mut ids: Vec<_> = items.map(|item| &item.price_external_id).chain(scheduled).cloned().collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

type Span = (DateTime<Utc>, DateTime<Utc>);

fn row(
    mirror: &Mirror<'_>,
    account_id: Uuid,
    subscription: &ObservedSubscription,
    known: &HashMap<String, KnownPrice>,
    found: Option<&subscriptions::Model>,
) -> subscriptions::ActiveModel {
    let plan = plan_item(&subscription.items, known);
    let period = plan.and_then(|(item, _)| item.period);
    let period = period.or_else(|| subscription.items.iter().find_map(|item| item.period)).filter(forward);
    let trial = subscription.trial.filter(forward);
    let or_known = |observed: &Option<String>, column: fn(&subscriptions::Model) -> &Option<String>| {
        observed.clone().or_else(|| found.and_then(|found| column(found).clone()))
    };
    let at = |at: Option<DateTime<Utc>>| at.map(|at| at.fixed_offset());
    subscriptions::ActiveModel {
        id: Set(mirror.txn.new_id()),
        account_id: Set(account_id),
        product_version_id: Set(plan.map(|(_, price)| price.product_version_id)),
        price_id: Set(plan.and_then(|(_, price)| price.price_id)),
        provider: Set(subscription.provider.to_owned()),
        external_id: Set(subscription.external_id.clone()),
        status: Set(subscription.status.to_string()),
        currency: Set(or_known(&subscription.currency, |found| &found.currency)),
        started_at: Set(subscription.started_at.fixed_offset()),
        trial_start: Set(at(trial.map(|(start, _)| start))),
        trial_end: Set(at(trial.map(|(_, end)| end))),
        current_period_start: Set(at(period.map(|(start, _)| start))),
        current_period_end: Set(at(period.map(|(_, end)| end))),
        cancel_at: Set(at(subscription.cancel_at)),
        canceled_at: Set(at(subscription.canceled_at)),
        ended_at: Set(at(subscription.ended_at)),
        paused_at: Set(at(subscription.paused_at)),
        first_paid_at: Set(None),
        provider_updated_at: Set(at(Some(subscription.observed_at))),
        created_at: Set(subscription.created_at.fixed_offset()),
        updated_at: Set(mirror.txn.now().fixed_offset()),
        customer_external_id: Set(or_known(&subscription.customer_external_id, |found| &found.customer_external_id)),
        cancel_at_period_end: Set(subscription.cancel_at_period_end),
        schedule_external_id: Set(subscription.schedule_external_id.clone()),
        latest_invoice_external_id: Set(or_known(&subscription.latest_invoice_external_id, |found| {
            &found.latest_invoice_external_id
        })),
        next_billed_at: Set(at(subscription.next_billed_at)),
        metadata: Set(Some(subscription.metadata.clone()).filter(|metadata| !metadata.is_null())),
    }
}

/// Returns whether a span does not end before it starts: the table refuses others.
fn forward((start, end): &Span) -> bool {
    start <= end
}

/// Updates the items to those observed, and returns whether anything changed.
async fn project_items(
    mirror: &mut Mirror<'_>,
    subscription: &subscriptions::Model,
    observed: &ObservedSubscription,
    known: &HashMap<String, KnownPrice>,
) -> Result<bool> {
    let ids: Vec<_> = observed.items.iter().map(|item| item.external_id.clone()).collect();
    let mut before: HashMap<_, _> = store::items(mirror.txn, subscription.id, &ids)
        .await?
        .into_iter()
        .map(|row| (row.external_id.clone().unwrap_or_default(), row))
        .collect();
    let plan = plan_item(&observed.items, known).map(|(item, _)| item);
    let mut changed = false;
    for (index, item) in observed.items.iter().enumerate() {
        // The first of two items with one id counts.
        if ids[..index].contains(&item.external_id) {
            continue;
        }
        let found = before.remove(&item.external_id);
        let created_at = found.as_ref().map_or(mirror.txn.now().fixed_offset(), |found| found.created_at);
        let price = known.get(&item.price_external_id);
        let kind = match price {
            _ if item.metered => ItemKind::Metered,
            Some(price) if price.kind == ProductKind::Plan => ItemKind::Plan,
            // Without a known plan, a first item with an unknown price is taken for the plan.
            None if plan.is_none() && index == 0 => ItemKind::Plan,
            _ => ItemKind::Addon,
        };
        let wanted = subscription_items::ActiveModel {
            id: Set(mirror.txn.new_id()),
            account_id: Set(subscription.account_id),
            subscription_id: Set(subscription.id),
            price_id: Set(price.and_then(|price| price.price_id)),
            external_id: Set(Some(item.external_id.clone())),
            kind: Set(kind.to_string()),
            quantity: Set(item.quantity.map(|quantity| quantity.max(0))),
            created_at: Set(created_at),
            price_external_id: Set(Some(item.price_external_id.clone())),
            current_period_start: Set(item.period.map(|(start, _)| start.fixed_offset())),
            current_period_end: Set(item.period.map(|(_, end)| end.fixed_offset())),
        };
        changed |= mirror.write::<subscription_items::Entity>(&item.external_id, found, wanted).await?.changed;
    }
    for (external_id, row) in before {
        store::delete_item(mirror.txn, row.id).await?;
        mirror.removed::<subscription_items::Entity>(&external_id, &row);
        changed = true;
    }
    Ok(changed)
}
