//! The history of a subscription's states. Rows are never changed: a correction is a later row with the same effective
//! time.

use super::arr::{Yearly, yearly};
use super::json::{discounts_json, items_json};
use super::observed::ObservedState;
use super::plan::plan_item;
use crate::db::Mirror;
use crate::error::Result;
use crate::plans::KnownPrice;
use crate::subscriptions::store::discounts::arr_changes;
use crate::subscriptions::store::mirror as store;
use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use entity::{subscription_arr_changes, subscription_versions, subscriptions};
use std::collections::HashMap;
use uuid::Uuid;

/// Adds the states that are missing or recorded differently, and returns whether there were any.
pub(super) async fn project_history(
    mirror: &mut Mirror<'_>,
    subscription: &subscriptions::Model,
    history: &[ObservedState],
    known: &HashMap<String, KnownPrice>,
) -> Result<bool> {
    let instants = history.iter().map(|state| microseconds(state.effective_at));
    let (Some(first), Some(last)) = (instants.clone().min(), instants.max()) else { return Ok(false) };
    let written = store::versions(mirror.txn, subscription.id, first..=last).await?;
    // The rows come in the order of recording, so that the valid one of each effective time stays in the map.
    let valid: HashMap<_, _> = written.iter().map(|version| (version.effective_at, version)).collect();
    // Only discounts change the value of a state.
    let is_discounted = written.iter().any(|version| version.discount.is_some());
    let known_changes = if is_discounted { arr_changes(mirror.txn, subscription.id).await? } else { HashMap::new() };
    let mut changed = false;
    for state in history {
        let worth = yearly(state, known);
        let wanted = version(mirror, subscription, state, known, &worth);
        let before = valid.get(&wanted.effective_at).copied();
        let is_same = |before: &subscription_versions::Model| {
            let changes = known_changes.get(&before.id).map_or(&[][..], Vec::as_slice);
            says_the_same(before, &wanted) && changes_the_same(changes, &worth)
        };
        if before.is_some_and(is_same) {
            continue;
        }
        let row = match before {
            // A correction comes after the row that it corrects, by time and by id, even if the clocks of two nodes
            // differ.
            Some(before) => subscription_versions::Model {
                id: wanted.id.max(Uuid::from_u128(before.id.as_u128().saturating_add(1))),
                recorded_at: wanted.recorded_at.max(before.recorded_at + TimeDelta::microseconds(1)),
                ..wanted
            },
            None => wanted,
        };
        let name = format!("{}@{}", subscription.external_id, state.effective_at.to_rfc3339());
        let id = row.id;
        mirror.add::<subscription_versions::Entity>(&name, row).await?;
        add_changes(mirror, subscription, id, &name, state.currency.as_ref(), &worth).await?;
        changed = true;
    }
    Ok(changed)
}

/// Adds the later values of the state that the version `id` records.
async fn add_changes(
    mirror: &mut Mirror<'_>,
    subscription: &subscriptions::Model,
    id: Uuid,
    name: &str,
    currency: Option<&String>,
    worth: &Yearly,
) -> Result<()> {
    for (at, worth) in &worth.changes {
        let row = subscription_arr_changes::Model {
            id: mirror.txn.new_id(),
            account_id: subscription.account_id,
            subscription_version_id: id,
            effective_at: microseconds(*at).fixed_offset(),
            currency: currency.cloned(),
            arr_minor: worth.arr_minor,
            discounted_arr_minor: worth.discounted_arr_minor,
        };
        let name = format!("{name}:{}", at.to_rfc3339());
        mirror.add::<subscription_arr_changes::Entity>(&name, row).await?;
    }
    Ok(())
}

fn changes_the_same(written: &[subscription_arr_changes::Model], worth: &Yearly) -> bool {
    let written = written.iter().map(|row| (row.effective_at.to_utc(), row.arr_minor, row.discounted_arr_minor));
    let wanted = worth.changes.iter();
    written.eq(wanted.map(|(at, worth)| (microseconds(*at), worth.arr_minor, worth.discounted_arr_minor)))
}

fn says_the_same(one: &subscription_versions::Model, other: &subscription_versions::Model) -> bool {
    // Several events may carry one content: the first one stays the recorded cause.
    let content = |version: &subscription_versions::Model| subscription_versions::Model {
        id: other.id,
        recorded_at: other.recorded_at,
        inbox_event_id: None,
        ..version.clone()
    };
    content(one) == content(other)
}

fn version(
    mirror: &Mirror<'_>,
    subscription: &subscriptions::Model,
    state: &ObservedState,
    known: &HashMap<String, KnownPrice>,
    worth: &Yearly,
) -> subscription_versions::Model {
    let plan = plan_item(&state.items, known);
    subscription_versions::Model {
        id: mirror.txn.new_id(),
        account_id: subscription.account_id,
        subscription_id: subscription.id,
        effective_at: microseconds(state.effective_at).fixed_offset(),
        recorded_at: mirror.txn.now().fixed_offset(),
        status: state.status.to_string(),
        paused: state.paused,
        product_version_id: plan.map(|(_, price)| price.product_version_id),
        items: items_json(state, known),
        discount: discounts_json(&state.discounts),
        currency: state.currency.clone(),
        arr_minor: worth.at_start.arr_minor,
        discounted_arr_minor: worth.at_start.discounted_arr_minor,
        cause: state.cause.clone(),
        inbox_event_id: Some(state.inbox_event_id),
    }
}

/// Truncates to microseconds, as both engines store them.
fn microseconds(at: DateTime<Utc>) -> DateTime<Utc> {
    at.duration_trunc(TimeDelta::microseconds(1)).unwrap_or(at)
}
