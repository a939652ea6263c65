//! Finds the objects that decide on the amounts of a subscription: its schedules, the discounts of it, of its items and
//! of its customer, their coupons, and its prices in other currencies.

use super::context::Projection;
use super::versions::{self, Versions};
use crate::error::Result;
use crate::inbox::kinds::{DECIDING_KINDS, ObjectKind, RecordKey, RecordKind, Reference};
use crate::inbox::newest::newest;
use crate::inbox::object::Object;
use crate::inbox::stripe;
use crate::providers::Provider;
use crate::subscriptions::{self, DiscountScope, ObservedState, SubscriptionStatus};
use chrono::{DateTime, Utc};
use std::collections::{BTreeSet, HashMap};

/// Returns the objects that decide on the amounts of a subscription, newest versions first, also those that are only
/// inside one of its `versions`.
pub(super) async fn related(
    ctx: &Projection<'_, '_>,
    subscription: &Object,
    Versions { list: versions, since }: &Versions,
) -> Result<Vec<Object>> {
    let (store, id) = (ctx.store, subscription.external_id.as_str());
    let kinds = [ObjectKind::SubscriptionSchedule, ObjectKind::Discount];
    let mut related = store.referencing(Reference::Subscription, id, &kinds).await?;
    let mut stored: BTreeSet<String> = related.iter().map(|object| object.external_id.clone()).collect();
    if store.provider == Provider::Stripe
        && let Some(customer) = &subscription.references.customer
    {
        related.extend(of_customer(ctx, customer, *since).await?);
    }
    let payloads = versions.iter().map(|version| &version.object).chain([&subscription.payload]);
    let mut needed: BTreeSet<String> = payloads.flat_map(|payload| store.provider.needed_by(payload)).collect();
    for _ in 0..2 {
        // A discount that is known only now names its coupon.
        needed.extend(related.iter().filter_map(|object| stripe::coupon_of(&object.payload)));
        needed.retain(|id| !stored.contains(id));
        if needed.is_empty() {
            break;
        }
        let ids: Vec<String> = needed.iter().cloned().collect();
        related.extend(store.objects_of(&DECIDING_KINDS, &ids).await?);
        stored.append(&mut needed);
    }
    let newest_first = versions.iter().rev().map(|version| version.to_object(ObjectKind::Subscription, id));
    related.extend(newest_first.flat_map(|version| store.provider.embedded(&version)));
    Ok(related)
}

/// Returns the discounts of a customer, present and past: those that came as objects of their own, and those inside the
/// customer's versions, which are deleted from the first version without them. Those that ended before `since` may be
/// missing.
async fn of_customer(ctx: &Projection<'_, '_>, customer: &str, since: Option<DateTime<Utc>>) -> Result<Vec<Object>> {
    let mut found = ctx.store.referencing(Reference::Customer, customer, &[ObjectKind::Discount]).await?;
    found.retain(stripe::is_of_customer);
    let versions = versions::of(ctx, ObjectKind::Customer, customer, since).await?;
    let mut inside: HashMap<String, Object> = HashMap::new();
    for chunk in versions.chunk_by(|one, other| one.occurred_at == other.occurred_at) {
        let Some(last) = newest(chunk) else { continue };
        let shown = ctx.store.provider.embedded(&last.to_object(ObjectKind::Customer, customer));
        for object in inside.values_mut().filter(|object| !object.deleted) {
            if shown.iter().all(|shown| shown.external_id != object.external_id) {
                (object.deleted, object.occurred_at) = (true, last.occurred_at);
            }
        }
        inside.extend(shown.into_iter().map(|object| (object.external_id.clone(), object)));
    }
    // Coupons do not end with the discounts that they gave.
    let (discounts, mut coupons): (Vec<_>, Vec<_>) =
        inside.into_values().partition(|object| object.kind == ObjectKind::Discount);
    coupons.iter_mut().for_each(|coupon| coupon.deleted = false);
    found.extend(discounts.into_iter().chain(coupons));
    found.sort_by(|one, other| (other.occurred_at, &other.external_id).cmp(&(one.occurred_at, &one.external_id)));
    Ok(found)
}

/// Removes the discounts of the customer that do not count while a state lasts, up to `end`.
pub(super) fn keep_in_force(state: &mut ObservedState, end: Option<DateTime<Utc>>) {
    let is_over = matches!(state.status, SubscriptionStatus::Canceled | SubscriptionStatus::IncompleteExpired);
    let start = state.effective_at;
    state.discounts.retain(|discount| {
        let begins = discount.starts_at.is_none_or(|at| end.is_none_or(|end| at < end));
        let lasts = discount.ends_at.is_none_or(|at| at > start);
        discount.scope != DiscountScope::Customer || (begins && lasts && !is_over)
    });
}

/// Returns the subscriptions whose amounts depend on an object: a discount, or a customer with a discount.
pub(super) async fn discounted(ctx: &Projection<'_, '_>, object: &Object) -> Result<Vec<RecordKey>> {
    let store = ctx.store;
    let mut ids = Vec::new();
    if object.kind == ObjectKind::Discount {
        ids = subscriptions::discounted_by(store.txn, store.provider.name(), &object.external_id).await?;
    }
    let is_of_customer = match object.kind {
        _ if store.provider != Provider::Stripe => false,
        ObjectKind::Discount => stripe::is_of_customer(object),
        ObjectKind::Customer => !of_customer(ctx, &object.external_id, ctx.since).await?.is_empty(),
        _ => false,
    };
    if let Some(customer) = object.references.customer.as_ref().filter(|_| is_of_customer) {
        let held = store.referencing(Reference::Customer, customer, &[ObjectKind::Subscription]).await?;
        ids.extend(held.into_iter().map(|subscription| subscription.external_id));
    }
    Ok(ids.into_iter().map(|id| RecordKey { kind: RecordKind::Subscription, id }).collect())
}
