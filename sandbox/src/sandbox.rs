//! The handle of the stand-in, shared by its HTTP server and its callers.

use chrono::{DateTime, Utc};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::billing::due;
use crate::http::requests::RequestLog;
use crate::store::{Store, no_request};

/// A stand-in for a Stripe account in test mode. Clones share the account.
#[derive(Clone)]
pub struct Sandbox {
    shared: Arc<Shared>,
}

struct Shared {
    now: Box<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    key: String,
    world: Mutex<World>,
}

/// The objects of the account, and the requests it has received.
pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) requests: RequestLog,
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox").finish_non_exhaustive()
    }
}

impl Sandbox {
    /// Creates an empty account with this API key, which also seeds the ids. `now` is its clock.
    pub fn new(now: impl Fn() -> DateTime<Utc> + Send + Sync + 'static, key: &str) -> Sandbox {
        let world = Mutex::new(World { store: Store::new(key), requests: RequestLog::default() });
        Sandbox { shared: Arc::new(Shared { now: Box::new(now), key: key.to_owned(), world }) }
    }

    /// Returns the time of the account's clock.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        (self.shared.now)()
    }

    /// Returns the API key.
    pub(crate) fn key(&self) -> &str {
        &self.shared.key
    }

    /// Locks the account, and does the work that is due by now.
    pub(crate) fn lock(&self) -> MutexGuard<'_, World> {
        let mut world = self.lock_as_is();
        world.store.request = no_request();
        due::catch_up(&mut world.store, self.now().timestamp());
        world
    }

    /// Locks the account without doing the work that is due.
    pub(crate) fn lock_as_is(&self) -> MutexGuard<'_, World> {
        self.shared.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
