//! Tells those who watch on this node of every change, whichever node or process made it.
//!
//! A row is written before its commit and may become visible after one that is later by its time. So reading starts
//! some way back each time, and what was told already is remembered: a little way at every reading, and the whole way
//! at a sweep every few seconds. A transaction that stays open for longer than that, or a node whose clock is further
//! behind, may have its changes missed.

use super::store::{self, Recorded};
use super::{CHANNEL, Change, Kind};
use crate::app::App;
use crate::auth::Scope;
use crate::db::Notices;
use crate::error::{Error, Result};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};
use uuid::Uuid;

/// How far each reading goes back from the one before.
const RECENT: TimeDelta = TimeDelta::seconds(10);
/// How far a sweep goes back: longer than a transaction is open and than clocks differ.
const OVERLAP: TimeDelta = TimeDelta::minutes(2);
/// How often there is a sweep.
const SWEEP: Duration = Duration::from_secs(5);
/// The least time from one reading to the next, so that many commits are read at once.
const PACE: Duration = Duration::from_millis(20);
/// How long the database is left alone after a reading failed.
const RETRY: Duration = Duration::from_secs(1);
/// How many changes may wait for one who watches.
const MOST_WAITING: usize = 1_024;

/// The changes of one database, for everybody in this process who watches. Reads only while somebody does.
pub struct Feed(Arc<Shared>);

/// What someone watches for.
#[derive(Debug, Clone, Copy)]
pub struct Interest {
    /// This kind of change.
    pub kind: Kind,
    /// Of this account alone; of any where there is none.
    pub account: Option<Uuid>,
    /// Of rows that are within this scope, to spare the others. It is a first sieve: who shows a row reads it through
    /// `visible`.
    pub scope: Scope,
}

/// Someone who watches, until dropped.
pub struct Watcher {
    number: u64,
    changes: mpsc::Receiver<Change>,
    shared: Arc<Shared>,
}

struct Shared {
    app: Arc<App>,
    state: Mutex<State>,
    /// Told when the last one who watched has left.
    deserted: Notify,
}

#[derive(Default)]
struct State {
    watchers: HashMap<u64, (Interest, mpsc::Sender<Change>)>,
    /// How many there have been.
    count: u64,
    /// Whether the reader has begun; closed when it has ended.
    reader: Option<watch::Receiver<bool>>,
}

/// Where reading has come to.
struct Reader {
    /// When the last reading was.
    read_at: DateTime<Utc>,
    swept: Instant,
    /// What was told, or there before, as far as a sweep goes back.
    seen: HashMap<Uuid, DateTime<Utc>>,
}

impl Feed {
    /// The changes of this app's database.
    pub fn new(app: &Arc<App>) -> Feed {
        let (app, state) = (Arc::clone(app), Mutex::default());
        Feed(Arc::new(Shared { app, state, deserted: Notify::new() }))
    }

    /// Watches: every change that is committed after this has answered will be told.
    pub async fn watch(&self, interest: Interest) -> Result<Watcher> {
        let (sender, changes) = mpsc::channel(MOST_WAITING);
        let (watcher, mut reader) = self.0.enter(interest, sender, changes);
        match reader.wait_for(|begun| *begun).await {
            Ok(_) => Ok(watcher),
            Err(_) => {
                Err(Error::Unavailable("the feed of changes", anyhow::anyhow!("it cannot begin; the log says why")))
            }
        }
    }
}

impl Watcher {
    /// The next change; none when so many were waiting that those after them are lost to this one.
    pub async fn next(&mut self) -> Option<Change> {
        self.changes.recv().await
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let mut state = self.shared.open();
        state.watchers.remove(&self.number);
        if state.watchers.is_empty() {
            self.shared.deserted.notify_one();
        }
    }
}

impl Shared {
    fn open(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }

    fn enter(
        self: &Arc<Self>,
        interest: Interest,
        sender: mpsc::Sender<Change>,
        changes: mpsc::Receiver<Change>,
    ) -> (Watcher, watch::Receiver<bool>) {
        let mut state = self.open();
        state.count += 1;
        let number = state.count;
        state.watchers.insert(number, (interest, sender));
        let running = state.reader.clone().filter(|reader| reader.has_changed().is_ok());
        let reader = running.unwrap_or_else(|| {
            let (begun, reader) = watch::channel(false);
            tokio::spawn(Arc::clone(self).run(begun));
            state.reader = Some(reader.clone());
            reader
        });
        (Watcher { number, changes, shared: Arc::clone(self) }, reader)
    }

    /// Reads until nobody watches any more.
    async fn run(self: Arc<Self>, begun: watch::Sender<bool>) {
        let (notices, mut reader) = match self.begin().await {
            Ok(begun) => begun,
            Err(error) => return tracing::warn!(cause = %anyhow::Error::from(error), "changes cannot be read"),
        };
        let _ = begun.send(true);
        let (mut failing, mut pace) = (false, interval(PACE));
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !self.is_deserted() {
            tokio::select! {
                () = notices.next() => {}
                () = self.deserted.notified() => continue,
            }
            pace.tick().await;
            match reader.read(&self).await {
                Ok(()) => failing = false,
                Err(error) => {
                    if !std::mem::replace(&mut failing, true) {
                        let cause = anyhow::Error::from(error);
                        tracing::warn!(cause = format!("{cause:#}"), "changes cannot be read; trying again");
                    }
                    let _ = tokio::time::timeout(RETRY, self.deserted.notified()).await;
                }
            }
        }
    }

    /// Listens first and reads then, so that nothing falls between.
    async fn begin(&self) -> Result<(Notices, Reader)> {
        let notices = self.app.db.notices(CHANNEL).await?;
        let read_at = self.app.now();
        let before = store::since(self.app.db.read(), read_at - OVERLAP).await?;
        let seen = before.iter().map(|it| (it.id, it.at)).collect();
        Ok((notices, Reader { read_at, swept: Instant::now(), seen }))
    }

    /// Whether nobody watches; the reader that asks has ended by then.
    fn is_deserted(&self) -> bool {
        let mut state = self.open();
        let deserted = state.watchers.is_empty();
        if deserted {
            state.reader = None;
        }
        deserted
    }

    /// The accounts of `changes` whose members must be known to tell whom they concern.
    fn accounts(&self, changes: &[Change]) -> Vec<Uuid> {
        let by_user = |(interest, _): &(Interest, _)| matches!(interest.scope, Scope::User(_));
        if !self.open().watchers.values().any(by_user) {
            return Vec::new();
        }
        let accounts: HashSet<Uuid> = changes.iter().filter_map(|change| change.account()).collect();
        accounts.into_iter().collect()
    }

    /// Tells whom it concerns. Who has too much waiting is left out from then on.
    fn tell(&self, change: Change, members: &HashMap<Uuid, HashSet<Uuid>>) {
        let members = change.account().and_then(|account| members.get(&account));
        self.open()
            .watchers
            .retain(|_, (interest, sender)| !interest.concerns(change, members) || sender.try_send(change).is_ok());
    }
}

impl Interest {
    fn concerns(&self, change: Change, members: Option<&HashSet<Uuid>>) -> bool {
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
        let sweep = self.swept.elapsed() >= SWEEP;
        let from = self.read_at - if sweep { OVERLAP } else { RECENT };
        let mut rows = store::since(db, from).await?;
        rows.retain(|row| !self.seen.contains_key(&row.id));
        let changes: Vec<Change> = rows.iter().filter_map(|row| row.change).collect();
        let accounts = shared.accounts(&changes);
        let members = if accounts.is_empty() { HashMap::new() } else { store::members(db, &accounts).await? };
        for change in changes {
            shared.tell(change, &members);
        }
        self.seen.extend(rows.iter().map(|Recorded { id, at, .. }| (*id, *at)));
        if sweep {
            self.seen.retain(|_, at| *at >= from);
            self.swept = Instant::now();
        }
        // Never back, so that what is forgotten here is never read again.
        self.read_at = self.read_at.max(now);
        Ok(())
    }
}
