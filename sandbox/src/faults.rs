//! What can go wrong between a caller and Stripe.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

/// One way for a request to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The connection ends before anything is done.
    RefuseBefore,
    /// Nothing is done and nothing answered, until the caller gives up. Meanwhile the key is in use.
    HangBefore,
    /// It is done, and nothing answered.
    HangAfter,
    /// It is done, and the answer breaks off.
    CutAfter,
    /// An error is answered.
    Answer {
        /// The status of HTTP.
        status: u16,
        /// What Stripe says of another attempt, if it says something.
        should_retry: Option<bool>,
        /// Whether it is done nevertheless.
        acted: bool,
        /// Whether the error is kept under the request's key, and answered to it again.
        saved: bool,
    },
}

const fn answer(status: u16, should_retry: Option<bool>, acted: bool, saved: bool) -> Fault {
    Fault::Answer { status, should_retry, acted, saved }
}

impl Fault {
    /// Those that take no time.
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

/// Decides which requests fail.
#[derive(Default)]
pub(super) struct Dice(Option<(u64, ChaCha8Rng, Vec<Fault>)>);

impl Dice {
    pub(super) fn new(percent: u32, seed: u64, faults: &[Fault]) -> Dice {
        let fails = percent > 0 && !faults.is_empty();
        Dice(fails.then(|| (u64::from(percent), ChaCha8Rng::seed_from_u64(seed), faults.to_vec())))
    }

    /// The fault of the next request, if it has one.
    pub(super) fn roll(&mut self) -> Option<Fault> {
        let (percent, rng, faults) = self.0.as_mut()?;
        let (hit, which) = (rng.next_u64() % 100 < *percent, rng.next_u64());
        let count = u64::try_from(faults.len()).unwrap_or(1);
        let which = usize::try_from(which % count).unwrap_or(0);
        faults.get(which).copied().filter(|_| hit)
    }
}
