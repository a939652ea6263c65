//! Rate limits, kept in the memory of this process.

use crate::clock::Clock;
use crate::error::{Error, Result};
use governor::clock::Clock as LimitClock;
use governor::middleware::{NoOpMiddleware, StateInformationMiddleware};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use serde::Serialize;
use std::hash::{BuildHasher, Hash, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

/// Number of counters. It bounds the memory: keys are hashed to a counter, so with far more keys than this in one minute
/// some share one. The hash is seeded at random, so callers cannot find out which.
const SLOTS: u64 = 1 << 16;

/// A limit of attempts per minute for each key, with a burst of one minute's attempts.
pub struct RateLimit {
    limiter: RateLimiter<u64, HashMapStateStore<u64>, Steady, NoOpMiddleware<Duration>>,
    clock: Steady,
    hasher: RandomState,
}

/// The app's clock in the form `governor` needs.
#[derive(Clone)]
struct Steady(Arc<Clock>);

impl LimitClock for Steady {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.steady()
    }
}

impl RateLimit {
    /// Creates a limit of `attempts` per minute.
    pub fn per_minute(attempts: NonZeroU32, clock: Arc<Clock>) -> RateLimit {
        let clock = Steady(clock);
        let limiter = RateLimiter::hashmap_with_clock(Quota::per_minute(attempts), clock.clone());
        RateLimit { limiter, clock, hasher: RandomState::new() }
    }

    /// Counts one attempt for `key`; fails with [`Error::RateLimited`] if the limit is reached.
    pub fn check(&self, key: &impl Hash) -> Result<()> {
        let slot = self.hasher.hash_one(key) % SLOTS;
        self.limiter
            .check_key(&slot)
            .map_err(|refused| Error::RateLimited { retry_after: refused.wait_time_from(self.clock.now()) })
    }
}

/// A limit of cost per minute for each key, with a burst of one minute's cost or one request.
pub struct CostRate {
    limiter: RateLimiter<u64, HashMapStateStore<u64>, Steady, StateInformationMiddleware>,
    clock: Steady,
    hasher: RandomState,
    per_minute: NonZeroU32,
    burst: NonZeroU32,
}

/// The state of a limit of cost for one key.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Throttle {
    /// The cost that can be spent after a pause.
    pub maximum_available: u32,
    /// The cost that can be spent now.
    pub currently_available: u32,
    /// The cost that becomes available in a second.
    pub restore_rate: u32,
}

impl CostRate {
    /// Creates a limit of cost per minute. A request of the cost `request` is possible after a pause.
    pub fn per_minute(cost: NonZeroU32, request: u32, clock: Arc<Clock>) -> CostRate {
        let (clock, burst) = (Steady(clock), NonZeroU32::new(request).map_or(cost, |request| request.max(cost)));
        let quota = Quota::per_minute(cost).allow_burst(burst);
        let limiter = RateLimiter::hashmap_with_clock(quota, clock.clone()).with_middleware();
        CostRate { limiter, clock, hasher: RandomState::new(), per_minute: cost, burst }
    }

    /// Takes `cost` from what `key` may spend; fails with [`Error::RateLimited`] if there is not enough.
    pub fn spend(&self, key: &impl Hash, cost: u64) -> Result<Throttle> {
        let slot = self.hasher.hash_one(key) % SLOTS;
        let cost = u32::try_from(cost).unwrap_or(u32::MAX);
        let cost = NonZeroU32::new(cost).unwrap_or(NonZeroU32::MIN);
        match self.limiter.check_key_n(&slot, cost) {
            Ok(Ok(state)) => Ok(Throttle {
                maximum_available: self.burst.get(),
                currently_available: state.remaining_burst_capacity(),
                restore_rate: (self.per_minute.get() / 60).max(1),
            }),
            Ok(Err(refused)) => Err(Error::RateLimited { retry_after: refused.wait_time_from(self.clock.now()) }),
            Err(_) => Err(Error::RateLimited { retry_after: Duration::from_secs(60) }),
        }
    }
}

/// The part of a minute that [`ShareRate`] counts in.
const MINUTE: u32 = 1_000_000_000;

/// Limits per minute that differ from key to key, each with a burst of one minute. All keys share one set of counters: a
/// key takes the part of its minute that its limit makes of a count.
pub struct ShareRate(CostRate);

impl ShareRate {
    /// Creates the limits.
    pub fn new(clock: Arc<Clock>) -> ShareRate {
        let minute = NonZeroU32::new(MINUTE).expect("a minute is not zero");
        ShareRate(CostRate::per_minute(minute, 0, clock))
    }

    /// Takes `count` from the `per_minute` of `key`; fails with [`Error::RateLimited`] if there is not enough.
    pub fn take(&self, key: &impl Hash, count: u32, per_minute: u32) -> Result<()> {
        let part = MINUTE.checked_div(per_minute).unwrap_or(MINUTE);
        self.0.spend(key, u64::from(part).saturating_mul(u64::from(count))).map(drop)
    }
}

/// Returns the address whose limit a client shares: in IPv6, everybody can use all addresses of a network of 64 bits.
pub fn household(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() & (u128::MAX << 64)).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{DateTime, TimeDelta};

    #[test]
    fn each_key_has_its_own_attempts_which_come_back_with_time() {
        let clock = Arc::new(Clock::fixed(DateTime::UNIX_EPOCH + TimeDelta::days(20_000)));
        let limit = RateLimit::per_minute(NonZeroU32::new(6).unwrap(), Arc::clone(&clock));
        for _ in 0..6 {
            limit.check(&"a").unwrap();
        }
        let refused = limit.check(&"a").unwrap_err();
        assert_eq!(refused.to_string(), "Too many requests: try again in 10 s.");
        assert_eq!(refused.code(), "RATE_LIMITED");
        limit.check(&"b").unwrap();
        clock.advance(TimeDelta::milliseconds(9_500));
        assert_eq!(limit.check(&"a").unwrap_err().to_string(), "Too many requests: try again in 1 s.");
        clock.advance(TimeDelta::milliseconds(500));
        limit.check(&"a").unwrap();
        limit.check(&"a").unwrap_err();
        clock.advance(TimeDelta::hours(1));
        assert_eq!((0..10).filter(|_| limit.check(&"a").is_ok()).count(), 6, "the burst is one minute's attempts");
    }

    #[test]
    fn each_key_has_its_own_limit() {
        let clock = Arc::new(Clock::fixed(DateTime::UNIX_EPOCH + TimeDelta::days(20_000)));
        let rate = ShareRate::new(Arc::clone(&clock));
        for (key, per_minute) in [("a", 100), ("b", 333), ("c", 1_000_000)] {
            let ten = per_minute / 10;
            assert_eq!((0..12).filter(|_| rate.take(&key, ten, per_minute).is_ok()).count(), 10, "{key}");
            let rest = per_minute - ten * 10;
            assert_eq!(rate.take(&key, rest + 1, per_minute).unwrap_err().code(), "RATE_LIMITED", "{key}");
            clock.advance(TimeDelta::seconds(6));
            rate.take(&key, ten, per_minute).unwrap();
        }
        rate.take(&"d", u32::MAX, 1).unwrap_err();
        rate.take(&"d", 1, 0).unwrap();
    }

    #[test]
    fn memory_does_not_grow_with_the_number_of_keys() {
        let clock = Arc::new(Clock::fixed(DateTime::UNIX_EPOCH));
        let limit = RateLimit::per_minute(NonZeroU32::MAX, clock);
        for key in 0..200_000_u32 {
            limit.check(&key).unwrap();
        }
        assert!(u64::try_from(limit.limiter.len()).unwrap() <= SLOTS);
        let rate = ShareRate::new(Arc::new(Clock::fixed(DateTime::UNIX_EPOCH)));
        for address in 0..200_000_u32 {
            rate.take(&("a key", address), 1, 1_000_000).unwrap();
        }
        assert!(u64::try_from(rate.0.limiter.len()).unwrap() <= SLOTS);
    }
}
