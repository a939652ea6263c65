//! Keeps what comes too often from being written each time: it is counted, and the count is written now and then.

use chrono::{DateTime, TimeDelta, Utc};
use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::Mutex;

/// Counts of things to be written down, each at most once in a period, and no more than so many in one.
#[derive(Debug)]
pub struct Limiter<K, V> {
    most_writes: usize,
    most_held: usize,
    period: TimeDelta,
    state: Mutex<State<K, V>>,
}

#[derive(Debug)]
struct State<K, V> {
    since: DateTime<Utc>,
    /// What was written in this period.
    written: HashSet<K>,
    held: HashMap<K, Held<V>>,
}

/// Something that was counted and is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held<V> {
    /// How often it came.
    pub count: i64,
    /// When it came first.
    pub first_at: DateTime<Utc>,
    /// When it came last.
    pub last_at: DateTime<Utc>,
    /// What was said of it last.
    pub value: V,
}

impl<K: Eq + Hash + Clone, V> Limiter<K, V> {
    /// At most `most_writes` in a `period`; while they wait, at most `most_held` different things are told apart.
    pub fn new(most_writes: usize, most_held: usize, period: TimeDelta) -> Self {
        let state = State { since: DateTime::UNIX_EPOCH, written: HashSet::new(), held: HashMap::new() };
        Limiter { most_writes, most_held, period, state: Mutex::new(state) }
    }

    /// Counts `key`, or `crowd` where too many different things are held already. What is due is given to the caller,
    /// who writes it.
    pub fn count(&self, key: K, crowd: K, value: V, now: DateTime<Utc>) -> Vec<(K, Held<V>)> {
        let mut state = self.state.lock().expect("no holder of this lock panics");
        let known = state.held.contains_key(&key) || state.held.len() < self.most_held;
        let key = if known { key } else { crowd };
        let held = Held { count: 1, first_at: now, last_at: now, value };
        state.add(key, held);
        state.due(self, now)
    }

    /// What is due without anything new having come.
    pub fn due(&self, now: DateTime<Utc>) -> Vec<(K, Held<V>)> {
        self.state.lock().expect("no holder of this lock panics").due(self, now)
    }

    /// Everything that is held, due or not: for the end of the process.
    pub fn take_all(&self) -> Vec<(K, Held<V>)> {
        self.state.lock().expect("no holder of this lock panics").held.drain().collect()
    }

    /// Counts again what could not be written.
    pub fn put_back(&self, unwritten: Vec<(K, Held<V>)>) {
        let mut state = self.state.lock().expect("no holder of this lock panics");
        unwritten.into_iter().for_each(|(key, held)| state.add(key, held));
    }
}

impl<K: Eq + Hash + Clone, V> State<K, V> {
    fn add(&mut self, key: K, new: Held<V>) {
        match self.held.get_mut(&key) {
            Some(held) => {
                held.count = held.count.saturating_add(new.count);
                held.first_at = held.first_at.min(new.first_at);
                held.last_at = held.last_at.max(new.last_at);
                held.value = new.value;
            }
            None => _ = self.held.insert(key, new),
        }
    }

    fn due(&mut self, limits: &Limiter<K, V>, now: DateTime<Utc>) -> Vec<(K, Held<V>)> {
        if now - self.since >= limits.period || now < self.since {
            self.since = now;
            self.written.clear();
        }
        let free = limits.most_writes.saturating_sub(self.written.len());
        if free == 0 {
            return Vec::new();
        }
        let keys: Vec<K> = self.held.keys().filter(|key| !self.written.contains(*key)).take(free).cloned().collect();
        let taken = keys.into_iter().filter_map(|key| self.held.remove_entry(&key)).collect::<Vec<_>>();
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

    fn counts(mut due: Vec<(u32, Held<i64>)>) -> Vec<(u32, i64)> {
        due.sort_by_key(|(key, _)| *key);
        due.into_iter().map(|(key, held)| (key, held.count)).collect()
    }

    #[test]
    fn the_first_is_due_at_once_and_the_rest_once_in_a_period() {
        let limiter = Limiter::new(10, 10, TimeDelta::seconds(60));
        assert_eq!(counts(limiter.count(1, 0, 7, at(0))), [(1, 1)]);
        for second in 1..60 {
            assert_eq!(limiter.count(1, 0, second, at(second)), []);
        }
        let due = limiter.due(at(60));
        assert_eq!(due, [(1, Held { count: 59, first_at: at(1), last_at: at(59), value: 59 })]);
        limiter.put_back(due);
        assert_eq!(limiter.count(1, 0, 0, at(61)), [], "it counts as tried");
        assert_eq!(counts(limiter.take_all()), [(1, 60)]);
        assert_eq!(limiter.due(at(1_000)), []);
    }

    #[test]
    fn a_crowd_is_written_slowly_and_told_apart_no_further_than_there_is_room() {
        let limiter = Limiter::new(3, 5, TimeDelta::seconds(60));
        let mut written = Vec::new();
        for key in 1..=20 {
            written.extend(counts(limiter.count(key, 0, 0, at(0))));
        }
        assert_eq!(written, [(1, 1), (2, 1), (3, 1)]);
        let mut periods = 0;
        let mut rest = 0;
        while rest < 17 {
            periods += 1;
            let due = counts(limiter.due(at(60 * periods)));
            assert!(!due.is_empty() && due.len() <= 3, "{due:?}");
            rest += due.iter().map(|(_, count)| *count).sum::<i64>();
        }
        assert_eq!((rest, periods), (17, 2), "five told apart, and the crowd");
    }

    #[test]
    fn a_clock_that_goes_back_does_not_stop_it() {
        let limiter = Limiter::new(1, 10, TimeDelta::seconds(60));
        assert_eq!(counts(limiter.count(1, 0, 0, at(1_000))), [(1, 1)]);
        assert_eq!(counts(limiter.count(1, 0, 0, at(0))), [(1, 1)]);
    }
}
