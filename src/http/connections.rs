//! Open WebSockets and streams: their maximum numbers, and their end at shutdown.

use std::{net::IpAddr, sync::Arc};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::addresses::{AddressLimit, AddressPermit};
use crate::metrics::ConnectionLimit;

/// Maximum numbers of open WebSockets and streams of this node.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionLimits {
    /// Of all callers together.
    pub all: u32,
    /// Of all anonymous callers together.
    pub anonymous: u32,
    /// Of one client address.
    pub per_address: u32,
}

impl ConnectionLimits {
    /// Allows `max` connections, whoever opens them.
    pub fn all(max: u32) -> Self {
        ConnectionLimits { all: max, anonymous: max, per_address: u32::MAX }
    }
}

/// The WebSockets and streams of this node.
#[derive(Debug)]
pub struct Connections {
    free: Arc<Semaphore>,
    free_for_anonymous: Arc<Semaphore>,
    addresses: Arc<AddressLimit>,
    limits: ConnectionLimits,
    stopping: watch::Sender<bool>,
}

/// The permit for one connection, given back when it is dropped.
///
/// A connection whose client has not signed in loses it to others of the same address when there are too many.
pub(super) struct ConnectionPermit {
    _all: OwnedSemaphorePermit,
    address: Option<AddressPermit>,
    anonymous: Option<OwnedSemaphorePermit>,
    free_for_anonymous: Arc<Semaphore>,
    stopping: watch::Receiver<bool>,
}

impl Connections {
    /// Creates the counts.
    pub fn new(limits: ConnectionLimits) -> Connections {
        let semaphore = |max: u32| {
            let permits = usize::try_from(max).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
            Arc::new(Semaphore::new(permits))
        };
        Connections {
            free: semaphore(limits.all),
            free_for_anonymous: semaphore(limits.anonymous),
            addresses: AddressLimit::new(limits.per_address),
            limits,
            stopping: watch::Sender::new(false),
        }
    }

    /// Returns a permit for a client at `address`, if it is known, unless a limit is reached.
    pub(super) fn acquire(&self, address: Option<IpAddr>) -> Result<ConnectionPermit, ConnectionLimit> {
        let of_address = match address {
            Some(address) => Some(self.addresses.acquire(address).ok_or(ConnectionLimit::LiveAddress)?),
            None => None,
        };
        let all = Arc::clone(&self.free).try_acquire_owned().map_err(|_| ConnectionLimit::Live)?;
        Ok(ConnectionPermit {
            _all: all,
            address: of_address,
            anonymous: None,
            free_for_anonymous: Arc::clone(&self.free_for_anonymous),
            stopping: self.stopping.subscribe(),
        })
    }

    /// Asks all connections to end and waits until they have.
    pub(super) async fn close_all(&self) {
        self.stopping.send_replace(true);
        // Fails only if the semaphore is closed, which never happens.
        let _ = self.free.acquire_many(self.limits.all).await;
    }
}

impl ConnectionPermit {
    /// Counts the connection as one of a caller who is signed in or not. Fails if there are too many anonymous ones.
    pub(super) fn sign_in(&mut self, is_signed_in: bool) -> Result<(), ConnectionLimit> {
        if is_signed_in {
            if let Some(address) = &self.address {
                address.place().hold(true);
            }
            return Ok(());
        }
        let permit =
            Arc::clone(&self.free_for_anonymous).try_acquire_owned().map_err(|_| ConnectionLimit::LiveAnonymous)?;
        self.anonymous = Some(permit);
        Ok(())
    }

    /// Completes when another connection of the same address has taken the place of this one.
    pub(super) fn lost(&self) -> impl Future<Output = ()> + Send + use<> {
        let place = self.address.as_ref().map(AddressPermit::place);
        async move {
            match place {
                Some(place) => place.lost().await,
                None => std::future::pending().await,
            }
        }
    }

    /// Completes when the server is about to stop.
    pub(super) async fn closing(&mut self) {
        let _ = self.stopping.wait_for(|stopping| *stopping).await;
    }
}
