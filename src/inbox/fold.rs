//! Folds the versions of an object into its row of `provider_objects`.

use super::fetch;
use super::kinds::ObjectKind;
use super::newest::newest;
use super::object::{Object, References};
use super::store::Store;
use super::version::{Change, ObjectVersion};
use crate::db::Mirror;
use crate::error::Result;
use entity::{inbox_events, provider_objects};
use sea_orm::ActiveValue::Set;
use std::collections::BTreeSet;

/// Stores the newest version of an object and returns the object; `None` if there is no version.
pub(super) async fn fold(
    store: Store<'_>,
    mirror: &mut Mirror<'_>,
    object_id: &str,
    kind: ObjectKind,
    versions: &[ObjectVersion],
) -> Result<Option<Object>> {
    let known = store.row(object_id).await?;
    let stored = stored_newest(store, object_id).await?;
    // An object of which only the deletion is known is kept as the deletion shows it.
    let Some(winner) = newest(&stored).or_else(|| newest(versions)) else {
        return Ok(known.map(|row| Object::from_row(kind, row)));
    };
    let of_version = |version: &ObjectVersion| store.provider.references(kind, &version.object);
    let of_known = known.clone().map(|row| Object::from_row(kind, row).references);
    let older = versions.iter().rev().map(of_version).chain(of_known);
    let mut references = older.fold(of_version(winner), References::or);
    // Refunds and disputes may name a charge alone, and belong to its payment.
    if matches!(kind, ObjectKind::Refund | ObjectKind::Dispute) {
        references.payment = payment_of_charge(store, &references).await?;
    }
    let is_deletion = |version: &ObjectVersion| version.change == Change::Deletion;
    let deleted = known.as_ref().is_some_and(|row| row.deleted) || versions.iter().chain(&stored).any(is_deletion);
    let name = store.provider.kind_entry(kind).map_or_else(String::new, |entry| entry.name.to_owned());
    let row = provider_objects::ActiveModel {
        id: Set(store.txn.new_id()),
        provider: Set(store.provider.name().to_owned()),
        external_id: Set(object_id.to_owned()),
        kind: Set(name),
        api_version: Set(winner.api_version.clone()),
        payload: Set(winner.object.clone()),
        deleted: Set(deleted),
        occurred_at: Set(winner.occurred_at.fixed_offset()),
        inbox_event_id: Set(winner.event_id),
        customer: Set(references.customer),
        subscription: Set(references.subscription),
        invoice: Set(references.invoice),
        payment: Set(references.payment),
        charge: Set(references.charge),
        product: Set(references.product),
        updated_at: Set(store.txn.now().fixed_offset()),
    };
    let kept = mirror.write::<provider_objects::Entity>(object_id, known, row).await?;
    Ok(Some(Object::from_row(kind, kept.row)))
}

/// Returns the ids of the object and of all objects that it refers to.
pub(super) async fn ids_to_lock(
    store: Store<'_>,
    object_id: &str,
    versions: &[ObjectVersion],
) -> Result<BTreeSet<String>> {
    let known = store.object(object_id).await?.map(|object| object.references);
    let of_version =
        |version: &ObjectVersion| version.kind.map(|kind| store.provider.references(kind, &version.object));
    let references = known.into_iter().chain(versions.iter().filter_map(of_version));
    Ok(references.flat_map(References::into_ids).chain([object_id.to_owned()]).collect())
}

/// Returns true if the newest known version shows the same state as a fetched one.
pub(super) async fn is_known(store: Store<'_>, object_id: &str, row: &inbox_events::Model) -> Result<bool> {
    let fetched = ObjectVersion::read(store.provider, row.clone());
    if fetched.change == Change::Deletion {
        return Ok(store.row(object_id).await?.is_some_and(|row| row.deleted));
    }
    let stored = stored_newest(store, object_id).await?;
    Ok(newest(&stored).is_some_and(|known| fetch::is_same(&known.object, &fetched.object)))
}

/// Returns the versions of the newest instant that the inbox has, except for bare deletions.
async fn stored_newest(store: Store<'_>, object_id: &str) -> Result<Vec<ObjectVersion>> {
    let events = store.newest(object_id, store.provider.bare_deletions()).await?;
    Ok(events.into_iter().map(|event| ObjectVersion::read(store.provider, event)).collect())
}

/// Returns the payment of a part of a charge: the one that it names, else that of the charge. A charge without an
/// intent is a payment by itself, and a charge that is not here yet is taken for one until it comes.
async fn payment_of_charge(store: Store<'_>, references: &References) -> Result<Option<String>> {
    let names_charge = |charge: &&String| references.payment.as_ref().is_none_or(|payment| payment == *charge);
    let Some(charge) = references.charge.as_ref().filter(names_charge) else {
        return Ok(references.payment.clone());
    };
    let payment = store.object(charge).await?.and_then(|charge| charge.references.payment);
    Ok(payment.or_else(|| Some(charge.clone())))
}
