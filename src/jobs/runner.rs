//! Does what is in the queue.

use super::queue::{self, Fate, MOST_ATTEMPTS, SCHEDULE};
use super::{Run, Worker};
use crate::app::App;
use crate::error::{Error, Result};
use chrono::{DateTime, TimeDelta, Utc};
use entity::jobs::Model;
use futures_util::FutureExt;
use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// How many jobs one node runs at a time; each holds at most one connection of the pool.
const AT_ONCE: usize = 4;
/// How long the queue is left alone when nothing is said about it: what other nodes enqueue, and what falls due.
const POLL: Duration = Duration::from_secs(1);
/// How often a worker makes sure that its schedules are there.
const SCHEDULE_CHECK: TimeDelta = TimeDelta::minutes(1);
/// How long a job may run.
const TIME_LIMIT: Duration = Duration::from_secs(4 * 60);
/// How long a job runs on without its lease being renewed: ten seconds less than the lease, so that it has ended when
/// another may take it.
const HELD: Duration = Duration::from_secs(20);
/// How soon a renewal that failed is tried again.
const RENEWAL_RETRY: Duration = Duration::from_secs(1);

/// How the jobs that were due ended. Jobs of a schedule count only when they fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Runs that did their work.
    pub done: usize,
    /// Runs that failed.
    pub failed: usize,
}

/// A claimed job with what there is to know about its kind.
struct Task {
    job: Model,
    run: Run,
    period: Option<TimeDelta>,
    renewal: Duration,
    /// No later than the lease began.
    claimed: Instant,
}

impl Worker {
    /// Works until `stop` completes, then lets the jobs at hand finish for at most `limit`. What is broken off then is
    /// run again when its lease ends.
    pub async fn run(&self, app: &Arc<App>, stop: impl Future<Output = ()>, limit: Duration) {
        let mut stop = std::pin::pin!(stop);
        let mut running = JoinSet::new();
        let mut state = State::default();
        loop {
            for task in state.claim(self, app, AT_ONCE - running.len()).await {
                let app = Arc::clone(app);
                running.spawn(async move { task.work(&app).await });
            }
            let free = running.len() < AT_ONCE;
            tokio::select! {
                biased;
                () = &mut stop => break,
                Some(_) = running.join_next() => {}
                _ = tokio::time::timeout(POLL, app.db.bell().listen()), if free => {}
            }
            while running.try_join_next().is_some() {}
        }
        let rest = async { while running.join_next().await.is_some() {} };
        if tokio::time::timeout(limit, rest).await.is_err() {
            tracing::warn!(limit_s = limit.as_secs(), "jobs were still running at the time limit");
            // Nothing of them goes on once this returns.
            running.shutdown().await;
        }
    }

    /// Runs what is due, one job after the other, until nothing is: for tests, with a clock that stands still.
    pub async fn run_due(&self, app: &App) -> Result<Tally> {
        queue::schedule(app, &self.kinds).await?;
        let mut tally = Tally::default();
        loop {
            let claimed = Instant::now();
            let Some(task) = self.tasks(queue::claim(app, &self.kinds, 1).await?, claimed).pop() else { break };
            let scheduled = task.period.is_some();
            match task.work(app).await {
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
            Some(Task { job, run: kind.run, period, renewal: self.renewal, claimed })
        };
        jobs.into_iter().filter_map(task).collect()
    }
}

/// What the loop remembers from one turn to the next.
#[derive(Default)]
struct State {
    scheduled_at: Option<DateTime<Utc>>,
    failing: bool,
}

impl State {
    /// Up to `most` due jobs; none where the database does not answer or lacks the table, which is logged once.
    async fn claim(&mut self, worker: &Worker, app: &App, most: usize) -> Vec<Task> {
        if most == 0 {
            return Vec::new();
        }
        let claimed = Instant::now();
        match self.try_claim(worker, app, most).await {
            Ok(jobs) => {
                self.failing = false;
                worker.tasks(jobs, claimed)
            }
            Err(error) => {
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::warn!(cause = cause(error), "the queue of jobs cannot be read; trying again each second");
                }
                Vec::new()
            }
        }
    }

    async fn try_claim(&mut self, worker: &Worker, app: &App, most: usize) -> Result<Vec<Model>> {
        let now = app.now();
        if self.scheduled_at.is_none_or(|at| now - at >= SCHEDULE_CHECK) {
            queue::schedule(app, &worker.kinds).await?;
            self.scheduled_at = Some(now);
        }
        queue::claim(app, &worker.kinds, most).await
    }
}

impl Task {
    /// Does the job and records how it ended; whether it ended well.
    async fn work(self, app: &App) -> bool {
        let start = Instant::now();
        let outcome = match self.job.attempts > MOST_ATTEMPTS && self.period.is_none() {
            true => Err("each attempt ended with its process, or ran over its lease".to_owned()),
            false => self.outcome(app).await,
        };
        let Task { job, period, .. } = self;
        let (error, duration_ms) = (outcome.clone().err(), start.elapsed().as_millis());
        let next = period.map(|period| slot_after(app.now(), period));
        let fate = queue::settle(app, &job, outcome, next).await;
        let done = error.is_none();
        let error = error.unwrap_or_default();
        let (kind, id, attempt) = (&*job.kind, job.id, job.attempts);
        match fate {
            Ok(Fate::Done) if period.is_some() => tracing::debug!(kind, %id, attempt, duration_ms, "job done"),
            Ok(Fate::Done) => tracing::info!(kind, %id, attempt, duration_ms, "job done"),
            Ok(Fate::Waits(until)) => {
                tracing::warn!(kind, %id, attempt, duration_ms, %until, error, "job failed; it will be tried again");
            }
            Ok(Fate::Parked) => tracing::error!(kind, %id, attempt, duration_ms, error, "job failed; it is parked"),
            Ok(Fate::Lost) => {
                tracing::warn!(kind, %id, attempt, duration_ms, error, "job ended after its lease; it was run again");
            }
            Err(failure) => {
                let cause = cause(failure);
                tracing::error!(kind, %id, attempt, duration_ms, error, cause, "the end of a job cannot be recorded");
            }
        }
        done
    }

    /// Runs the job to its end, its panic, the time limit or the end of its lease.
    async fn outcome(&self, app: &App) -> Result<(), String> {
        let job = async { (self.run)(app, self.job.payload.clone()).await };
        // A job leaves nothing behind that a panic could break: all it shares is the app, which holds no invariants of it.
        let guarded = AssertUnwindSafe(job).catch_unwind();
        tokio::select! {
            ended = tokio::time::timeout(TIME_LIMIT, guarded) => match ended {
                Ok(Ok(Ok(()))) => Ok(()),
                Ok(Ok(Err(error))) => Err(cause(error)),
                Ok(Err(panic)) => Err(format!("panicked: {}", said(&*panic))),
                Err(_) => Err(format!("broken off after {} s", TIME_LIMIT.as_secs())),
            },
            why = self.hold(app) => Err(format!("broken off, as its lease {why}")),
        }
    }

    /// Renews the lease as long as that succeeds, and then says why it does not.
    async fn hold(&self, app: &App) -> &'static str {
        let mut renewed = self.claimed;
        let mut pause = self.renewal;
        loop {
            #[expect(clippy::disallowed_methods, reason = "the lease runs by the time of the machine")]
            tokio::time::sleep(pause.min(HELD.saturating_sub(renewed.elapsed()))).await;
            let (begin, left) = (Instant::now(), HELD.saturating_sub(renewed.elapsed()));
            pause = match tokio::time::timeout(left, queue::renew(app, &self.job)).await {
                Ok(Ok(true)) => {
                    renewed = begin;
                    self.renewal
                }
                Ok(Ok(false)) => return "is another's by now",
                Ok(Err(error)) if renewed.elapsed() < HELD => {
                    let (kind, id) = (&*self.job.kind, self.job.id);
                    tracing::warn!(kind, %id, cause = cause(error), "the lease of a job is not renewed; trying again");
                    RENEWAL_RETRY
                }
                Ok(Err(_)) | Err(_) => return "could not be renewed",
            };
        }
    }
}

fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}

/// The error with all that led to it, for the log and the parked job.
fn cause(error: Error) -> String {
    format!("{:#}", anyhow::Error::from(error))
}

/// The beginning of the next period.
fn slot_after(now: DateTime<Utc>, period: TimeDelta) -> DateTime<Utc> {
    let passed = TimeDelta::seconds(now.timestamp().rem_euclid(period.num_seconds()));
    let whole = DateTime::from_timestamp(now.timestamp(), 0).expect("the present without its fraction is an instant");
    whole - passed + period
}
