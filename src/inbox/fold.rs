//! Folds the versions of an object into its row of `provider_objects`.

use super::fetch;
use super::json::at;
use super::kinds::{DECIDING_KINDS, ObjectKind};
use super::lock::LockKey;
use super::newest::newest;
use super::object::{Object, References};
use super::store::Store;
use super::version::{Change, ObjectVersion};
use crate::db::Mirror;
use crate::error::Result;
use chrono::{DateTime, Utc};
use entity::{inbox_events, provider_objects};
use sea_orm::ActiveValue::Set;
use serde_json::Value;
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// An object in its newest version.
#[derive(Debug)]
pub(super) struct Folded {
    pub(super) object: Object,
    /// True if the amounts that depend on it may be others than before.
    pub(super) changes_amounts: bool,
}

/// Stores the newest version of an object and returns the object; `None` if there is no version. `known` is its row.
pub(super) async fn fold(
    store: Store<'_>,
    mirror: &mut Mirror<'_>,
    (kind, object_id): (ObjectKind, &str),
    known: Option<provider_objects::Model>,
    versions: &[ObjectVersion],
) -> Result<Option<Folded>> {
    let newest_known = known.as_ref().map(|row| row.occurred_at.to_utc());
    let stored = match is_news(store, versions, newest_known) {
        true => shown(store, versions),
        false => stored_newest(store, kind, object_id).await?,
    };
    // An object of which only the deletion is known is kept as the deletion shows it.
    let Some(winner) = newest(&stored).or_else(|| newest(versions)) else {
        let known = known.map(|row| Object::from_row(kind, row));
        return Ok(known.map(|object| Folded { object, changes_amounts: false }));
    };
    let payload = with_expansions(store, object_id, kind, winner).await?;
    let terms = |payload: &Value| {
        let fields = store.provider.terms(kind).iter();
        fields.map(|field| at(payload, field).clone()).collect::<Vec<_>>()
    };
    let changes_amounts = known.as_ref().is_none_or(|known| terms(&known.payload) != terms(&payload));
    let mut references = references(store, (kind, object_id), (winner, versions), known.as_ref()).await?;
    // Refunds and disputes may name a charge alone, and belong to its payment.
    if matches!(kind, ObjectKind::Refund | ObjectKind::Dispute) {
        references.payment = payment_of_charge(store, &references).await?;
    }
    let is_deletion = |version: &ObjectVersion| version.change == Change::Deletion;
    let deleted = known.as_ref().is_some_and(|row| row.deleted) || versions.iter().chain(&stored).any(is_deletion);
    let row = provider_objects::ActiveModel {
        id: Set(store.txn.new_id()),
        provider: Set(store.provider.name().to_owned()),
        external_id: Set(object_id.to_owned()),
        kind: Set(store.provider.kind_name(kind).to_owned()),
        api_version: Set(winner.api_version.clone()),
        payload: Set(payload),
        deleted: Set(deleted),
        occurred_at: Set(winner.occurred_at.fixed_offset()),
        inbox_event_id: Set(winner.event_id),
        customer: Set(references.customer),
        subscription: Set(references.subscription),
        invoice: Set(references.invoice),
        payment: Set(references.payment),
        charge: Set(references.charge),
        product: Set(references.product),
        promotion_code: Set(references.promotion_code),
        updated_at: Set(store.txn.now().fixed_offset()),
    };
    let kept = mirror.write::<provider_objects::Entity>(object_id, known, row).await?;
    Ok(Some(Folded { object: Object::from_row(kind, kept.row), changes_amounts }))
}

/// Returns the newest version of an object, with the fields that come only where they were expanded from the newest
/// version that has them.
async fn with_expansions(store: Store<'_>, object_id: &str, kind: ObjectKind, winner: &ObjectVersion) -> Result<Value> {
    let mut payload = winner.object.clone();
    let fields = store.provider.expanded_fields(kind);
    let is_missing = |payload: &Value, field: &str| payload.get(field).is_none();
    if fields.iter().all(|field| !is_missing(&payload, field)) {
        return Ok(payload);
    }
    let events = store.history(kind, object_id).await?.into_iter().rev();
    let versions: Vec<_> = events.map(|event| ObjectVersion::read(store.provider, event)).collect();
    for field in fields.iter().filter(|field| is_missing(&winner.object, field)) {
        let of_kind = versions.iter().filter(|version| version.kind == Some(kind));
        if let Some(value) = of_kind.filter_map(|version| version.object.get(field)).next() {
            payload[field] = value.clone();
        }
    }
    Ok(payload)
}

/// Returns true if one of the versions is newer than all that were applied before, so that the newest is among them.
fn is_news(store: Store<'_>, versions: &[ObjectVersion], newest_known: Option<DateTime<Utc>>) -> bool {
    let last = shown(store, versions).iter().map(|version| version.occurred_at).max();
    last.is_some_and(|last| newest_known.is_none_or(|known| last > known))
}

/// Returns the versions that show the object, and not just its deletion.
fn shown(store: Store<'_>, versions: &[ObjectVersion]) -> Vec<ObjectVersion> {
    let bare = store.provider.bare_deletions();
    versions.iter().filter(|version| !bare.contains(&version.event_type.as_str())).cloned().collect()
}

/// Returns the references of an object: those of its newest version, and for the missing ones those of the versions
/// before, the newest first.
async fn references(
    store: Store<'_>,
    (kind, object_id): (ObjectKind, &str),
    (winner, versions): (&ObjectVersion, &[ObjectVersion]),
    known: Option<&provider_objects::Model>,
) -> Result<References> {
    let of_version = |version: &ObjectVersion| store.provider.references(kind, &version.object);
    let newest = of_version(winner);
    let of_known = known.map(|row| Object::from_row(kind, row.clone()).references);
    let others: Vec<References> = versions.iter().map(of_version).chain(of_known).collect();
    if !newest.is_ambiguous(&others) {
        return Ok(others.into_iter().fold(newest, References::or));
    }
    let events = store.history(kind, object_id).await?.into_iter();
    let mut all: Vec<_> = events.map(|event| ObjectVersion::read(store.provider, event)).collect();
    all.retain(|version| version.kind == Some(kind));
    all.sort_by_cached_key(|version| {
        let is_creation = version.change == Change::Creation;
        Reverse((version.occurred_at, !is_creation, version.progress, version.event_external_id.clone()))
    });
    Ok(all.iter().map(of_version).fold(newest, References::or))
}

/// Returns the locks of the object, of all objects that its versions refer to, and of those that decide on its amounts.
pub(super) fn locks(
    store: Store<'_>,
    kind: ObjectKind,
    object_id: &str,
    versions: &[ObjectVersion],
) -> BTreeSet<LockKey> {
    let mut locks = BTreeSet::from([kind.lock(object_id)]);
    for version in versions {
        locks.extend(store.provider.references(kind, &version.object).locks());
        // An object that decides on amounts and is not here yet is not applied before the commit, and so finds the
        // others.
        if matches!(kind, ObjectKind::Subscription | ObjectKind::Discount) {
            let deciding = store.provider.needed_by(&version.object);
            locks.extend(deciding.iter().flat_map(|id| DECIDING_KINDS.map(|kind| kind.lock(id))));
        }
    }
    locks
}

/// Returns true if the newest known version shows the same state as a fetched one.
pub(super) async fn is_known(
    store: Store<'_>,
    kind: ObjectKind,
    object_id: &str,
    row: &inbox_events::Model,
) -> Result<bool> {
    let fetched = ObjectVersion::read(store.provider, row.clone());
    if fetched.change == Change::Deletion {
        return Ok(store.row(kind, object_id).await?.is_some_and(|row| row.deleted));
    }
    let stored = stored_newest(store, kind, object_id).await?;
    Ok(newest(&stored).is_some_and(|known| fetch::is_same(&known.object, &fetched.object)))
}

/// Returns the versions of the newest instant that the inbox has, except for bare deletions.
async fn stored_newest(store: Store<'_>, kind: ObjectKind, object_id: &str) -> Result<Vec<ObjectVersion>> {
    let events = store.newest(kind, object_id, store.provider.bare_deletions()).await?;
    let read = |events: Vec<inbox_events::Model>| -> Vec<ObjectVersion> {
        let versions = events.into_iter().map(|event| ObjectVersion::read(store.provider, event));
        versions.filter(|version| version.kind == Some(kind)).collect()
    };
    let is_empty = events.is_empty();
    let versions = read(events);
    if !versions.is_empty() || is_empty {
        return Ok(versions);
    }
    // An older version applied events of types that this one does not know.
    Ok(shown(store, &read(store.history(kind, object_id).await?)))
}

/// Returns the payment of a part of a charge: the one that it names, else that of the charge. A charge without an
/// intent is a payment by itself, and a charge that is not here yet is taken for one until it comes.
async fn payment_of_charge(store: Store<'_>, references: &References) -> Result<Option<String>> {
    let names_charge = |charge: &&String| references.payment.as_ref().is_none_or(|payment| payment == *charge);
    let Some(charge) = references.charge.as_ref().filter(names_charge) else {
        return Ok(references.payment.clone());
    };
    let payment = store.object(ObjectKind::Charge, charge).await?.and_then(|charge| charge.references.payment);
    Ok(payment.or_else(|| Some(charge.clone())))
}
