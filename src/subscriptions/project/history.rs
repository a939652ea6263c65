//! The history of a subscription's states. Rows are never changed: a correction is a later row with the same effective
//! time.

use super::arr::yearly;
use super::observed::{ObservedDiscount, ObservedItem, ObservedState};
use super::plan::plan_item;
use crate::db::Mirror;
use crate::error::Result;
use crate::plans::KnownPrice;
use crate::subscriptions::store::mirror as store;
use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use entity::{subscription_versions, subscriptions};
use serde_json::{Value, json};
use std::collections::HashMap;
use uuid::Uuid;

/// Adds the states that are missing or recorded differently, and returns whether there were any.
pub(super) async fn project_history(
    mirror: &mut Mirror<'_>,
    subscription: &subscriptions::Model,
    history: &[ObservedState],
    known: &HashMap<String, KnownPrice>,
) -> Result<bool> {
    let written = store::versions(mirror.txn, subscription.id).await?;
    // The rows come in the order of recording, so that the valid one of each effective time stays in the map.
    let valid: HashMap<_, _> = written.iter().map(|version| (version.effective_at, version)).collect();
    let mut changed = false;
    for state in history {
        let wanted = version(mirror, subscription, state, known);
        let before = valid.get(&wanted.effective_at).copied();
        if before.is_some_and(|before| says_the_same(before, &wanted)) {
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
        mirror.add::<subscription_versions::Entity>(&name, row).await?;
        changed = true;
    }
    Ok(changed)
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
) -> subscription_versions::Model {
    let plan = plan_item(&state.items, known);
    let worth = yearly(state, plan.map(|(item, _)| item), known);
    subscription_versions::Model {
        id: mirror.txn.new_id(),
        account_id: subscription.account_id,
        subscription_id: subscription.id,
        effective_at: microseconds(state.effective_at).fixed_offset(),
        recorded_at: mirror.txn.now().fixed_offset(),
        status: state.status.to_string(),
        paused: state.paused,
        product_version_id: plan.map(|(_, price)| price.product_version_id),
        items: state.items.iter().map(|item| item_json(item, known)).collect(),
        discount: discount_json(&state.discounts),
        currency: worth.currency,
        arr_minor: worth.arr_minor,
        discounted_arr_minor: worth.discounted_arr_minor,
        cause: state.cause.clone(),
        inbox_event_id: Some(state.inbox_event_id),
    }
}

/// Truncates to microseconds, as both engines store them.
fn microseconds(at: DateTime<Utc>) -> DateTime<Utc> {
    at.duration_trunc(TimeDelta::microseconds(1)).unwrap_or(at)
}

fn item_json(item: &ObservedItem, known: &HashMap<String, KnownPrice>) -> Value {
    json!({
        "externalId": item.external_id,
        "priceId": known.get(&item.price_external_id).and_then(|price| price.price_id),
        "priceExternalId": item.price_external_id,
        "quantity": item.quantity,
        "metered": item.metered,
        "currency": item.currency,
        "unitAmountMinor": item.unit_amount_minor,
        "interval": item.interval,
        "intervalCount": item.interval_count,
    })
}

/// Returns the discount, a list of several, or `None` if there is none.
fn discount_json(discounts: &[ObservedDiscount]) -> Option<Value> {
    let one = |discount: &ObservedDiscount| {
        json!({
            "couponExternalId": discount.coupon_external_id,
            "duration": discount.duration,
            "percentBasisPoints": discount.percent_basis_points,
            "amountOffMinor": discount.amount_off_minor,
            "startsAt": discount.starts_at,
            "endsAt": discount.ends_at,
        })
    };
    match discounts {
        [] => None,
        [discount] => Some(one(discount)),
        several => Some(several.iter().map(one).collect()),
    }
}
