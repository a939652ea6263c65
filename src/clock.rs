//! The time and the ids of new rows: from the system, or from a hand that tests move.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// What the machine's steady time is told from.
static STARTED: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Where the time comes from.
#[derive(Debug, Default)]
pub enum Clock {
    /// The machine's clock.
    #[default]
    System,
    /// A clock that stands still until it is moved.
    Fixed(Mutex<DateTime<Utc>>),
}

impl Clock {
    /// A clock that stands at `at`.
    pub fn fixed(at: DateTime<Utc>) -> Self {
        Clock::Fixed(Mutex::new(microseconds(at)))
    }

    /// The present, in UTC, truncated to the microseconds that both engines store.
    pub fn now(&self) -> DateTime<Utc> {
        match self {
            #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the system clock")]
            Clock::System => microseconds(Utc::now()),
            Clock::Fixed(at) => *at.lock().expect("no holder of this lock panics"),
        }
    }

    /// Time that never goes back, for measuring spans: what is done to the machine's clock does not change it.
    pub fn steady(&self) -> Duration {
        match self {
            Clock::System => STARTED.elapsed(),
            Clock::Fixed(_) => (self.now() - DateTime::UNIX_EPOCH).to_std().unwrap_or_default(),
        }
    }

    /// Moves a fixed clock; the system clock does not move by hand.
    pub fn advance(&self, by: TimeDelta) {
        if let Clock::Fixed(at) = self {
            *at.lock().expect("no holder of this lock panics") += by;
        }
    }

    /// A new id that sorts by the time of its making: a UUIDv7.
    pub fn new_id(&self) -> Uuid {
        #[expect(clippy::disallowed_methods, reason = "this is the one place that makes ids")]
        Uuid::now_v7()
    }
}

fn microseconds(at: DateTime<Utc>) -> DateTime<Utc> {
    at.duration_trunc(TimeDelta::microseconds(1)).expect("the present is within the range of nanoseconds")
}
