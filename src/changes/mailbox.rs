//! The changes that wait for one watcher.

use super::change::{Change, Kind};
use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

/// The changes that may wait for one watcher.
const MAX_WAITING: usize = 1_024;
/// The time for which frequent changes are collected, so that many of one subject become one.
const COLLECT: Duration = Duration::from_millis(100);

/// The changes that wait for one watcher.
pub(super) struct Mailbox {
    collects: bool,
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

#[derive(Default)]
struct Waiting {
    changes: VecDeque<Change>,
    /// The subjects of those changes, where one change of each suffices.
    subjects: HashSet<Uuid>,
    /// Time from which they are collected; `None` if there are none.
    since: Option<Instant>,
    /// True once a change was lost.
    overflowed: bool,
}

impl Mailbox {
    pub(super) fn new(kind: Kind) -> Mailbox {
        Mailbox { collects: kind.is_frequent(), waiting: Mutex::default(), arrived: Notify::new() }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().expect("no holder of this lock panics")
    }

    /// Adds a change; false if there is no room, after which nothing is added any more.
    pub(super) fn add(&self, change: Change) -> bool {
        let mut waiting = self.waiting();
        if self.collects && !waiting.subjects.insert(change.subject()) {
            return true;
        }
        waiting.since.get_or_insert_with(Instant::now);
        if waiting.changes.len() < MAX_WAITING {
            waiting.changes.push_back(change);
        } else {
            waiting.overflowed = true;
        }
        self.arrived.notify_one();
        !waiting.overflowed
    }

    /// Waits for changes and takes them: one, or all that were collected. Empty when changes were lost. Nothing is lost
    /// if the caller stops waiting.
    pub(super) async fn take(&self) -> VecDeque<Change> {
        while self.waiting().is_silent() {
            self.arrived.notified().await;
        }
        if !self.collects {
            return self.waiting().changes.pop_front().into_iter().collect();
        }
        let until = self.waiting().since.map(|since| since + COLLECT);
        if let Some(until) = until {
            let _ = timeout_at(until, std::future::pending::<()>()).await;
        }
        let mut waiting = self.waiting();
        waiting.subjects.clear();
        waiting.since = None;
        std::mem::take(&mut waiting.changes)
    }
}

impl Waiting {
    fn is_silent(&self) -> bool {
        self.changes.is_empty() && !self.overflowed
    }
}
