//! When to read: the moment at which no resolver can go on without an answer.
//!
//! Resolvers ask for keys and sleep. [`Batches::drive`] runs the operation until every one of its resolvers sleeps, and
//! only then starts the reads that were asked for, so that one read serves all who asked, however many they are. No
//! timer and no count of turns guesses when a level is complete.

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

/// How often an operation is polled before the runtime gets its turn. It must get one: what of tokio an operation uses
/// stops making progress when its budget for one turn is used up, and would be asked again for ever.
const TURNS: usize = 32;

/// What was found: nothing, a value, or an error that all who asked share.
pub type Found<V> = Result<Option<V>, Arc<Error>>;

/// The reads that an operation has asked for and that have not started.
#[derive(Default)]
pub struct Batches {
    due: Mutex<Vec<BoxFuture<'static, ()>>>,
}

impl Batches {
    /// Runs `operation`, and the reads that its resolvers ask for.
    pub async fn drive<T>(&self, operation: impl Future<Output = T>) -> T {
        let alarm = Arc::new(Alarm { rung: AtomicBool::new(true), outside: AtomicWaker::new() });
        let waker = Waker::from(Arc::clone(&alarm));
        let mut operation = pin!(operation);
        let mut reads = FuturesUnordered::new();
        poll_fn(move |cx| {
            alarm.outside.register(cx.waker());
            for _ in 0..TURNS {
                if alarm.rung.swap(false, Ordering::AcqRel) {
                    match operation.as_mut().poll(&mut Context::from_waker(&waker)) {
                        Poll::Ready(value) => return Poll::Ready(value),
                        // It may have rung meanwhile: a join of many gives way now and then.
                        Poll::Pending => continue,
                    }
                }
                let due = take(&mut *open(&self.due));
                let begun = !due.is_empty();
                reads.extend(due);
                while let Poll::Ready(Some(())) = reads.poll_next_unpin(cx) {}
                if !begun && !alarm.rung.load(Ordering::Acquire) {
                    return Poll::Pending;
                }
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await
    }
}

/// Tells whether a resolver can go on.
struct Alarm {
    rung: AtomicBool,
    outside: AtomicWaker,
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        self.outside.wake();
    }
}

/// One kind of read: what was asked, what was found.
pub struct Shelf<K, V>(Mutex<Slots<K, V>>);

struct Slots<K, V> {
    by_key: HashMap<K, Slot<V>>,
    /// Asked for, and not yet part of a read.
    waiting: Vec<K>,
}

enum Slot<V> {
    /// Whom to wake.
    Asked(Vec<Waker>),
    Found(Found<V>),
}

impl<K, V> Default for Shelf<K, V> {
    fn default() -> Self {
        Shelf(Mutex::new(Slots { by_key: HashMap::new(), waiting: Vec::new() }))
    }
}

impl<K: Clone + Eq + Hash + Send + 'static, V: Clone + Send + 'static> Shelf<K, V> {
    /// What is found for `key`. The first key of a batch puts `read` among the reads that are due.
    pub async fn get(
        self: Arc<Self>,
        key: K,
        batches: &Batches,
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
                        open(&batches.due).push(read(Arc::clone(&self)));
                    }
                    slots.waiting.push(key.clone());
                    slots.by_key.insert(key.clone(), Slot::Asked(vec![cx.waker().clone()]));
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Keeps a value that came from elsewhere, unless the key was asked for already.
    pub fn put(&self, key: K, value: V) {
        open(&self.0).by_key.entry(key).or_insert(Slot::Found(Ok(Some(value))));
    }

    /// The keys to read for. Whoever takes them answers them, by [`fill`](Shelf::fill).
    pub fn take(&self) -> Vec<K> {
        take(&mut open(&self.0).waiting)
    }

    /// Answers `keys`, and wakes who asked; a key that is not in `found` has no value.
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

    /// More than tokio lets a task do in one turn.
    const MANY: usize = 10_000;

    /// What `block_on` runs outside a worker is woken at once when its turn is used up, and not at the end of the turn.
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
                Batches::default().drive(operation).await;
            });
            done.send(()).unwrap();
        });
        // A guard alone: without its turn it would never come to an end.
        waiting.recv_timeout(Duration::from_secs(60)).expect("it spins for ever");
    }
}
