//! Projects subscriptions with their whole history.

use super::context::{Blocked, Projection};
use crate::error::Result;
use crate::inbox::kinds::{ObjectKind, RecordKind, Reference};
use crate::inbox::newest::newest;
use crate::inbox::object::{Object, References};
use crate::inbox::stripe;
use crate::inbox::version::ObjectVersion;
use crate::subscriptions::ObservedState;
use crate::{gifts, plans, subscriptions};

pub(super) async fn project_subscription(ctx: &mut Projection<'_, '_>, id: &str) -> Result<(), Blocked> {
    let object = ctx.object(id).await?;
    let related = related(ctx, id).await?;
    let Some(mut subscription) = ctx.store.provider.read_subscription(&object, &related) else { return Ok(()) };
    let sessions = ctx.store.referencing(Reference::Subscription, id, &[ObjectKind::CheckoutSession]).await?;
    let objects: Vec<&Object> = [&object].into_iter().chain(&sessions).collect();
    let account_id = ctx.owner_of(&objects, id).await?;
    project_embedded_prices(ctx, &object).await?;
    let history = history(ctx, id, &related).await?;
    let since = history.iter().rev().take_while(|state| state.paused).last().map(|state| state.effective_at);
    subscription.paused_at = subscription.paused_at.or(since);
    let mirrored = subscriptions::project_subscription(ctx.mirror, account_id, &subscription, &history).await?;
    if let Some(gift_id) = stripe::gift(&object) {
        gifts::note_subscription(ctx.mirror, gift_id, account_id, (mirrored.row.id, id)).await?;
    }
    if mirrored.row.product_version_id.is_none() {
        let prices = subscription.items.iter().map(|item| item.price_external_id.as_str()).collect::<Vec<_>>();
        ctx.note = Some(format!("No plan is known for the price {}, so nothing is granted.", prices.join(", ")));
    }
    if mirrored.new {
        let kinds = [ObjectKind::Invoice, ObjectKind::Transaction];
        for invoice in ctx.store.referencing(Reference::Subscription, id, &kinds).await? {
            ctx.enqueue(RecordKind::Invoice, &invoice.external_id);
        }
        ctx.wake_dependents(id).await?;
    }
    Ok(())
}

/// Returns the schedules and discounts of a subscription, and the coupons of these.
async fn related(ctx: &Projection<'_, '_>, id: &str) -> Result<Vec<Object>> {
    let kinds = [ObjectKind::SubscriptionSchedule, ObjectKind::Discount];
    let mut related = ctx.store.referencing(Reference::Subscription, id, &kinds).await?;
    let coupons: Vec<String> = related.iter().filter_map(|object| stripe::coupon_of(&object.payload)).collect();
    related.extend(ctx.store.objects_of(&coupons).await?);
    Ok(related)
}

/// Projects the prices inside an object that have not arrived as objects of their own.
async fn project_embedded_prices(ctx: &mut Projection<'_, '_>, object: &Object) -> Result<()> {
    for (price, product) in ctx.store.provider.embedded_prices(object) {
        if ctx.store.object(&price.external_id).await?.is_some() {
            continue;
        }
        if let Some(price) = ctx.store.provider.read_price(&price, product.as_ref()) {
            plans::project_price(ctx.mirror, &price).await?;
        }
    }
    Ok(())
}

/// Returns every state that a subscription was in: the last of each instant.
async fn history(ctx: &Projection<'_, '_>, id: &str, related: &[Object]) -> Result<Vec<ObservedState>> {
    let provider = ctx.store.provider;
    let events = ctx.store.history(id).await?.into_iter();
    let versions: Vec<_> = events.map(|event| ObjectVersion::read(provider, event)).collect();
    let states = versions.chunk_by(|one, other| one.occurred_at == other.occurred_at).filter_map(|chunk| {
        let last = newest(chunk)?;
        let state = provider.read_state(&object_of(id, last), related)?;
        Some(ObservedState {
            effective_at: last.occurred_at,
            status: state.status,
            paused: state.paused,
            items: state.items,
            discounts: state.discounts,
            cause: last.event_type.clone(),
            inbox_event_id: last.event_id,
        })
    });
    Ok(states.collect())
}

/// Returns a subscription as an event shows it.
fn object_of(id: &str, version: &ObjectVersion) -> Object {
    Object {
        kind: ObjectKind::Subscription,
        external_id: id.to_owned(),
        api_version: version.api_version.clone(),
        payload: version.object.clone(),
        deleted: false,
        occurred_at: version.occurred_at,
        references: References::default(),
    }
}
