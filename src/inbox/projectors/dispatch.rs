//! Projects every record that depends on an object.

use super::context::{Blocked, NAMING_KINDS, Outcome, Projection};
use super::{catalogue, discounts, money, subscriptions};
use crate::accounts::account_of_customer;
use crate::error::Result;
use crate::inbox::kinds::{DependentId, ObjectKind, RecordKey, RecordKind};
use crate::inbox::object::Object;
use crate::inbox::wait_key::WaitKey;
use crate::providers::Provider;

/// Projects every record that depends on `object`, and the records that depend on those.
pub(in crate::inbox) async fn project(mut ctx: Projection<'_, '_>, object: &Object) -> Result<Outcome> {
    let is_paid_by_intent = object.references.payment.as_ref() != Some(&object.external_id);
    if object.kind == ObjectKind::Charge && is_paid_by_intent {
        // Objects that name the charge alone did not know its payment.
        ctx.wake(WaitKey::Object(object.external_id.clone())).await?;
    }
    ctx.applied = Some(object.clone());
    let own = dependents(&ctx, object).await?;
    ctx.queue.extend(own.iter().cloned());
    let customer = customer_to_name(&mut ctx, object).await?;
    ctx.queue.extend(customer);
    ctx.queue.extend(discounts::discounted(&ctx, object).await?);
    let mut waits_for = None;
    while let Some(record) = ctx.queue.pop_first() {
        match project_record(&mut ctx, &record).await {
            Ok(()) => {}
            Err(Blocked::Failed(error)) => return Err(error),
            Err(Blocked::WaitsFor(key)) if own.contains(&record) => waits_for = waits_for.or(Some(key)),
            Err(Blocked::WaitsFor(_)) => {}
        }
    }
    let doubt = ctx.doubt.filter(|doubt| doubt.object_id == object.external_id).map(|doubt| doubt.note);
    let note = ctx.note.or_else(|| doubt.clone());
    Ok(Outcome { waits_for, note, doubt })
}

/// Returns the records that depend on `object`, by its entry in the provider's table of kinds.
async fn dependents(ctx: &Projection<'_, '_>, object: &Object) -> Result<Vec<RecordKey>> {
    let records = ctx.store.provider.kind_entry(object.kind).map_or(&[][..], |entry| entry.records);
    let mut keys = Vec::new();
    for dependent in records {
        let ids = match dependent.id {
            DependentId::Own => vec![object.external_id.clone()],
            DependentId::Of(reference) => object.references.get(reference).map(str::to_owned).into_iter().collect(),
            DependentId::Referencing(reference, kind) => {
                let found = ctx.store.referencing(reference, &object.external_id, &[kind]).await?;
                found.into_iter().map(|object| object.external_id).collect()
            }
        };
        keys.extend(ids.into_iter().map(|id| RecordKey { kind: dependent.record, id }));
    }
    Ok(keys)
}

/// Returns the customer of an object that names its owner, where nothing named one before, or named another.
async fn customer_to_name(ctx: &mut Projection<'_, '_>, object: &Object) -> Result<Option<RecordKey>> {
    let provider = ctx.store.provider;
    let names_owner = NAMING_KINDS.contains(&object.kind)
        && (provider.user(object).is_some() || provider.account(object).is_some() || provider.claim(object).is_some());
    let Some(customer) = object.references.customer.as_deref().filter(|_| names_owner) else { return Ok(None) };
    let known = account_of_customer(ctx.store.txn, provider.name(), customer).await?;
    // At Stripe all objects of a customer come from one checkout or from a server, and agree.
    let is_open = match provider {
        Provider::Stripe => known.is_none(),
        Provider::Paddle => {
            let named = ctx.account_named_by(object).await?;
            if named.is_some() {
                // The subscription that this transaction started, whose own reference had expired.
                ctx.wake(WaitKey::Owner(customer.to_owned())).await?;
            }
            named.is_some_and(|named| known != Some(named))
        }
    };
    Ok(is_open.then(|| RecordKey { kind: RecordKind::Customer, id: customer.to_owned() }))
}

/// Locks a record and projects it.
async fn project_record(ctx: &mut Projection<'_, '_>, RecordKey { kind, id }: &RecordKey) -> Result<(), Blocked> {
    ctx.lock(kind.lock(id)).await?;
    match kind {
        RecordKind::Customer => catalogue::project_customer(ctx, id).await,
        RecordKind::Price => catalogue::project_price(ctx, id).await,
        RecordKind::Coupon => catalogue::project_coupon(ctx, id).await,
        RecordKind::PromoCode => catalogue::project_promo_code(ctx, id).await,
        RecordKind::Subscription => subscriptions::project_subscription(ctx, id).await,
        RecordKind::Redemption => catalogue::project_redemption(ctx, id).await,
        RecordKind::Invoice => money::project_invoice(ctx, id).await,
        RecordKind::Payment => money::project_payment(ctx, id).await,
        RecordKind::Purchase => money::project_purchase(ctx, id).await,
        RecordKind::Licences => money::project_licences(ctx, id).await,
        RecordKind::Gift => money::project_gift(ctx, id).await,
    }
}
