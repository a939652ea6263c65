//! The scheduling of reads: they start when no resolver can continue without one.
//!
//! Resolvers ask for keys and wait. [`BatchScheduler::drive`] runs the operation until all of its resolvers wait, and
//! only then starts the requested reads, so that one read serves all of them. No timer and no number of turns guesses
//! when a level is complete.
//!
//! Resolvers that find their rows loaded never wait. So that they block neither the runtime nor the time limit, a turn
//! ends after some rows ([`BatchScheduler::deliver`]), and the operation ends when its budget is used up.

use super::cost::budget::{Budget, Overrun};
use crate::error::{Error, Result};
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use futures_util::task::AtomicWaker;
use std::collections::HashMap;
use std::future::{pending, poll_fn};
use std::hash::Hash;
use std::mem::take;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::task::{Context, Poll, Wake, Waker};

/// Polls of an operation before the runtime gets its turn. The runtime must get one: tokio's resources stop making
/// progress when a task's budget for one turn is used up, and the operation would be polled forever.
const TURNS: usize = 32;

/// Rows that resolvers may take up in one turn of the runtime. With the fields of each, they take less than a millisecond.
const ROWS_PER_TURN: u64 = 32;

/// The result of a read: nothing, a value, or an error shared by all who asked.
pub type Found<V> = Result<Option<V>, Arc<Error>>;

/// The reads that an operation has requested and not started, and what it may use.
#[derive(Default)]
pub struct BatchScheduler {
    due: Mutex<Vec<BoxFuture<'static, ()>>>,
    budget: OnceLock<Arc<Budget>>,
    /// Rows delivered in this turn.
    delivered: AtomicU64,
}

impl BatchScheduler {
    /// Sets what the operation may use; without this call, there is no limit.
    pub fn limit(&self, budget: Arc<Budget>) {
        // A scheduler drives one operation.
        let _ = self.budget.set(budget);
    }

    /// Counts rows that a resolver is about to turn into objects. Waits for the next turn if this one had enough, and
    /// for ever if the budget is used up: [`drive`](BatchScheduler::drive) then ends the operation.
    pub async fn deliver(&self, rows: u64) {
        poll_fn(|cx| {
            if self.overrun().is_some() {
                return Poll::Pending;
            }
            if self.delivered.load(Ordering::Relaxed) >= ROWS_PER_TURN {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Poll::Ready(())
        })
        .await;
        self.delivered.fetch_add(rows.max(1), Ordering::Relaxed);
        if let Some(budget) = self.budget.get() {
            budget.add_rows(rows);
        }
        if self.overrun().is_some() {
            pending::<()>().await;
        }
    }

    /// Counts the bytes of a long value. Returns false if the budget is used up.
    pub fn deliver_bytes(&self, bytes: u64) -> bool {
        self.budget.get().is_none_or(|budget| budget.add_bytes(bytes))
    }

    fn overrun(&self) -> Option<Overrun> {
        self.budget.get()?.overrun()
    }

    /// Runs `operation` and the reads that its resolvers request, until it is done or its budget is used up.
    pub async fn drive<T>(&self, operation: impl Future<Output = T>) -> Result<T, Overrun> {
        let flag = Arc::new(WakeFlag { set: AtomicBool::new(true), outside: AtomicWaker::new() });
        let waker = Waker::from(Arc::clone(&flag));
        let mut operation = pin!(operation);
        let mut reads = FuturesUnordered::new();
        poll_fn(move |cx| {
            // While the operation is polled, a woken resolver sets the flag only.
            flag.outside.take();
            self.delivered.store(0, Ordering::Relaxed);
            for _ in 0..TURNS {
                if flag.set.swap(false, Ordering::AcqRel) {
                    let polled = operation.as_mut().poll(&mut Context::from_waker(&waker));
                    if let Some(overrun) = self.overrun() {
                        return Poll::Ready(Err(overrun));
                    }
                    if let Poll::Ready(value) = polled {
                        return Poll::Ready(Ok(value));
                    }
                    let turn_is_over = self.delivered.load(Ordering::Relaxed) >= ROWS_PER_TURN;
                    if turn_is_over && flag.set.load(Ordering::Acquire) {
                        break;
                    }
                    // It may have woken itself meanwhile: a join of many futures yields now and then.
                    continue;
                }
                let due = take(&mut *open(&self.due));
                let begun = !due.is_empty();
                reads.extend(due);
                while let Poll::Ready(Some(())) = reads.poll_next_unpin(cx) {}
                if !begun {
                    flag.outside.register(cx.waker());
                    if !flag.set.load(Ordering::Acquire) {
                        return Poll::Pending;
                    }
                }
            }
            flag.outside.register(cx.waker());
            end_turn(cx)
        })
        .await
    }
}

/// Ends a turn: the runtime continues with other tasks and with its sockets and timers, and then with this one.
fn end_turn<T>(cx: &mut Context<'_>) -> Poll<T> {
    // tokio wakes the task after all others had their turn, even if this future is gone by then.
    let mut turn = pin!(tokio::task::yield_now());
    let _ = turn.as_mut().poll(cx);
    Poll::Pending
}

/// A waker that records that a resolver can continue.
struct WakeFlag {
    set: AtomicBool,
    outside: AtomicWaker,
}

impl Wake for WakeFlag {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.set.store(true, Ordering::Release);
        self.outside.wake();
    }
}

/// The requested keys and results of one kind of read.
pub struct LoaderCache<K, V>(Mutex<Slots<K, V>>);

struct Slots<K, V> {
    by_key: HashMap<K, Slot<V>>,
    /// Requested keys that are not part of a read yet.
    waiting: Vec<K>,
}

enum Slot<V> {
    /// The wakers of the resolvers that wait.
    Asked(Vec<Waker>),
    Found(Found<V>),
}

impl<K, V> Default for LoaderCache<K, V> {
    fn default() -> Self {
        LoaderCache(Mutex::new(Slots { by_key: HashMap::new(), waiting: Vec::new() }))
    }
}

impl<K: Clone + Eq + Hash + Send + 'static, V: Clone + Send + 'static> LoaderCache<K, V> {
    /// Returns the value of `key`. The first key of a batch schedules `read`.
    pub async fn get(
        self: Arc<Self>,
        key: K,
        scheduler: &BatchScheduler,
        read: impl FnOnce(Arc<Self>) -> BoxFuture<'static, ()>,
    ) -> Found<V> {
        let mut read = Some(read);
        poll_fn(|cx| {
            let mut slots = open(&self.0);
            match slots.by_key.get_mut(&key) {
                Some(Slot::Found(found)) => return Poll::Ready(found.clone()),
                Some(Slot::Asked(wakers)) => {
                    if !wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
                        wakers.push(cx.waker().clone());
                    }
                }
                None => {
                    if slots.waiting.is_empty()
                        && let Some(read) = read.take()
                    {
                        open(&scheduler.due).push(read(Arc::clone(&self)));
                    }
                    slots.waiting.push(key.clone());
                    slots.by_key.insert(key.clone(), Slot::Asked(vec![cx.waker().clone()]));
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Stores a value that was read elsewhere, unless the key was requested already.
    pub fn put(&self, key: K, value: V) {
        open(&self.0).by_key.entry(key).or_insert(Slot::Found(Ok(Some(value))));
    }

    /// Takes the keys to read; the caller must answer them with [`fill`](LoaderCache::fill).
    pub fn take(&self) -> Vec<K> {
        take(&mut open(&self.0).waiting)
    }

    /// Answers `keys` and wakes those who wait; a key that is not in `found` has no value.
    pub fn fill(&self, keys: Vec<K>, found: Result<HashMap<K, V>>) {
        let mut found = found.map_err(Arc::new);
        let mut slots = open(&self.0);
        for key in keys {
            let answer = match &mut found {
                Ok(values) => Ok(values.remove(&key)),
                Err(error) => Err(Arc::clone(error)),
            };
            if let Some(Slot::Asked(wakers)) = slots.by_key.insert(key, Slot::Found(answer)) {
                wakers.into_iter().for_each(Waker::wake);
            }
        }
    }
}

fn open<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().expect("no holder of this lock panics")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::time::Duration;

    /// More than tokio allows a task in one turn.
    const MANY: usize = 10_000;

    /// A task that `block_on` runs outside a worker is woken at once when its budget is used up, not at the end of the
    /// turn.
    #[test]
    fn an_operation_that_never_has_to_wait_gives_the_runtime_its_turn() {
        let (done, waiting) = mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
            runtime.block_on(async {
                let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
                (0..MANY).for_each(|number| sender.send(number).unwrap());
                let operation = async {
                    for _ in 0..MANY {
                        receiver.recv().await.unwrap();
                    }
                };
                BatchScheduler::default().drive(operation).await.unwrap();
            });
            done.send(()).unwrap();
        });
        // The time-out is only a guard: without a turn of its own the runtime would never finish.
        waiting.recv_timeout(Duration::from_secs(60)).expect("the operation was polled forever");
    }
}
