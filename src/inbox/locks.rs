//! The locks of a transaction on objects and on the records derived from them.

use super::lock::LockKey;
use super::store::Store;
use crate::error::Result;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// The locks for which the attempts of one transaction have asked.
#[derive(Debug, Default)]
pub(super) struct AskedLocks(Mutex<BTreeSet<LockKey>>);

impl AskedLocks {
    fn all(&self) -> BTreeSet<LockKey> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn add(&self, locks: &BTreeSet<LockKey>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(locks.iter().cloned());
    }
}

/// The locks of a transaction.
///
/// Which ones are needed is found step by step, so that two transactions may wait for each other. The database ends one of
/// them, whose next attempt takes all locks of the first at once and in order: it waits for nobody who waits for it.
pub(super) struct Locks<'a> {
    store: Store<'a>,
    held: BTreeSet<LockKey>,
    asked: &'a AskedLocks,
}

impl<'a> Locks<'a> {
    /// Takes the locks for which earlier attempts have asked.
    pub(super) async fn retake(store: Store<'a>, asked: &'a AskedLocks) -> Result<Locks<'a>> {
        let held = asked.all();
        store.lock(&held).await?;
        Ok(Locks { store, held, asked })
    }

    /// Takes those of `locks` that the transaction does not hold.
    pub(super) async fn take(&mut self, locks: impl IntoIterator<Item = LockKey>) -> Result<()> {
        let missing: BTreeSet<LockKey> = locks.into_iter().filter(|lock| !self.held.contains(lock)).collect();
        self.asked.add(&missing);
        self.store.lock(&missing).await?;
        self.held.extend(missing);
        Ok(())
    }
}
