//! Delivers every change, made by any node or process, to the watchers on this node.
//!
//! A row is written before its commit, so it may become visible after rows with later times. Each read therefore
//! starts before the end of the last one, and skips the rows it has seen: by a short overlap every time, and by a long
//! one in a sweep every few seconds. The changes of a transaction that stays open for longer, or of a node whose clock
//! is further behind, may be missed.

use super::change::{CHANNEL, Change, Kind};
use super::store::{self, Recorded};
use crate::app::App;
use crate::auth::Scope;
use crate::db::CommitListener;
use crate::error::{Error, Result};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};
use uuid::Uuid;

/// The overlap of each read with the one before.
const OVERLAP_SHORT: TimeDelta = TimeDelta::seconds(10);
/// The overlap of a sweep: longer than transactions stay open and clocks differ.
const OVERLAP: TimeDelta = TimeDelta::minutes(2);
/// The interval between sweeps.
const SWEEP_INTERVAL: Duration = Duration::from_secs(5);
/// The least interval between reads, so that many commits are read at once.
const MIN_INTERVAL: Duration = Duration::from_millis(20);
/// The delay after a read that failed.
const RETRY_DELAY: Duration = Duration::from_secs(1);
/// The changes that may be queued for one watcher.
const MAX_QUEUED: usize = 1_024;

/// The changes of one database, for all watchers in this process. It reads only while there are watchers.
pub struct Feed(Arc<Shared>);

/// A filter of a watcher.
#[derive(Debug, Clone, Copy)]
pub struct Interest {
    /// The kind of change.
    pub kind: Kind,
    /// The only account; `None` for all.
    pub account: Option<Uuid>,
    /// The scope of the watcher. It only saves work: the row itself is read through `visible`.
    pub scope: Scope,
}

/// A watcher of changes, until dropped.
pub struct Watcher {
    number: u64,
    changes: mpsc::Receiver<Change>,
    shared: Arc<Shared>,
}

struct Shared {
    app: Arc<App>,
    state: Mutex<State>,
    /// Notified when the last watcher is dropped.
    unwatched: Notify,
}

#[derive(Default)]
struct State {
    watchers: HashMap<u64, (Interest, mpsc::Sender<Change>)>,
    /// The number of watchers so far.
    count: u64,
    /// True once the reader has started; closed when it has ended.
    reader: Option<watch::Receiver<bool>>,
}

/// The progress of reading.
struct Reader {
    /// The time of the last read.
    read_at: DateTime<Utc>,
    swept: Instant,
    /// The rows that were delivered or there before, as far back as a sweep reads.
    seen: HashMap<Uuid, DateTime<Utc>>,
}

impl Feed {
    /// Creates the feed of the app's database.
    pub fn new(app: &Arc<App>) -> Feed {
        let (app, state) = (Arc::clone(app), Mutex::default());
        Feed(Arc::new(Shared { app, state, unwatched: Notify::new() }))
    }

    /// Starts to watch: every change committed after this returns is delivered.
    pub async fn watch(&self, interest: Interest) -> Result<Watcher> {
        let (sender, changes) = mpsc::channel(MAX_QUEUED);
        let (watcher, mut reader) = self.0.subscribe(interest, sender, changes);
        match reader.wait_for(|started| *started).await {
            Ok(_) => Ok(watcher),
            Err(_) => Err(Error::Unavailable(
                "The feed of changes",
                anyhow::anyhow!("it did not start; the log has the cause"),
            )),
        }
    }
}

impl Watcher {
    /// Waits for the next change; `None` after the queue was full, when further changes are lost to this watcher.
    pub async fn next(&mut self) -> Option<Change> {
        self.changes.recv().await
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.watchers.remove(&self.number);
        if state.watchers.is_empty() {
            self.shared.unwatched.notify_one();
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }

    fn subscribe(
        self: &Arc<Self>,
        interest: Interest,
        sender: mpsc::Sender<Change>,
        changes: mpsc::Receiver<Change>,
    ) -> (Watcher, watch::Receiver<bool>) {
        let mut state = self.state();
        state.count += 1;
        let number = state.count;
        state.watchers.insert(number, (interest, sender));
        let running = state.reader.clone().filter(|reader| reader.has_changed().is_ok());
        let reader = running.unwrap_or_else(|| {
            let (started, reader) = watch::channel(false);
            tokio::spawn(Arc::clone(self).run(started));
            state.reader = Some(reader.clone());
            reader
        });
        (Watcher { number, changes, shared: Arc::clone(self) }, reader)
    }

    /// Reads until the last watcher is dropped.
    async fn run(self: Arc<Self>, started: watch::Sender<bool>) {
        let (listener, mut reader) = match self.start().await {
            Ok(started) => started,
            Err(error) => return tracing::warn!(cause = %anyhow::Error::from(error), "changes cannot be read"),
        };
        let _ = started.send(true);
        let (mut failing, mut ticks) = (false, interval(MIN_INTERVAL));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !self.stop_if_unwatched() {
            tokio::select! {
                () = listener.next() => {}
                () = self.unwatched.notified() => continue,
            }
            ticks.tick().await;
            match reader.read(&self).await {
                Ok(()) => failing = false,
                Err(error) => {
                    if !std::mem::replace(&mut failing, true) {
                        let cause = anyhow::Error::from(error);
                        tracing::warn!(cause = format!("{cause:#}"), "changes cannot be read; retrying");
                    }
                    let _ = tokio::time::timeout(RETRY_DELAY, self.unwatched.notified()).await;
                }
            }
        }
    }

    /// Listens before the first read, so that no change is missed in between.
    async fn start(&self) -> Result<(CommitListener, Reader)> {
        let listener = self.app.db.listen(CHANNEL).await?;
        let read_at = self.app.now();
        let before = store::changes_since(self.app.db.read(), read_at - OVERLAP).await?;
        let seen = before.iter().map(|it| (it.id, it.at)).collect();
        Ok((listener, Reader { read_at, swept: Instant::now(), seen }))
    }

    /// Gives up the reader if there are no watchers; true if it must end.
    fn stop_if_unwatched(&self) -> bool {
        let mut state = self.state();
        let unwatched = state.watchers.is_empty();
        if unwatched {
            state.reader = None;
        }
        unwatched
    }

    /// Returns the accounts of `changes` whose members are needed to find the watchers.
    fn accounts(&self, changes: &[Change]) -> Vec<Uuid> {
        let by_user = |(interest, _): &(Interest, _)| matches!(interest.scope, Scope::User(_));
        if !self.state().watchers.values().any(by_user) {
            return Vec::new();
        }
        let accounts: HashSet<Uuid> = changes.iter().filter_map(|change| change.account()).collect();
        accounts.into_iter().collect()
    }

    /// Delivers a change to the watchers that it matches. A watcher whose queue is full is removed.
    fn deliver(&self, change: Change, members: &HashMap<Uuid, HashSet<Uuid>>) {
        let members = change.account().and_then(|account| members.get(&account));
        self.state()
            .watchers
            .retain(|_, (interest, sender)| !interest.matches(change, members) || sender.try_send(change).is_ok());
    }
}

impl Interest {
    fn matches(&self, change: Change, members: Option<&HashSet<Uuid>>) -> bool {
        let within = match self.scope {
            Scope::Everything => true,
            Scope::User(user) => members.is_some_and(|members| members.contains(&user)),
            Scope::Public => false,
        };
        within && change.kind() == self.kind && (self.account.is_none() || self.account == change.account())
    }
}

impl Reader {
    async fn read(&mut self, shared: &Shared) -> Result<()> {
        let (now, db) = (shared.app.now(), shared.app.db.read());
        let sweep = self.swept.elapsed() >= SWEEP_INTERVAL;
        let from = self.read_at - if sweep { OVERLAP } else { OVERLAP_SHORT };
        let mut rows = store::changes_since(db, from).await?;
        rows.retain(|row| !self.seen.contains_key(&row.id));
        let changes: Vec<Change> = rows.iter().filter_map(|row| row.change).collect();
        let accounts = shared.accounts(&changes);
        let members = if accounts.is_empty() { HashMap::new() } else { store::members(db, &accounts).await? };
        for change in changes {
            shared.deliver(change, &members);
        }
        self.seen.extend(rows.iter().map(|Recorded { id, at, .. }| (*id, *at)));
        if sweep {
            self.seen.retain(|_, at| *at >= from);
            self.swept = Instant::now();
        }
        // Never backwards: rows that `seen` no longer holds must not be read again.
        self.read_at = self.read_at.max(now);
        Ok(())
    }
}
