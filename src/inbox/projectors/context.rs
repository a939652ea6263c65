//! The context in which records are projected, in one transaction.

use crate::db::Mirror;
use crate::error::{Error, Result};
use crate::inbox::kinds::{ObjectKind, RecordKey, RecordKind};
use crate::inbox::lock::LockKey;
use crate::inbox::locks::Locks;
use crate::inbox::object::Object;
use crate::inbox::store::Store;
use crate::inbox::wait_key::WaitKey;
use crate::inbox::waiting;
use crate::payments::ObservedPayment;
use chrono::{DateTime, Utc};
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

/// The kinds of objects that may name the user of their customer.
pub(super) const NAMING_KINDS: [ObjectKind; 3] =
    [ObjectKind::CheckoutSession, ObjectKind::Subscription, ObjectKind::Transaction];

/// The outcome of projecting the records that depend on an object.
#[derive(Debug, Default)]
pub(in crate::inbox) struct Outcome {
    /// The prerequisite of the object's records that is missing.
    pub(in crate::inbox) waits_for: Option<WaitKey>,
    /// A note for admins.
    pub(in crate::inbox) note: Option<String>,
    /// A note about a claim to own the object that did not count, a possible attack.
    pub(in crate::inbox) doubt: Option<String>,
}

/// The settings that decide how objects are projected.
#[derive(Debug, Clone, Copy)]
pub(in crate::inbox) struct Policy {
    /// The number of devices on which a licence that is bought may be used.
    pub(in crate::inbox) max_devices: i64,
    /// True if objects at Paddle belong only to the account of a signed reference.
    pub(in crate::inbox) paddle_requires_reference: bool,
    /// True if credits that were spent before their money was returned are owed.
    pub(in crate::inbox) spent_credits_are_owed: bool,
}

/// A reason why a record was not written.
#[derive(Debug)]
pub(super) enum Blocked {
    /// A prerequisite is missing.
    WaitsFor(WaitKey),
    Failed(Error),
}

impl From<Error> for Blocked {
    fn from(error: Error) -> Blocked {
        Blocked::Failed(error)
    }
}

/// A claim to own an object that did not count.
#[derive(Debug)]
pub(super) struct Doubt {
    /// The id of the object with the claim.
    pub(super) object_id: String,
    /// The account that is claimed, if there is one.
    pub(super) account_id: Option<Uuid>,
    /// The claim and the reason why it did not count, for admins.
    pub(super) note: String,
}

/// The records that are projected in one transaction.
pub(in crate::inbox) struct Projection<'a, 'm> {
    pub(super) store: Store<'a>,
    pub(super) mirror: &'m mut Mirror<'a>,
    pub(super) policy: Policy,
    /// The locks of the transaction.
    locks: Locks<'a>,
    /// The object that is applied.
    pub(super) applied: Option<Object>,
    /// The earliest of the events that are applied; `None` if none are, or all again.
    pub(super) since: Option<DateTime<Utc>>,
    /// The records that are still to be projected.
    pub(super) queue: BTreeSet<RecordKey>,
    /// The payments projected so far, with our ids of them, for the records that depend on them.
    pub(super) payments: HashMap<String, (Uuid, ObservedPayment)>,
    /// A note for admins.
    pub(super) note: Option<String>,
    /// The first claim to own an object that did not count.
    pub(super) doubt: Option<Doubt>,
}

impl<'a, 'm> Projection<'a, 'm> {
    /// Creates the context of a transaction that holds `locks` and applies the events from `since` on; `None` for all events
    /// again, or none.
    pub(in crate::inbox) fn new(
        store: Store<'a>,
        mirror: &'m mut Mirror<'a>,
        policy: Policy,
        (locks, since): (Locks<'a>, Option<DateTime<Utc>>),
    ) -> Self {
        let (queue, payments) = (BTreeSet::new(), HashMap::new());
        Projection { store, mirror, policy, locks, applied: None, since, queue, payments, note: None, doubt: None }
    }

    /// Takes a lock unless the transaction holds it.
    pub(super) async fn lock(&mut self, key: LockKey) -> Result<()> {
        self.locks.take([key]).await
    }

    /// Returns the object of one of these kinds with this id; blocked until it arrives.
    pub(super) async fn object(&self, kinds: &[ObjectKind], id: &str) -> Result<Object, Blocked> {
        let is_asked = |object: &&Object| object.external_id == id && kinds.contains(&object.kind);
        if let Some(object) = self.applied.as_ref().filter(is_asked) {
            return Ok(object.clone());
        }
        self.store.objects_of(kinds, &[id.to_owned()]).await?.pop().ok_or_else(|| Blocked::object(id))
    }

    /// Adds a record to those that are still to be projected.
    pub(super) fn enqueue(&mut self, kind: RecordKind, id: &str) {
        self.queue.insert(RecordKey { kind, id: id.to_owned() });
    }

    /// Enqueues the objects whose events wait for `key`.
    pub(super) async fn wake(&self, key: WaitKey) -> Result<()> {
        waiting::wake(self.store.txn, &key).await
    }

    /// Enqueues the objects that were waiting for the record with this id.
    pub(super) async fn wake_dependents(&self, id: &str) -> Result<()> {
        self.wake(WaitKey::Object(id.to_owned())).await?;
        self.wake(WaitKey::Owner(id.to_owned())).await
    }
}

impl Blocked {
    /// The object with this id is missing.
    pub(super) fn object(id: &str) -> Blocked {
        Blocked::WaitsFor(WaitKey::Object(id.to_owned()))
    }
}
