//! Times of last use of credentials, collected in memory and written in the background.
//!
//! Nothing waits for them and nothing fails because of them: a sign-in or a check of a licence reads the database, and
//! must not depend on a write for display.

use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use std::sync::Mutex;
use uuid::Uuid;

/// Maximum number of things whose times are held. Those of others are dropped until there is room.
const MAX_PENDING: usize = 10_000;

/// Something whose last use is recorded. The order is that in which rows are locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Used {
    /// An API key.
    ApiKey(Uuid),
    /// A licence.
    License(Uuid),
    /// A device.
    Device(Uuid),
}

/// The times that are still to be written: one for each thing, the latest.
#[derive(Debug, Default)]
pub struct LastUse {
    pending: Mutex<BTreeMap<Used, DateTime<Utc>>>,
}

impl LastUse {
    /// Notes that something was used at `at`.
    pub fn note(&self, used: Used, at: DateTime<Utc>) {
        let mut pending = self.pending.lock().expect("no holder of this lock panics");
        if let Some(known) = pending.get_mut(&used) {
            *known = at.max(*known);
        } else if pending.len() < MAX_PENDING {
            pending.insert(used, at);
        }
    }

    /// Returns and removes at most `max` of the times, in order.
    pub fn take(&self, max: usize) -> Vec<(Used, DateTime<Utc>)> {
        let mut pending = self.pending.lock().expect("no holder of this lock panics");
        std::iter::from_fn(|| pending.pop_first()).take(max).collect()
    }

    /// Adds back what could not be written.
    pub fn put_back(&self, unwritten: Vec<(Used, DateTime<Utc>)>) {
        unwritten.into_iter().for_each(|(used, at)| self.note(used, at));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    #[test]
    fn the_latest_time_of_each_is_kept_and_no_more_than_there_is_room_for() {
        let (uses, start) = (LastUse::default(), DateTime::UNIX_EPOCH);
        let (key, device) = (Used::ApiKey(Uuid::from_u128(2)), Used::Device(Uuid::from_u128(1)));
        for (used, second) in [(device, 5), (key, 1), (device, 4), (key, 3)] {
            uses.note(used, start + TimeDelta::seconds(second));
        }
        let first = uses.take(1);
        assert_eq!(first, [(key, start + TimeDelta::seconds(3))]);
        uses.put_back(first);
        uses.note(key, start);
        assert_eq!(uses.take(9), [(key, start + TimeDelta::seconds(3)), (device, start + TimeDelta::seconds(5))]);
        assert_eq!(uses.take(9), []);
        for id in 0..20_000 {
            uses.note(Used::License(Uuid::from_u128(id)), start);
        }
        assert_eq!(uses.take(usize::MAX).len(), MAX_PENDING);
    }
}
