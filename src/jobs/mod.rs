//! Work that is done later: written down in the transaction that calls for it, and done by a worker.
//!
//! **A job must be idempotent.** It runs at least once, not exactly once: a process that is killed leaves its job to be
//! run again, by any node, when its lease ends, within 30 seconds. So a job calls a verb that is harmless to repeat, by a
//! unique business key or by looking at what is still to do.
//!
//! Invariants: a job exists exactly when the transaction that enqueued it is committed; of two workers, on one node or
//! on several, at most one runs a job at a time; a job that fails is neither lost nor tried for ever.
//!
//! While a job runs its lease is renewed every ten seconds. Where that does not succeed for twenty, the job is broken
//! off, ten seconds before another may take it: so the machines' clocks must agree within ten seconds.

mod housekeeping;
mod queue;
mod runner;

pub use housekeeping::PurgeIdempotencyKeys;
pub use queue::{MOST_ATTEMPTS, SCHEDULE, backlog, retry_delay};
pub use runner::Tally;

use crate::app::App;
use crate::error::{Error, Result};
use chrono::TimeDelta;
use futures_util::future::BoxFuture;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::time::Duration;

/// How often the lease of a running job is renewed.
const RENEWAL: Duration = Duration::from_secs(10);

/// Something to be done later; its fields are stored as JSON until then.
///
/// A change of the fields must still read what an older version has enqueued.
pub trait Job: Serialize + DeserializeOwned + Send + 'static {
    /// Its name in the database and in logs; it never changes.
    const KIND: &'static str;

    /// Returns the key that makes two jobs of this kind one, such as the id of the object they work on; see
    /// [`Txn::enqueue`](crate::db::Txn::enqueue). `None` keeps every job apart.
    fn unique_key(&self) -> Option<String> {
        None
    }

    /// Does it. It may run more than once, and is broken off after four minutes: a long job works in steps that are
    /// committed one by one. An error or a panic makes it run again later.
    fn run(self, app: &App) -> impl Future<Output = Result<()>> + Send;
}

/// The jobs that a worker does, and how often those are due that nobody enqueues.
#[derive(Debug)]
pub struct Worker {
    kinds: Vec<Kind>,
    renewal: Duration,
}

impl Default for Worker {
    fn default() -> Worker {
        Worker { kinds: Vec::new(), renewal: RENEWAL }
    }
}

/// One kind of job.
#[derive(Debug)]
struct Kind {
    name: &'static str,
    run: Run,
    /// How it runs by itself; `None` for only when it is enqueued.
    schedule: Option<Schedule>,
}

type Run = for<'a> fn(&'a App, Value) -> BoxFuture<'a, Result<()>>;

#[derive(Debug)]
struct Schedule {
    period: TimeDelta,
    payload: Value,
}

impl Worker {
    /// A worker that does nothing.
    pub fn new() -> Worker {
        Worker::default()
    }

    /// The worker that renews the lease of a running job this often in place of every ten seconds, so that a test need
    /// not wait.
    pub fn renewing_every(self, renewal: Duration) -> Worker {
        Worker { renewal, ..self }
    }

    /// The worker that also does `J` when it is enqueued.
    pub fn on_demand<J: Job>(self) -> Worker {
        self.with::<J>(None)
    }

    /// The worker that also does `J` once in every `period`, however many nodes there are, and when it is enqueued.
    ///
    /// Periods are of whole seconds and start at the Unix epoch: an hourly job runs at each full hour, and the first
    /// time at once. A failure is tried again as for any job, but no later than at the next period, and never parked.
    pub fn every<J: Job + Default>(self, period: TimeDelta) -> Worker {
        assert!(period >= TimeDelta::seconds(1), "{}: a period is at least a second", J::KIND);
        let payload = serde_json::to_value(J::default()).expect("what a job is by default can be written as JSON");
        self.with::<J>(Some(Schedule { period, payload }))
    }

    fn with<J: Job>(mut self, schedule: Option<Schedule>) -> Worker {
        assert!(self.kind(J::KIND).is_none(), "{}: another kind of job has this name", J::KIND);
        self.kinds.push(Kind { name: J::KIND, run: run::<J>, schedule });
        self
    }

    fn kind(&self, name: &str) -> Option<&Kind> {
        self.kinds.iter().find(|kind| kind.name == name)
    }
}

fn run<J: Job>(app: &App, payload: Value) -> BoxFuture<'_, Result<()>> {
    Box::pin(async move {
        let job: J = serde_json::from_value(payload).map_err(Error::internal)?;
        job.run(app).await
    })
}
