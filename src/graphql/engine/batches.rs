//! The scheduling of reads: they start when no resolver can continue without one.
//!
//! Resolvers ask for keys and wait. [`BatchScheduler::drive`] runs the operation until all of its resolvers wait, and
//! only then starts the requested reads, so that one read serves all of them. No timer and no number of turns guesses
//! when a level is complete.

use crate::error::{Error, Result};
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use futures_util::task::AtomicWaker;
use std::collections::HashMap;
use std::future::poll_fn;
use std::hash::Hash;
use std::mem::take;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};

/// Polls of an operation before the runtime gets its turn. The runtime must get one: tokio's resources stop making
/// progress when a task's budget for one turn is used up, and the operation would be polled forever.
const TURNS: usize = 32;

/// The result of a read: nothing, a value, or an error shared by all who asked.
pub type Found<V> = Result<Option<V>, Arc<Error>>;

/// The reads that an operation has requested and not started.
#[derive(Default)]
pub struct BatchScheduler {
    due: Mutex<Vec<BoxFuture<'static, ()>>>,
}

impl BatchScheduler {
    /// Runs `operation` and the reads that its resolvers request.
    pub async fn drive<T>(&self, operation: impl Future<Output = T>) -> T {
        let flag = Arc::new(WakeFlag { set: AtomicBool::new(true), outside: AtomicWaker::new() });
        let waker = Waker::from(Arc::clone(&flag));
        let mut operation = pin!(operation);
        let mut reads = FuturesUnordered::new();
        poll_fn(move |cx| {
            flag.outside.register(cx.waker());
            for _ in 0..TURNS {
                if flag.set.swap(false, Ordering::AcqRel) {
                    match operation.as_mut().poll(&mut Context::from_waker(&waker)) {
                        Poll::Ready(value) => return Poll::Ready(value),
                        // It may have woken itself meanwhile: a join of many futures yields now and then.
                        Poll::Pending => continue,
                    }
                }
                let due = take(&mut *open(&self.due));
                let begun = !due.is_empty();
                reads.extend(due);
                while let Poll::Ready(Some(())) = reads.poll_next_unpin(cx) {}
                if !begun && !flag.set.load(Ordering::Acquire) {
                    return Poll::Pending;
                }
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await
    }
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
                BatchScheduler::default().drive(operation).await;
            });
            done.send(()).unwrap();
        });
        // The time-out is only a guard: without a turn of its own the runtime would never finish.
        waiting.recv_timeout(Duration::from_secs(60)).expect("the operation was polled forever");
    }
}
