//! Runs the jobs of the queue.

use super::job::Slots;
use super::queue::{self, Fate, MAX_ATTEMPTS, SCHEDULE};
use super::worker::{Run, Worker};
use crate::app::App;
use crate::error::{Error, Result};
use chrono::{DateTime, TimeDelta, Utc};
use entity::jobs::Model;
use futures_util::FutureExt;
use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// The interval at which the queue is read without a signal, for jobs that other nodes enqueue or that fall due.
const POLL: Duration = Duration::from_secs(1);
/// The interval at which a worker inserts missing jobs of its schedules.
const SCHEDULE_CHECK: TimeDelta = TimeDelta::minutes(1);
/// The longest run of a job.
const TIME_LIMIT: Duration = Duration::from_secs(4 * 60);
/// The longest run without a renewed lease: ten seconds less than the lease, so that the job has ended when another
/// worker may claim it.
const MAX_UNRENEWED: Duration = Duration::from_secs(20);
/// The delay before a failed renewal is retried.
const RENEWAL_RETRY: Duration = Duration::from_secs(1);

/// The numbers of runs by outcome. Jobs of a schedule count only when they fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Runs that succeeded.
    pub done: usize,
    /// Runs that failed.
    pub failed: usize,
}

/// A claimed job, with the properties of its kind.
struct Task {
    job: Model,
    run: Run,
    slots: Slots,
    period: Option<TimeDelta>,
    renewal: Duration,
    /// An instant no later than the start of the lease.
    claimed: Instant,
}

impl Worker {
    /// Runs jobs until `stop` completes, then waits at most `limit` for those that are running. The rest are aborted,
    /// and run again when their leases end.
    pub async fn run(&self, app: &Arc<App>, stop: impl Future<Output = ()>, limit: Duration) {
        let mut stop = std::pin::pin!(stop);
        let mut running = JoinSet::new();
        let mut state = State::default();
        let slots = Slots::ALL.map(|slots| (slots, Arc::new(Semaphore::new(slots.count()))));
        loop {
            let limits = slots.each_ref().map(|(slots, free)| (*slots, free.available_permits()));
            for task in state.claim(self, app, &limits).await {
                let group = slots.iter().find(|(slots, _)| *slots == task.slots);
                let slot = group.and_then(|(_, free)| Arc::clone(free).try_acquire_owned().ok());
                let app = Arc::clone(app);
                running.spawn(async move {
                    task.execute(&app).await;
                    drop(slot);
                });
            }
            let free = slots.iter().any(|(_, free)| free.available_permits() > 0);
            tokio::select! {
                biased;
                () = &mut stop => break,
                Some(_) = running.join_next() => {}
                _ = tokio::time::timeout(POLL, app.db.worker_signal().wait()), if free => {}
            }
            while running.try_join_next().is_some() {}
        }
        let rest = async { while running.join_next().await.is_some() {} };
        if tokio::time::timeout(limit, rest).await.is_err() {
            tracing::warn!(limit_s = limit.as_secs(), "jobs were still running at the time limit");
            // They have ended when this returns.
            running.shutdown().await;
        }
    }

    /// Runs the due jobs one by one until none is due: for tests, whose clock stands still.
    pub async fn run_due(&self, app: &App) -> Result<Tally> {
        queue::insert_scheduled(app, &self.kinds).await?;
        let mut tally = Tally::default();
        loop {
            let claimed = Instant::now();
            let Some(task) =
                self.tasks(queue::claim(app, &self.kinds, &[(Slots::ALL.to_vec(), 1)]).await?, claimed).pop()
            else {
                break;
            };
            let scheduled = task.period.is_some();
            match task.execute(app).await {
                true if scheduled => {}
                true => tally.done += 1,
                false => tally.failed += 1,
            }
        }
        Ok(tally)
    }

    fn tasks(&self, jobs: Vec<Model>, claimed: Instant) -> Vec<Task> {
        let task = |job: Model| {
            let kind = self.kind(&job.kind)?;
            let period = kind.schedule.as_ref().map(|schedule| schedule.period);
            let period = period.filter(|_| job.unique_key.as_deref() == Some(SCHEDULE));
            Some(Task { job, run: kind.run, slots: kind.slots, period, renewal: self.renewal, claimed })
        };
        jobs.into_iter().filter_map(task).collect()
    }
}

/// The state of the loop.
#[derive(Default)]
struct State {
    scheduled_at: Option<DateTime<Utc>>,
    failing: bool,
}

impl State {
    /// Claims due jobs for the free slots of each group; none if the database does not respond or lacks the table, which
    /// is logged once.
    async fn claim(&mut self, worker: &Worker, app: &App, free: &[(Slots, usize)]) -> Vec<Task> {
        if free.iter().all(|(_, limit)| *limit == 0) {
            return Vec::new();
        }
        let claimed = Instant::now();
        match self.try_claim(worker, app, free).await {
            Ok(jobs) => {
                self.failing = false;
                worker.tasks(jobs, claimed)
            }
            Err(error) => {
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::warn!(cause = cause(error), "the queue of jobs cannot be read; retrying every second");
                }
                Vec::new()
            }
        }
    }

    async fn try_claim(&mut self, worker: &Worker, app: &App, free: &[(Slots, usize)]) -> Result<Vec<Model>> {
        let now = app.now();
        if self.scheduled_at.is_none_or(|at| now - at >= SCHEDULE_CHECK) {
            queue::insert_scheduled(app, &worker.kinds).await?;
            self.scheduled_at = Some(now);
        }
        let groups: Vec<_> = free.iter().map(|(slots, limit)| (vec![*slots], *limit)).collect();
        queue::claim(app, &worker.kinds, &groups).await
    }
}

impl Task {
    /// Runs the job and records the outcome; true if it succeeded.
    async fn execute(self, app: &App) -> bool {
        let start = Instant::now();
        let outcome = match self.job.attempts > MAX_ATTEMPTS && self.period.is_none() {
            true => Err("every attempt ended with its process, or outran its lease".to_owned()),
            false => self.outcome(app).await,
        };
        let Task { job, period, .. } = self;
        let (error, duration_ms) = (outcome.clone().err(), start.elapsed().as_millis());
        let next = period.map(|period| next_period(app.now(), period));
        let fate = queue::finish(app, &job, outcome, next).await;
        let done = error.is_none();
        let error = error.unwrap_or_default();
        let (kind, id, attempt) = (&*job.kind, job.id, job.attempts);
        match fate {
            Ok(Fate::Done) if period.is_some() => tracing::debug!(kind, %id, attempt, duration_ms, "job done"),
            Ok(Fate::Done) => tracing::info!(kind, %id, attempt, duration_ms, "job done"),
            Ok(Fate::Waits(until)) => {
                tracing::warn!(kind, %id, attempt, duration_ms, %until, error, "job failed; it will be retried");
            }
            Ok(Fate::Parked) => tracing::error!(kind, %id, attempt, duration_ms, error, "job failed; it is parked"),
            Ok(Fate::Lost) => {
                tracing::warn!(kind, %id, attempt, duration_ms, error, "job ended after its lease; another ran it");
            }
            Err(failure) => {
                let cause = cause(failure);
                tracing::error!(kind, %id, attempt, duration_ms, error, cause, "the outcome of a job is not recorded");
            }
        }
        done
    }

    /// Runs the job until it ends or panics, or until the time limit or the end of its lease.
    async fn outcome(&self, app: &App) -> Result<(), String> {
        let job = async { (self.run)(app, self.job.payload.clone()).await };
        // A panic cannot break shared state: all that a job shares is the app, which holds no invariants of jobs.
        let guarded = AssertUnwindSafe(job).catch_unwind();
        tokio::select! {
            ended = tokio::time::timeout(TIME_LIMIT, guarded) => match ended {
                Ok(Ok(Ok(()))) => Ok(()),
                Ok(Ok(Err(error))) => Err(cause(error)),
                Ok(Err(panic)) => Err(format!("panicked: {}", panic_message(&*panic))),
                Err(_) => Err(format!("aborted after {} s", TIME_LIMIT.as_secs())),
            },
            why = self.keep_lease(app) => Err(format!("aborted, as its lease {why}")),
        }
    }

    /// Renews the lease until that fails, and returns the reason.
    async fn keep_lease(&self, app: &App) -> &'static str {
        let mut renewed = self.claimed;
        let mut pause = self.renewal;
        loop {
            #[expect(clippy::disallowed_methods, reason = "leases run on the machine's time")]
            tokio::time::sleep(pause.min(MAX_UNRENEWED.saturating_sub(renewed.elapsed()))).await;
            let (begin, left) = (Instant::now(), MAX_UNRENEWED.saturating_sub(renewed.elapsed()));
            pause = match tokio::time::timeout(left, queue::renew(app, &self.job)).await {
                Ok(Ok(true)) => {
                    renewed = begin;
                    self.renewal
                }
                Ok(Ok(false)) => return "passed to another worker",
                Ok(Err(error)) if renewed.elapsed() < MAX_UNRENEWED => {
                    let (kind, id) = (&*self.job.kind, self.job.id);
                    tracing::warn!(kind, %id, cause = cause(error), "the lease of a job is not renewed; retrying");
                    RENEWAL_RETRY
                }
                Ok(Err(_)) | Err(_) => return "could not be renewed",
            };
        }
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}

/// Returns the error with its causes, for the log and the parked job.
fn cause(error: Error) -> String {
    format!("{:#}", anyhow::Error::from(error))
}

/// Returns the start of the next period.
fn next_period(now: DateTime<Utc>, period: TimeDelta) -> DateTime<Utc> {
    let passed = TimeDelta::seconds(now.timestamp().rem_euclid(period.num_seconds()));
    let whole = DateTime::from_timestamp(now.timestamp(), 0).expect("the present without its fraction is an instant");
    whole - passed + period
}
