//! Aggregates events that are too frequent to be written one by one.

use chrono::{DateTime, TimeDelta, Utc};
use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::Mutex;

/// Counts events by key. Each key is written at most once in a period, and the number of writes in a period is limited.
#[derive(Debug)]
pub struct EventAggregator<K, V> {
    max_writes: usize,
    max_pending: usize,
    period: TimeDelta,
    state: Mutex<State<K, V>>,
}

#[derive(Debug)]
struct State<K, V> {
    period_start: DateTime<Utc>,
    /// Keys written in this period.
    written: HashSet<K>,
    pending: HashMap<K, PendingEvent<V>>,
}

/// The events of one key that have not been written yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingEvent<V> {
    /// Number of events.
    pub count: i64,
    /// Time of the first event.
    pub first_at: DateTime<Utc>,
    /// Time of the last event.
    pub last_at: DateTime<Utc>,
    /// Details of the last event.
    pub value: V,
}

impl<K: Eq + Hash + Clone, V> EventAggregator<K, V> {
    /// Creates an aggregator that writes at most `max_writes` keys in a `period` and holds at most `max_pending` keys.
    pub fn new(max_writes: usize, max_pending: usize, period: TimeDelta) -> Self {
        let state = State { period_start: DateTime::UNIX_EPOCH, written: HashSet::new(), pending: HashMap::new() };
        EventAggregator { max_writes, max_pending, period, state: Mutex::new(state) }
    }

    /// Counts an event under `key`, or under `overflow` if too many keys are pending. Returns what is due, which the
    /// caller has to write.
    pub fn count(&self, key: K, overflow: K, value: V, now: DateTime<Utc>) -> Vec<(K, PendingEvent<V>)> {
        let mut state = self.state.lock().expect("no holder of this lock panics");
        let has_room = state.pending.contains_key(&key) || state.pending.len() < self.max_pending;
        let key = if has_room { key } else { overflow };
        let event = PendingEvent { count: 1, first_at: now, last_at: now, value };
        state.add(key, event);
        state.take_due(self, now)
    }

    /// Returns and removes what is due.
    pub fn take_due(&self, now: DateTime<Utc>) -> Vec<(K, PendingEvent<V>)> {
        self.state.lock().expect("no holder of this lock panics").take_due(self, now)
    }

    /// Returns and removes everything, due or not, for the end of the process.
    pub fn take_all(&self) -> Vec<(K, PendingEvent<V>)> {
        self.state.lock().expect("no holder of this lock panics").pending.drain().collect()
    }

    /// Adds back what could not be written.
    pub fn put_back(&self, unwritten: Vec<(K, PendingEvent<V>)>) {
        let mut state = self.state.lock().expect("no holder of this lock panics");
        unwritten.into_iter().for_each(|(key, event)| state.add(key, event));
    }
}

impl<K: Eq + Hash + Clone, V> State<K, V> {
    fn add(&mut self, key: K, new: PendingEvent<V>) {
        match self.pending.get_mut(&key) {
            Some(event) => {
                event.count = event.count.saturating_add(new.count);
                event.first_at = event.first_at.min(new.first_at);
                event.last_at = event.last_at.max(new.last_at);
                event.value = new.value;
            }
            None => _ = self.pending.insert(key, new),
        }
    }

    fn take_due(&mut self, limits: &EventAggregator<K, V>, now: DateTime<Utc>) -> Vec<(K, PendingEvent<V>)> {
        if now - self.period_start >= limits.period || now < self.period_start {
            self.period_start = now;
            self.written.clear();
        }
        let free = limits.max_writes.saturating_sub(self.written.len());
        if free == 0 {
            return Vec::new();
        }
        let keys: Vec<K> = self.pending.keys().filter(|key| !self.written.contains(*key)).take(free).cloned().collect();
        let taken = keys.into_iter().filter_map(|key| self.pending.remove_entry(&key)).collect::<Vec<_>>();
        self.written.extend(taken.iter().map(|(key, _)| key.clone()));
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_000_000 + second, 0).unwrap()
    }

    fn counts(mut due: Vec<(u32, PendingEvent<i64>)>) -> Vec<(u32, i64)> {
        due.sort_by_key(|(key, _)| *key);
        due.into_iter().map(|(key, event)| (key, event.count)).collect()
    }

    #[test]
    fn the_first_event_is_due_at_once_and_the_others_once_in_a_period() {
        let aggregator = EventAggregator::new(10, 10, TimeDelta::seconds(60));
        assert_eq!(counts(aggregator.count(1, 0, 7, at(0))), [(1, 1)]);
        for second in 1..60 {
            assert_eq!(aggregator.count(1, 0, second, at(second)), []);
        }
        let due = aggregator.take_due(at(60));
        assert_eq!(due, [(1, PendingEvent { count: 59, first_at: at(1), last_at: at(59), value: 59 })]);
        aggregator.put_back(due);
        assert_eq!(aggregator.count(1, 0, 0, at(61)), [], "a write that failed counts too");
        assert_eq!(counts(aggregator.take_all()), [(1, 60)]);
        assert_eq!(aggregator.take_due(at(1_000)), []);
    }

    #[test]
    fn keys_beyond_the_limit_share_one_count_and_are_written_in_later_periods() {
        let aggregator = EventAggregator::new(3, 5, TimeDelta::seconds(60));
        let mut written = Vec::new();
        for key in 1..=20 {
            written.extend(counts(aggregator.count(key, 0, 0, at(0))));
        }
        assert_eq!(written, [(1, 1), (2, 1), (3, 1)]);
        let mut periods = 0;
        let mut rest = 0;
        while rest < 17 {
            periods += 1;
            let due = counts(aggregator.take_due(at(60 * periods)));
            assert!(!due.is_empty() && due.len() <= 3, "{due:?}");
            rest += due.iter().map(|(_, count)| *count).sum::<i64>();
        }
        assert_eq!((rest, periods), (17, 2), "five keys, and the overflow");
    }

    #[test]
    fn a_clock_set_back_does_not_stop_it() {
        let aggregator = EventAggregator::new(1, 10, TimeDelta::seconds(60));
        assert_eq!(counts(aggregator.count(1, 0, 0, at(1_000))), [(1, 1)]);
        assert_eq!(counts(aggregator.count(1, 0, 0, at(0))), [(1, 1)]);
    }
}
