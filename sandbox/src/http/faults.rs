//! Faults between a caller and Stripe.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

/// A way for a request to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The connection breaks before the request is executed.
    RefuseBefore,
    /// The request is neither executed nor answered. Its key is in use until the caller gives up.
    HangBefore,
    /// The request is executed, but not answered.
    HangAfter,
    /// The request is executed, and the reply breaks off.
    CutAfter,
    /// The reply is an error.
    Answer {
        /// The HTTP status.
        status: u16,
        /// The value of the header `stripe-should-retry`, if it is sent.
        should_retry: Option<bool>,
        /// True if the request is executed nevertheless.
        acted: bool,
        /// True if the error is stored under the request's key.
        saved: bool,
    },
}

const fn answer(status: u16, should_retry: Option<bool>, acted: bool, saved: bool) -> Fault {
    Fault::Answer { status, should_retry, acted, saved }
}

impl Fault {
    /// The faults that take no time.
    pub const QUICK: [Fault; 9] = [
        Fault::RefuseBefore,
        Fault::CutAfter,
        answer(409, None, false, false),
        answer(429, None, false, false),
        answer(500, None, false, false),
        answer(500, None, true, false),
        answer(500, Some(false), true, true),
        answer(503, None, false, false),
        answer(503, Some(true), true, false),
    ];
}

/// The random choice of requests that fail.
#[derive(Default)]
pub(crate) struct Dice(Option<(u64, ChaCha8Rng, Vec<Fault>)>);

impl Dice {
    pub(crate) fn new(percent: u32, seed: u64, faults: &[Fault]) -> Dice {
        let fails = percent > 0 && !faults.is_empty();
        Dice(fails.then(|| (u64::from(percent), ChaCha8Rng::seed_from_u64(seed), faults.to_vec())))
    }

    /// Returns the fault of the next request, if it fails.
    pub(crate) fn roll(&mut self) -> Option<Fault> {
        let (percent, rng, faults) = self.0.as_mut()?;
        let (hit, which) = (rng.next_u64() % 100 < *percent, rng.next_u64());
        let count = u64::try_from(faults.len()).unwrap_or(1);
        let which = usize::try_from(which % count).unwrap_or(0);
        faults.get(which).copied().filter(|_| hit)
    }
}
