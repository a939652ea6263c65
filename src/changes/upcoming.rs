//! The changes that time alone brings to what a subscription shows.

use super::change::Change;
use chrono::{DateTime, Utc};
use std::sync::{Mutex, MutexGuard};

/// The next changes that time alone brings to what a subscription shows. Its resolvers note them whenever they run.
#[derive(Debug)]
pub struct Upcoming(Mutex<State>);

#[derive(Debug)]
struct State {
    since: DateTime<Utc>,
    next: Option<(DateTime<Utc>, Vec<Change>)>,
}

impl Upcoming {
    /// Creates it for a subscription that begins at `since`.
    pub fn new(since: DateTime<Utc>) -> Upcoming {
        Upcoming(Mutex::new(State { since, next: None }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no holder of this lock panics")
    }

    /// Returns the instant up to which changes by time were taken.
    pub fn since(&self) -> DateTime<Utc> {
        self.state().since
    }

    /// Notes the changes of the next instant, in place of those noted before; `None` if there are none.
    pub fn note(&self, next: Option<(DateTime<Utc>, Vec<Change>)>) {
        self.state().next = next;
    }

    /// Returns the instant of the next changes.
    pub fn instant(&self) -> Option<DateTime<Utc>> {
        self.state().next.as_ref().map(|(at, _)| *at)
    }

    /// Takes the changes whose instant has come.
    pub fn take(&self, now: DateTime<Utc>) -> Vec<Change> {
        let mut state = self.state();
        let Some((at, changes)) = state.next.take_if(|(at, _)| *at <= now) else { return Vec::new() };
        state.since = state.since.max(at);
        changes
    }
}
