//! The discounts that a subscription has or had.

use super::observed::{DiscountOff, ObservedDiscount, ObservedState};
use crate::db::Mirror;
use crate::error::Result;
use crate::subscriptions::store::discounts as store;
use chrono::{DateTime, Utc};
use entity::{subscription_discounts, subscriptions};
use sea_orm::ActiveValue::Set;
use serde_json::json;
use std::collections::HashMap;

/// Updates the discounts to those of the history, and returns whether anything changed.
pub(super) async fn project_discounts(
    mirror: &mut Mirror<'_>,
    subscription: &subscriptions::Model,
    history: &[ObservedState],
) -> Result<bool> {
    let mut before: HashMap<_, _> = store::of_subscription(mirror.txn, subscription.id)
        .await?
        .into_iter()
        .map(|row| (row.external_id.clone(), row))
        .collect();
    let mut changed = false;
    for (discount, ends_at) in given(history) {
        let found = before.remove(&discount.external_id);
        let created_at = found.as_ref().map_or(mirror.txn.now().fixed_offset(), |found| found.created_at);
        let terms = discount.terms.as_ref();
        let amount = match terms.map(|terms| &terms.off) {
            Some(DiscountOff::Amount { minor, currency, per_unit }) => Some((*minor, currency.clone(), *per_unit)),
            _ => None,
        };
        let wanted = subscription_discounts::ActiveModel {
            id: Set(mirror.txn.new_id()),
            account_id: Set(subscription.account_id),
            subscription_id: Set(subscription.id),
            external_id: Set(discount.external_id.clone()),
            scope: Set(discount.scope.to_string()),
            item_external_id: Set(discount.item_external_id.clone()),
            products: Set(discount.products.as_ref().map(|products| json!(products))),
            coupon_external_id: Set(discount.coupon_external_id.clone()),
            duration: Set(terms.map(|terms| terms.duration.to_string())),
            percent_basis_points: Set(terms.and_then(|terms| terms.off.basis_points())),
            amount_off_minor: Set(amount.as_ref().map(|(minor, ..)| (*minor).max(0))),
            currency: Set(amount.as_ref().map(|(_, currency, _)| currency.clone())),
            per_unit: Set(amount.is_some_and(|(.., per_unit)| per_unit)),
            starts_at: Set(discount.starts_at.map(|at| at.fixed_offset())),
            ends_at: Set(ends_at.map(|at| at.fixed_offset())),
            created_at: Set(created_at),
        };
        let name = format!("{}:{}", subscription.external_id, discount.external_id);
        changed |= mirror.write::<subscription_discounts::Entity>(&name, found, wanted).await?.changed;
    }
    for (external_id, row) in before {
        store::delete(mirror.txn, row.id).await?;
        let name = format!("{}:{external_id}", subscription.external_id);
        mirror.removed::<subscription_discounts::Entity>(&name, &row);
        changed = true;
    }
    Ok(changed)
}

/// Returns each discount of a history as the last state with it shows it, and its end: that of the discount, or the
/// beginning of the first state without it.
fn given(history: &[ObservedState]) -> Vec<(&ObservedDiscount, Option<DateTime<Utc>>)> {
    let mut given: Vec<(&ObservedDiscount, Option<DateTime<Utc>>)> = Vec::new();
    for (index, state) in history.iter().enumerate() {
        for discount in &state.discounts {
            let next = history
                .get(index + 1)
                .filter(|next| next.discounts.iter().all(|kept| kept.external_id != discount.external_id));
            // The state after it has none of a customer's discounts that have ended by then.
            let removed_at = next.map(|next| next.effective_at);
            let ends_at = discount.ends_at.into_iter().chain(removed_at).min();
            given.retain(|(known, _)| known.external_id != discount.external_id);
            given.push((discount, ends_at));
        }
    }
    given
}
