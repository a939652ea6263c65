//! Projects subscriptions with their whole history.

use super::context::{Blocked, Projection};
use super::discounts;
use super::versions::Versions;
use crate::db::Difference;
use crate::error::Result;
use crate::inbox::kinds::{ObjectKind, RecordKind, Reference};
use crate::inbox::newest::newest;
use crate::inbox::object::Object;
use crate::inbox::stripe;
use crate::inbox::version::ObjectVersion;
use crate::subscriptions::{ObservedState, ObservedSubscription};
use crate::{credits, gifts, payments, plans, subscriptions};
use uuid::Uuid;

pub(super) async fn project_subscription(ctx: &mut Projection<'_, '_>, id: &str) -> Result<(), Blocked> {
    let object = ctx.object(&[ObjectKind::Subscription], id).await?;
    let versions = Versions::affected(ctx, &object).await?;
    let Some((mut subscription, mut history)) = read(ctx, &object, &versions).await? else { return Ok(()) };
    let origins = ctx.origins(&object).await?;
    let objects: Vec<&Object> = [&object].into_iter().chain(&origins).collect();
    let account_id = ctx.owner_of(&objects, id).await?;
    let before = ctx.mirror.differences().len();
    project_embedded_prices(ctx, &object).await?;
    let knows_more = ctx.mirror.differences().len() > before;
    if knows_more || !suffices(ctx, account_id, &history, &versions, id).await? {
        let versions = Versions::all(ctx, id).await?;
        let Some(whole) = read(ctx, &object, &versions).await? else { return Ok(()) };
        (subscription, history) = whole;
    }
    let since = history.iter().rev().take_while(|state| state.paused).last().map(|state| state.effective_at);
    subscription.paused_at = subscription.paused_at.or(since);
    let before = ctx.mirror.differences().len();
    let mirrored = subscriptions::project_subscription(ctx.mirror, account_id, &subscription, &history).await?;
    if let Some(gift_id) = stripe::gift(&object) {
        gifts::note_subscription(ctx.mirror, gift_id, account_id, (mirrored.row.id, id)).await?;
    }
    if let Some(note) = note(ctx, &mirrored.row, &subscription, history.last()).await? {
        ctx.note = Some(note);
    }
    // The goods of the prices decide on the stream of the payments.
    if ctx.mirror.differences()[before..].iter().any(is_of_price) {
        for payment in payments::for_subscription(ctx.store.txn, mirrored.row.id).await? {
            ctx.enqueue(RecordKind::Payment, &payment);
        }
    }
    if mirrored.changed {
        credits::note_plans(ctx.store.txn, account_id).await?;
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

/// Returns true for a difference in what an item of a subscription sells.
fn is_of_price(difference: &Difference) -> bool {
    let changed = difference.after.as_ref().is_some_and(|after| after.contains_key("price_id"));
    difference.table == "subscription_items" && changed
}

/// Returns a remark for admins on what is not known of a subscription.
async fn note(
    ctx: &Projection<'_, '_>,
    row: &entity::subscriptions::Model,
    observed: &ObservedSubscription,
    present: Option<&ObservedState>,
) -> Result<Option<String>> {
    if row.product_version_id.is_none() {
        let prices: Vec<String> = observed.items.iter().map(|item| item.price_external_id.clone()).collect();
        let known = plans::known_prices(ctx.store.txn, ctx.store.provider.name(), &prices).await?;
        // One that sells nothing but add-ons has no plan to be known.
        if prices.is_empty() || prices.iter().any(|price| !known.contains_key(price)) {
            let prices = prices.join(", ");
            return Ok(Some(format!("No plan is known for the price {prices}, so nothing is granted.")));
        }
    }
    let unknown = present.and_then(ObservedState::unknown_amount);
    Ok(unknown.map(|what| format!("{what}, so its recurring revenue is unknown.")))
}

/// Projects the prices inside an object that have not arrived as objects of their own.
async fn project_embedded_prices(ctx: &mut Projection<'_, '_>, object: &Object) -> Result<()> {
    for (price, product) in ctx.store.provider.embedded_prices(object) {
        if ctx.store.object(ObjectKind::Price, &price.external_id).await?.is_some() {
            continue;
        }
        if let Some(price) = ctx.store.provider.read_price(&price, product.as_ref()) {
            plans::project_price(ctx.mirror, &price).await?;
        }
    }
    Ok(())
}

/// Reads a subscription and the states that its versions show; `None` for one that cannot be read.
async fn read(
    ctx: &Projection<'_, '_>,
    object: &Object,
    versions: &Versions,
) -> Result<Option<(ObservedSubscription, Vec<ObservedState>)>> {
    let related = discounts::related(ctx, object, versions).await?;
    let Some(subscription) = ctx.store.provider.read_subscription(object, &related) else { return Ok(None) };
    Ok(Some((subscription, history(ctx, &object.external_id, &versions.list, &related))))
}

/// Returns true if no state is missing in `history` that its versions may change, or that the present one depends on.
async fn suffices(
    ctx: &Projection<'_, '_>,
    account_id: Uuid,
    history: &[ObservedState],
    versions: &Versions,
    id: &str,
) -> Result<bool> {
    let Some(since) = versions.since else { return Ok(true) };
    let is_preceded = history.first().is_some_and(|first| first.effective_at < since);
    let is_discounted = history.iter().any(|state| !state.discounts.is_empty());
    // A pause may have begun earlier.
    let is_paused = history.iter().all(|state| state.paused);
    let recorded = subscriptions::by_external_id(ctx.store.txn, ctx.store.provider.name(), id).await?;
    let is_moved = recorded.is_none_or(|recorded| recorded.account_id != account_id);
    Ok(is_preceded && !is_discounted && !is_paused && !is_moved)
}

/// Returns every state that a subscription was in: the last of each instant.
fn history(ctx: &Projection<'_, '_>, id: &str, versions: &[ObjectVersion], related: &[Object]) -> Vec<ObservedState> {
    let states = versions.chunk_by(|one, other| one.occurred_at == other.occurred_at).filter_map(|chunk| {
        let last = newest(chunk)?;
        let state = ctx.store.provider.read_state(&last.to_object(ObjectKind::Subscription, id), related)?;
        Some(ObservedState {
            effective_at: last.occurred_at,
            status: state.status,
            paused: state.paused,
            currency: state.currency,
            items: state.items,
            discounts: state.discounts,
            cause: last.event_type.clone(),
            inbox_event_id: last.event_id,
        })
    });
    let mut states: Vec<ObservedState> = states.collect();
    for index in 0..states.len() {
        let next = states.get(index + 1).map(|next| next.effective_at);
        discounts::keep_in_force(&mut states[index], next);
    }
    states
}
