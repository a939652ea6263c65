//! The memory of failed requests, which stops further ones while Stripe is unavailable.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The number of different objects whose requests fail, with no answer between them, before all requests fail immediately
/// for a while. What is wrong with one object, or with one caller's requests, must not stop the others.
const FAILURES_TO_TRIP: usize = 3;

/// The failures since the last answer.
#[derive(Debug, Default)]
pub(super) struct Health(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failing: HashSet<String>,
    unavailable_until: Option<Instant>,
}

impl Health {
    /// Returns whether requests fail immediately at the moment.
    pub(super) fn is_tripped(&self) -> bool {
        self.lock().unavailable_until.is_some_and(|until| Instant::now() < until)
    }

    /// Records an answer, whatever it says.
    pub(super) fn note_answer(&self) {
        self.lock().failing.clear();
    }

    /// Records that the request about `subject` had no answer, and has further ones fail for `cool_down` if requests about
    /// several objects have failed.
    pub(super) fn note_failure(&self, subject: String, cool_down: Duration) {
        let mut state = self.lock();
        if state.failing.len() < FAILURES_TO_TRIP {
            state.failing.insert(subject);
        }
        if state.failing.len() == FAILURES_TO_TRIP {
            state.unavailable_until = Some(Instant::now() + cool_down);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
