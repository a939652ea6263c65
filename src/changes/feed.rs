//! Delivers every change, made by any node or process, to the watchers on this node.
//!
//! Each read begins where the last one ended. On PostgreSQL a change becomes visible when its transaction commits, which
//! may be after changes that were recorded later: so a row names its transaction, and each read returns the rows of the
//! transactions that had not ended at the read before. On SQLite, which has one writer, positions are in the order of
//! commits. So a read is as much work as there are new changes, and none is missed however long a transaction stays open.

use super::change::{CHANNEL, Change, Kind};
use super::mailbox::Mailbox;
use super::store::{self, Watermark};
use crate::app::App;
use crate::auth::Scope;
use crate::db::CommitListener;
use crate::error::{Error, Result};
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::{MissedTickBehavior, interval, timeout};
use uuid::Uuid;

/// The least interval between reads, so that many commits are read at once.
const MIN_INTERVAL: Duration = Duration::from_millis(20);
/// The delay after a read that failed.
const RETRY_DELAY: Duration = Duration::from_secs(1);
/// The interval between reads while there are watchers of frequent changes, which are not announced.
const FREQUENT_POLL: Duration = Duration::from_millis(100);

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
    mailbox: Arc<Mailbox>,
    /// Changes that were taken from the mailbox.
    taken: VecDeque<Change>,
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
    watchers: HashMap<u64, (Interest, Arc<Mailbox>)>,
    /// The number of watchers so far.
    count: u64,
    /// True once the reader has started; closed when it has ended.
    reader: Option<watch::Receiver<bool>>,
}

impl Feed {
    /// Creates the feed of the app's database.
    pub fn new(app: &Arc<App>) -> Feed {
        let (app, state) = (Arc::clone(app), Mutex::default());
        Feed(Arc::new(Shared { app, state, unwatched: Notify::new() }))
    }

    /// Starts to watch: every change committed after this returns is delivered.
    pub async fn watch(&self, interest: Interest) -> Result<Watcher> {
        let (watcher, mut reader) = self.0.subscribe(interest);
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
        if self.taken.is_empty() {
            self.taken = self.mailbox.take().await;
        }
        self.taken.pop_front()
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

    fn subscribe(self: &Arc<Self>, interest: Interest) -> (Watcher, watch::Receiver<bool>) {
        let mailbox = Arc::new(Mailbox::new(interest.kind));
        let mut state = self.state();
        state.count += 1;
        let number = state.count;
        state.watchers.insert(number, (interest, Arc::clone(&mailbox)));
        let running = state.reader.clone().filter(|reader| reader.has_changed().is_ok());
        let reader = running.unwrap_or_else(|| {
            let (started, reader) = watch::channel(false);
            tokio::spawn(Arc::clone(self).run(started));
            state.reader = Some(reader.clone());
            reader
        });
        (Watcher { number, mailbox, taken: VecDeque::new(), shared: Arc::clone(self) }, reader)
    }

    /// Reads until the last watcher is dropped.
    async fn run(self: Arc<Self>, started: watch::Sender<bool>) {
        let (listener, mut mark) = match self.start().await {
            Ok(started) => started,
            Err(error) => return tracing::warn!(cause = %anyhow::Error::from(error), "changes cannot be read"),
        };
        let _ = started.send(true);
        let (mut failing, mut ticks) = (false, interval(MIN_INTERVAL));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !self.stop_if_unwatched() {
            tokio::select! {
                () = self.next_commits(&listener) => {}
                () = self.unwatched.notified() => continue,
            }
            ticks.tick().await;
            match self.read(&mark).await {
                Ok(next) => {
                    mark = next;
                    failing = false;
                }
                Err(error) => {
                    if !std::mem::replace(&mut failing, true) {
                        let cause = anyhow::Error::from(error);
                        tracing::warn!(cause = format!("{cause:#}"), "changes cannot be read; retrying");
                    }
                    let _ = timeout(RETRY_DELAY, self.unwatched.notified()).await;
                }
            }
        }
    }

    /// Completes when there may be new changes.
    async fn next_commits(&self, listener: &CommitListener) {
        let is_frequent = |(interest, _): &(Interest, _)| interest.kind.is_frequent();
        if self.state().watchers.values().any(is_frequent) {
            let _ = timeout(FREQUENT_POLL, listener.next()).await;
        } else {
            listener.next().await;
        }
    }

    /// Listens before the first read, so that no change is missed in between.
    async fn start(&self) -> Result<(CommitListener, Watermark)> {
        let listener = self.app.db.listen(CHANNEL).await?;
        Ok((listener, store::watermark(self.app.db.read()).await?))
    }

    /// Delivers the changes since `mark`, and returns the next watermark.
    async fn read(&self, mark: &Watermark) -> Result<Watermark> {
        let db = self.app.db.read();
        let (changes, next) = store::changes_since(db, mark).await?;
        let accounts = self.accounts(&changes);
        let members = if accounts.is_empty() { HashMap::new() } else { store::members(db, &accounts).await? };
        self.deliver(&changes, &members);
        Ok(next)
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
        let state = self.state();
        let by_user = state.watchers.values().map(|(interest, _)| interest);
        let by_user: Vec<&Interest> = by_user.filter(|interest| matches!(interest.scope, Scope::User(_))).collect();
        if by_user.is_empty() {
            return Vec::new();
        }
        let mut wide: Vec<Kind> = Vec::new();
        for interest in by_user.iter().filter(|interest| interest.account.is_none()) {
            if !wide.contains(&interest.kind) {
                wide.push(interest.kind);
            }
        }
        let named: HashSet<Uuid> = by_user.iter().filter_map(|interest| interest.account).collect();
        let is_wide = |change: &Change| wide.iter().any(|kind| change.of_kind(*kind).is_some());
        let accounts = changes
            .iter()
            .filter_map(|change| change.account().filter(|account| named.contains(account) || is_wide(change)));
        accounts.collect::<HashSet<Uuid>>().into_iter().collect()
    }

    /// Delivers changes to the watchers that they match. A watcher whose mailbox is full is removed.
    fn deliver(&self, changes: &[Change], members: &HashMap<Uuid, HashSet<Uuid>>) {
        let mut of_accounts: HashMap<Uuid, Vec<Change>> = HashMap::new();
        for change in changes {
            if let Some(account) = change.account() {
                of_accounts.entry(account).or_default().push(*change);
            }
        }
        self.state().watchers.retain(|_, (interest, mailbox)| {
            let changes = match interest.account {
                Some(account) => of_accounts.get(&account).map_or(&[][..], Vec::as_slice),
                None => changes,
            };
            let members = |change: &Change| members.get(&change.account()?);
            let mut matching = changes.iter().filter_map(|change| {
                let change = change.of_kind(interest.kind)?;
                interest.matches(change, members(&change)).then_some(change)
            });
            matching.all(|change| mailbox.add(change))
        });
    }
}

impl Interest {
    fn matches(&self, change: Change, members: Option<&HashSet<Uuid>>) -> bool {
        let within = match self.scope {
            Scope::Everything => true,
            Scope::User(user) => members.is_some_and(|members| members.contains(&user)),
            Scope::Public => false,
        };
        within && (self.account.is_none() || self.account == change.account())
    }
}
