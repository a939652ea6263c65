//! The kinds of jobs, and their schedules.

use super::job::{Job, Slots};
use crate::app::App;
use crate::error::{Error, Result};
use chrono::TimeDelta;
use futures_util::future::BoxFuture;
use serde_json::Value;
use std::time::Duration;

/// The interval at which the lease of a running job is renewed.
const RENEWAL: Duration = Duration::from_secs(10);

/// The kinds of jobs that a worker runs, and their schedules.
#[derive(Debug)]
pub struct Worker {
    pub(super) kinds: Vec<Kind>,
    pub(super) renewal: Duration,
}

impl Default for Worker {
    fn default() -> Worker {
        Worker { kinds: Vec::new(), renewal: RENEWAL }
    }
}

/// One kind of job.
#[derive(Debug)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) run: Run,
    pub(super) slots: Slots,
    /// The schedule on which it also runs without being enqueued, if any.
    pub(super) schedule: Option<Schedule>,
}

pub(super) type Run = for<'a> fn(&'a App, Value) -> BoxFuture<'a, Result<()>>;

#[derive(Debug)]
pub(super) struct Schedule {
    pub(super) period: TimeDelta,
    pub(super) payload: Value,
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
        self.kinds.push(Kind { name: J::KIND, run: run::<J>, slots: J::SLOTS, schedule });
        self
    }

    pub(super) fn kind(&self, name: &str) -> Option<&Kind> {
        self.kinds.iter().find(|kind| kind.name == name)
    }
}

fn run<J: Job>(app: &App, payload: Value) -> BoxFuture<'_, Result<()>> {
    Box::pin(async move {
        let job: J = serde_json::from_value(payload).map_err(Error::internal)?;
        job.run(app).await
    })
}
