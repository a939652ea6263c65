//! The clock and the ids of new rows: of the system, or of a test.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// The origin of the steady time.
static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A source of time.
#[derive(Debug, Default)]
pub enum Clock {
    /// The machine's clock.
    #[default]
    System,
    /// A clock that stands still until a test advances it.
    Fixed(Mutex<DateTime<Utc>>),
}

impl Clock {
    /// Creates a clock that stands at `at`.
    pub fn fixed(at: DateTime<Utc>) -> Self {
        Clock::Fixed(Mutex::new(microseconds(at)))
    }

    /// Returns the current time in UTC, truncated to the microseconds that both engines store.
    pub fn now(&self) -> DateTime<Utc> {
        match self {
            #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the system clock")]
            Clock::System => microseconds(Utc::now()),
            Clock::Fixed(at) => *at.lock().expect("no holder of this lock panics"),
        }
    }

    /// Returns a time that never goes back, to measure durations: setting the machine's clock does not change it.
    pub fn steady(&self) -> Duration {
        match self {
            Clock::System => ORIGIN.elapsed(),
            Clock::Fixed(_) => (self.now() - DateTime::UNIX_EPOCH).to_std().unwrap_or_default(),
        }
    }

    /// Advances a fixed clock; does nothing to the system clock.
    pub fn advance(&self, by: TimeDelta) {
        if let Clock::Fixed(at) = self {
            *at.lock().expect("no holder of this lock panics") += by;
        }
    }

    /// Returns a new id that sorts by the time of its creation: a UUIDv7.
    pub fn new_id(&self) -> Uuid {
        #[expect(clippy::disallowed_methods, reason = "this is the one place that creates ids")]
        Uuid::now_v7()
    }
}

fn microseconds(at: DateTime<Utc>) -> DateTime<Utc> {
    at.duration_trunc(TimeDelta::microseconds(1)).expect("the current time is within the range of nanoseconds")
}
