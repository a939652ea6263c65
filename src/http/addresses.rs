//! Limits on what one client address holds at a time. A newcomer beyond the limit takes the place of the oldest holder that
//! is of no use, such as a silent connection.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::Notify;

/// Bits of an IPv6 address that name its host: providers give each customer all of them.
const HOST_BITS: u32 = 64;

/// The places of each address.
#[derive(Debug)]
pub(super) struct AddressLimit {
    max: usize,
    /// The places that are taken, the oldest first.
    taken: Mutex<HashMap<IpAddr, Vec<Arc<Place>>>>,
}

/// One of the places of an address.
#[derive(Debug, Default)]
pub(super) struct Place {
    held: AtomicBool,
    lost: Notify,
}

/// The right to a place, given back when it is dropped.
#[derive(Debug)]
pub(super) struct AddressPermit {
    limit: Arc<AddressLimit>,
    address: IpAddr,
    place: Arc<Place>,
}

impl AddressLimit {
    /// Gives `max` places to each address, and to each network of an IPv6 customer.
    pub(super) fn new(max: u32) -> Arc<Self> {
        Arc::new(AddressLimit { max: usize::try_from(max).unwrap_or(usize::MAX), taken: Mutex::default() })
    }

    /// Returns a permit: for a free place, or for the oldest one that nobody [holds](Place::hold), whose permit is lost.
    pub(super) fn acquire(self: &Arc<Self>, address: IpAddr) -> Option<AddressPermit> {
        let address = network(address);
        let mut taken = self.lock();
        let places = taken.entry(address).or_default();
        if places.len() >= self.max {
            let at = places.iter().position(|place| !place.held.load(Ordering::Relaxed))?;
            places.remove(at).lost.notify_one();
        }
        let place = Arc::<Place>::default();
        places.push(Arc::clone(&place));
        drop(taken);
        Some(AddressPermit { limit: Arc::clone(self), address, place })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Vec<Arc<Place>>>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Decides whether newcomers may take the place; they may until this is called.
    pub(super) fn hold(&self, held: bool) {
        self.held.store(held, Ordering::Relaxed);
    }

    /// Completes when a newcomer has taken the place.
    pub(super) async fn lost(&self) {
        self.lost.notified().await;
    }
}

impl AddressPermit {
    /// Returns the place.
    pub(super) fn place(&self) -> Arc<Place> {
        Arc::clone(&self.place)
    }
}

impl Drop for AddressPermit {
    fn drop(&mut self) {
        let mut taken = self.limit.lock();
        if let Some(places) = taken.get_mut(&self.address) {
            places.retain(|place| !Arc::ptr_eq(place, &self.place));
            if places.is_empty() {
                taken.remove(&self.address);
            }
        }
    }
}

/// Returns an IPv4 address itself, and the network of an IPv6 address.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> HOST_BITS << HOST_BITS).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn each_network_has_places_of_its_own() {
        let limit = AddressLimit::new(2);
        let acquire = |address: &str| {
            let permit = limit.acquire(address.parse().unwrap());
            permit.inspect(|permit| permit.place.hold(true))
        };
        for (one, same, other) in [
            ("192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2"),
            ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", "2001:db8:0:2::1"),
        ] {
            let first = acquire(one).unwrap();
            let second = acquire(same).unwrap();
            assert!(acquire(one).is_none() && acquire(same).is_none());
            let elsewhere = acquire(other).unwrap();
            drop(first);
            let again = acquire(same).unwrap();
            assert!(acquire(one).is_none());
            drop((second, elsewhere, again));
            assert!(limit.lock().is_empty(), "addresses that hold nothing are kept");
        }
    }

    #[test]
    fn a_newcomer_takes_the_oldest_place_that_nobody_holds() {
        let limit = AddressLimit::new(3);
        let acquire = || limit.acquire("192.0.2.1".parse().unwrap());
        let [held, first, second] = [acquire().unwrap(), acquire().unwrap(), acquire().unwrap()];
        held.place.hold(true);
        let third = acquire().unwrap();
        assert!(first.place.lost().now_or_never().is_some());
        assert!([&held, &second, &third].iter().all(|permit| permit.place.lost().now_or_never().is_none()));
        // Its permit gives nothing back.
        drop(first);
        second.place.hold(true);
        third.place.hold(true);
        assert!(acquire().is_none());
        second.place.hold(false);
        let fourth = acquire().unwrap();
        assert!(second.place.lost().now_or_never().is_some());
        drop((held, second, third, fourth));
        assert!(limit.lock().is_empty());
    }
}
