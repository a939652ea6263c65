//! Work that goes on to its end when the request that began it is gone.
//!
//! A mutation runs in a task of its own: a client that disconnects, or a time limit, ends the wait and not the work. The
//! end of the process waits for the work that is left.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedMutexGuard, watch};
use tracing::Instrument as _;
use uuid::Uuid;

tokio::task_local! {
    static DEADLINE: Instant;
}

/// Returns the instant at which the caller of the current work is told that it failed; `None` if nobody waits for it, as
/// in a job.
pub fn deadline() -> Option<Instant> {
    DEADLINE.try_with(|deadline| *deadline).ok()
}

/// The detached work of this process.
#[derive(Debug)]
pub struct Detached {
    state: watch::Sender<State>,
    locks: Mutex<HashMap<Uuid, Weak<tokio::sync::Mutex<()>>>>,
}

#[derive(Debug, Default)]
struct State {
    running: usize,
    /// Increased to end the work that runs.
    generation: u64,
}

/// One piece of work, counted until it is dropped.
struct Running(watch::Sender<State>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.send_modify(|state| state.running -= 1);
    }
}

impl Default for Detached {
    fn default() -> Self {
        Detached { state: watch::Sender::new(State::default()), locks: Mutex::default() }
    }
}

impl Detached {
    /// Runs `work` in a task of its own and waits for it. Dropping the wait does not end the work. Its caller waits for at
    /// most `limit`, which [`deadline`] tells the work.
    pub async fn run<T: Send + 'static>(&self, limit: Duration, work: impl Future<Output = T> + Send + 'static) -> T {
        self.state.send_modify(|state| state.running += 1);
        let running = Running(self.state.clone());
        let mut states = self.state.subscribe();
        let (generation, deadline) = (states.borrow().generation, Instant::now() + limit);
        let task = async move {
            let _running = running;
            tokio::select! {
                biased;
                _ = states.wait_for(|state| state.generation != generation) => None,
                done = DEADLINE.scope(deadline, work) => Some(done),
            }
        };
        match tokio::spawn(task.in_current_span()).await {
            Ok(Some(done)) => done,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // The process ends, and so does everyone who waits.
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }

    /// Waits until no work is left.
    pub async fn idle(&self) {
        let mut states = self.state.subscribe();
        // Never an error: the sender lives as long as `self`.
        let _ = states.wait_for(|state| state.running == 0).await;
    }

    /// Waits for at most `limit` until no work is left, then ends the rest where it is.
    pub async fn finish(&self, limit: Duration) {
        if tokio::time::timeout(limit, self.idle()).await.is_err() {
            tracing::warn!("mutations were still running at the time limit");
            self.abort();
        }
    }

    /// Ends the work where it is, as the end of the process would.
    pub fn abort(&self) {
        self.state.send_modify(|state| state.generation += 1);
    }

    /// Waits until no other work of this process is about `id`, and keeps others waiting until the guard is dropped.
    pub async fn lock(&self, id: Uuid) -> OwnedMutexGuard<()> {
        let lock = {
            let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
            locks.retain(|_, lock| lock.strong_count() > 0);
            let known = locks.get(&id).and_then(Weak::upgrade);
            known.unwrap_or_else(|| {
                let lock = Arc::default();
                locks.insert(id, Arc::downgrade(&lock));
                lock
            })
        };
        lock.lock_owned().await
    }
}
