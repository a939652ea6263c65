//! Background jobs: enqueued in the transaction that needs them, run by a worker.
//!
//! **A job must be idempotent.** It runs at least once, not exactly once: after a process is killed, any node runs its
//! job again when the lease ends, within 30 seconds. So a job calls a verb that is harmless to repeat, because of a
//! unique business key or because it reads first what is left to do.
//!
//! Invariants: a job exists if and only if the transaction that enqueued it is committed; of all workers on all nodes,
//! at most one runs a job at a time; a job that fails is neither lost nor retried for ever.
//!
//! While a job runs, its lease is renewed every ten seconds. If that fails for twenty seconds, the job is aborted, ten
//! seconds before another worker may claim it: so the clocks of the machines must agree within ten seconds.

mod housekeeping;
mod queue;
mod runner;

pub use housekeeping::PurgeIdempotencyKeys;
pub use queue::{MAX_ATTEMPTS, SCHEDULE, backlog, retry_delay};
pub use runner::Tally;

use crate::app::App;
use crate::error::{Error, Result};
use chrono::TimeDelta;
use futures_util::future::BoxFuture;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::time::Duration;

/// The interval at which the lease of a running job is renewed.
const RENEWAL: Duration = Duration::from_secs(10);

/// A piece of work to run later. Its fields are stored as JSON until then.
///
/// A new version must still read the fields that an older version stored.
pub trait Job: Serialize + DeserializeOwned + Send + 'static {
    /// The name in the database and in logs; it never changes.
    const KIND: &'static str;

    /// Returns the key that makes two jobs of this kind one, such as the id of the object they work on; see
    /// [`Txn::enqueue`](crate::db::Txn::enqueue). `None` keeps every job apart.
    fn unique_key(&self) -> Option<String> {
        None
    }

    /// Runs the job. It may run more than once, and is aborted after four minutes: a long job works in steps that are
    /// committed one by one. After an error or a panic it is retried later.
    fn run(self, app: &App) -> impl Future<Output = Result<()>> + Send;
}

/// The kinds of jobs that a worker runs, and their schedules.
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
    /// The schedule on which it also runs without being enqueued, if any.
    schedule: Option<Schedule>,
}

type Run = for<'a> fn(&'a App, Value) -> BoxFuture<'a, Result<()>>;

#[derive(Debug)]
struct Schedule {
    period: TimeDelta,
    payload: Value,
}

impl Worker {
    /// Creates a worker without kinds of jobs.
    pub fn new() -> Worker {
        Worker::default()
    }

    /// Renews leases at this interval instead of every ten seconds, so that a test need not wait.
    pub fn renewing_every(self, renewal: Duration) -> Worker {
        Worker { renewal, ..self }
    }

    /// Adds the kind `J`, run when it is enqueued.
    pub fn on_demand<J: Job>(self) -> Worker {
        self.with::<J>(None)
    }

    /// Adds the kind `J`, run once in every `period`, however many nodes there are, and when it is enqueued.
    ///
    /// Periods are whole seconds and start at the Unix epoch: an hourly job runs at each full hour, and the first time
    /// immediately. After a failure it is retried like any job, but no later than at the next period, and never parked.
    pub fn every<J: Job + Default>(self, period: TimeDelta) -> Worker {
        assert!(period >= TimeDelta::seconds(1), "{}: a period is at least one second", J::KIND);
        let payload = serde_json::to_value(J::default()).expect("a default job can be written as JSON");
        self.with::<J>(Some(Schedule { period, payload }))
    }

    fn with<J: Job>(mut self, schedule: Option<Schedule>) -> Worker {
        assert!(self.kind(J::KIND).is_none(), "{}: this kind of job was added before", J::KIND);
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
