//! The table of jobs: enqueue, claim, renew and finish.

use super::job::{Job, Slots};
use super::state::JobState;
use super::worker::Kind;
use crate::app::App;
use crate::db::{ROW_LOCK, Txn, columns, skip_locked, upsert_all};
use crate::error::{Error, Result};
use chrono::{DateTime, TimeDelta, Utc};
use entity::jobs::{ActiveModel, Column, Entity, Model};
use futures_util::future::BoxFuture;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, DatabaseConnection, EntityTrait,
    FromQueryResult, ModelTrait, PaginatorTrait, QueryFilter, QuerySelect, Statement, Value,
};

/// The attempts of a job before it is parked, which take a little over nine hours.
pub const MAX_ATTEMPTS: i64 = 20;
/// The unique key of scheduled jobs. Enqueueing a job under this key brings its next run forward.
pub const SCHEDULE: &str = "schedule";
/// The time for which a claimed job belongs to its worker, unless renewed.
pub(super) const LEASE: TimeDelta = TimeDelta::seconds(30);
const MAX_ERROR_CHARS: usize = 2_000;

/// Returns the delay after the `attempts`-th failure of a job: 2, 4, 8, … 2,048 seconds, and an hour from the twelfth
/// on.
pub fn retry_delay(attempts: i64) -> TimeDelta {
    let doublings = u32::try_from(attempts).unwrap_or(0);
    TimeDelta::seconds(2_i64.saturating_pow(doublings).min(3_600))
}

impl Txn {
    /// Enqueues `job`, to run as soon as a worker is free. It exists once the transaction is committed, which also
    /// wakes the worker, and never if it is rolled back.
    ///
    /// Jobs of one kind with one [`unique_key`](Job::unique_key) are one: at most one is in the queue and at most one
    /// runs at a time.
    ///
    /// - While one waits, enqueueing brings it forward if it is for earlier.
    /// - While one runs, it runs once more afterwards, so that what the running one may have missed is not missed.
    /// - One that waits after a failure keeps its delay, so that the delay grows however often it is enqueued.
    /// - One that was parked is tried again, from the first attempt.
    ///
    /// The payload of the last one to be enqueued counts. A transaction that enqueues under several keys does so in
    /// their order, as it locks each until it ends.
    pub fn enqueue<J: Job>(&self, job: &J) -> BoxFuture<'_, Result<()>> {
        self.enqueue_at(job, self.now())
    }

    /// Enqueues `job` as [`enqueue`](Txn::enqueue) does, to run no earlier than `run_at`.
    pub fn enqueue_at<J: Job>(&self, job: &J, run_at: DateTime<Utc>) -> BoxFuture<'_, Result<()>> {
        // Outside the future, which then needs no reference to the job.
        let row = (serde_json::to_value(job), job.unique_key());
        Box::pin(async move { insert(self, J::KIND, vec![row], run_at).await })
    }

    /// Enqueues jobs of one kind as [`enqueue`](Txn::enqueue) does, in one statement. Their keys must differ, and be in
    /// the order in which every transaction enqueues them.
    pub fn enqueue_all<'j, J: Job>(&self, jobs: impl IntoIterator<Item = &'j J>) -> BoxFuture<'_, Result<()>> {
        let rows: Vec<_> = jobs.into_iter().map(|job| (serde_json::to_value(job), job.unique_key())).collect();
        Box::pin(async move { insert(self, J::KIND, rows, self.now()).await })
    }
}

type Row = (serde_json::Result<serde_json::Value>, Option<String>);

async fn insert(txn: &Txn, kind: &'static str, rows: Vec<Row>, run_at: DateTime<Utc>) -> Result<()> {
    const UPSERT: &str = " ON CONFLICT (kind, unique_key) DO UPDATE SET payload = excluded.payload, state = 'queued', \
        attempts = CASE WHEN jobs.state = 'parked' THEN 0 ELSE jobs.attempts END, \
        run_at = CASE WHEN jobs.state = 'parked' THEN excluded.run_at \
            WHEN jobs.attempts = 0 AND excluded.run_at < jobs.run_at THEN excluded.run_at \
            ELSE jobs.run_at END, \
        again_at = CASE WHEN jobs.locked_by IS NOT NULL AND (jobs.again_at IS NULL \
            OR excluded.run_at < jobs.again_at) THEN excluded.run_at ELSE jobs.again_at END";
    if rows.is_empty() {
        return Ok(());
    }
    let mut jobs = Vec::with_capacity(rows.len());
    for (payload, unique_key) in rows {
        jobs.push(ActiveModel {
            id: Set(txn.new_id()),
            kind: Set(kind.to_owned()),
            payload: Set(payload.map_err(Error::internal)?),
            state: Set(JobState::Queued.to_string()),
            unique_key: Set(unique_key),
            run_at: Set(run_at.fixed_offset()),
            attempts: Set(0),
            created_at: Set(txn.now().fixed_offset()),
            ..Default::default()
        });
    }
    upsert_all::<Entity>(txn, jobs, UPSERT).await?;
    txn.arm();
    Ok(())
}

/// Inserts the job of every schedule unless it is in the queue, where it stays.
pub(super) async fn insert_scheduled(app: &App, kinds: &[Kind]) -> Result<()> {
    let scheduled = kinds.iter().filter_map(|kind| Some((kind.name, kind.schedule.as_ref()?.payload.clone())));
    let scheduled: Vec<_> = scheduled.collect();
    if scheduled.is_empty() {
        return Ok(());
    }
    let write = app.db.write(move |txn| {
        Box::pin(async move {
            let now = txn.now().fixed_offset();
            let rows = scheduled.into_iter().map(|(kind, payload)| ActiveModel {
                id: Set(txn.new_id()),
                kind: Set(kind.to_owned()),
                payload: Set(payload),
                state: Set(JobState::Queued.to_string()),
                unique_key: Set(Some(SCHEDULE.to_owned())),
                run_at: Set(now),
                attempts: Set(0),
                locked_by: Set(None),
                locked_until: Set(None),
                again_at: Set(None),
                error: Set(None),
                created_at: Set(now),
            });
            let there = OnConflict::columns([Column::Kind, Column::UniqueKey]).do_nothing().to_owned();
            Entity::insert_many(rows).on_conflict(there).exec_without_returning(txn).await?;
            Ok(())
        })
    });
    write.await
}

/// Returns the numbers of queued and of parked jobs, without those of schedules, for monitoring.
pub async fn backlog(db: &DatabaseConnection) -> Result<[(&'static str, u64); 2]> {
    let count = async |state: JobState| {
        let asked = Condition::any().add(Column::UniqueKey.is_null()).add(Column::UniqueKey.ne(SCHEDULE));
        let count = Entity::find().filter(Column::State.eq(state)).filter(asked).count(db).await?;
        Ok::<_, Error>((state.as_str(), count))
    };
    Ok([count(JobState::Queued).await?, count(JobState::Parked).await?])
}

/// Claims due jobs of these kinds, the longest due first: of each group of slots up to its limit. During the lease no
/// other worker claims them.
///
/// The attempt is counted here rather than at its end, so that a job which kills its process is not retried for ever.
pub(super) async fn claim(app: &App, kinds: &[Kind], groups: &[(Vec<Slots>, usize)]) -> Result<Vec<Model>> {
    let of_group = |(slots, limit): &(Vec<Slots>, usize)| {
        let names = kinds.iter().filter(|kind| slots.contains(&kind.slots)).map(|kind| kind.name);
        (names.collect::<Vec<_>>(), *limit)
    };
    let groups: Vec<_> = groups.iter().map(of_group).filter(|(names, limit)| !names.is_empty() && *limit > 0).collect();
    if groups.is_empty() {
        return Ok(Vec::new());
    }
    let work = app.db.write(move |txn| {
        Box::pin(async move {
            let backend = txn.get_database_backend();
            let (now, until) = (txn.now().fixed_offset(), (txn.now() + LEASE).fixed_offset());
            let mut values: Vec<Value> = vec![now.into(), txn.new_id().into(), until.into()];
            let (mut due, mut ids) = (Vec::new(), Vec::new());
            for (number, (names, limit)) in groups.into_iter().enumerate() {
                let places: Vec<_> = (1..=names.len()).map(|place| format!("${}", values.len() + place)).collect();
                values.extend(names.into_iter().map(Value::from));
                // Materialized: PostgreSQL could run the select twice, and lock other rows the second time.
                due.push(format!(
                    "due{number} AS MATERIALIZED (SELECT id FROM jobs WHERE state = 'queued' AND run_at <= $1 \
                     AND (locked_until IS NULL OR locked_until <= $1) AND kind IN ({}) \
                     ORDER BY run_at, id LIMIT {limit} {})",
                    places.join(", "),
                    skip_locked(backend),
                ));
                ids.push(format!("SELECT id FROM due{number}"));
            }
            let sql = format!(
                "WITH {} UPDATE jobs SET attempts = attempts + 1, locked_by = $2, locked_until = $3, \
                 again_at = CASE WHEN again_at > $1 THEN again_at END WHERE id IN ({}) RETURNING {}",
                due.join(", "),
                ids.join(" UNION ALL "),
                columns::<Entity>(),
            );
            let rows = txn.query_all_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
            rows.iter().map(|row| Ok(Model::from_query_result(row, "")?)).collect::<Result<Vec<_>>>()
        })
    });
    let mut jobs = work.await?;
    jobs.sort_by_key(|job| (job.run_at, job.id));
    Ok(jobs)
}

/// Renews the lease of a claimed job; false if it belongs to another worker by now.
pub(super) async fn renew(app: &App, job: &Model) -> Result<bool> {
    let (id, claim_id) = (job.id, job.locked_by);
    app.db
        .write(move |txn| {
            Box::pin(async move {
                let ours = Entity::update_many().filter(Column::Id.eq(id)).filter(Column::LockedBy.eq(claim_id));
                let until = (txn.now() + LEASE).fixed_offset();
                let renewed = ours.col_expr(Column::LockedUntil, Expr::value(until)).exec(txn).await?;
                Ok(renewed.rows_affected == 1)
            })
        })
        .await
}

/// The state of a job after its run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Succeeded. It is gone, or queued again for its schedule or because it was enqueued during the run.
    Done,
    /// Failed, and queued to run again at this time.
    Waits(DateTime<Utc>),
    /// Failed too often, and kept until an operator acts.
    Parked,
    /// Its lease ended and another worker claimed it, so this run is not recorded.
    Lost,
}

/// Records the outcome of a claimed job. `next` is the next time of its schedule.
pub(super) async fn finish(
    app: &App,
    job: &Model,
    outcome: Result<(), String>,
    next: Option<DateTime<Utc>>,
) -> Result<Fate> {
    let (id, claim_id) = (job.id, job.locked_by);
    app.db
        .write(move |txn| {
            Box::pin(async move {
                if outcome.is_ok() && next.is_none() {
                    // Unless it was enqueued during the run.
                    let ours = Entity::delete_many().filter(Column::Id.eq(id)).filter(Column::LockedBy.eq(claim_id));
                    if ours.filter(Column::AgainAt.is_null()).exec(txn).await?.rows_affected == 1 {
                        return Ok(Fate::Done);
                    }
                }
                let ours = Entity::find_by_id(id).filter(Column::LockedBy.eq(claim_id));
                match ours.lock(ROW_LOCK).one(txn).await? {
                    Some(job) => record(txn, job, outcome, next).await,
                    None => Ok(Fate::Lost),
                }
            })
        })
        .await
}

async fn record(txn: &Txn, job: Model, outcome: Result<(), String>, next: Option<DateTime<Utc>>) -> Result<Fate> {
    let now = txn.now();
    let (attempts, again) = (job.attempts, job.again_at.map(|at| at.to_utc()));
    let soonest = [next, again].into_iter().flatten().min();
    if outcome.is_ok() && soonest.is_none() {
        job.delete(txn).await?;
        return Ok(Fate::Done);
    }
    let retry = now + retry_delay(attempts);
    let (fate, attempts, run_at) = match (&outcome, next, again) {
        (Ok(()), ..) => (Fate::Done, 0, soonest.unwrap_or(now)),
        (Err(_), Some(next), _) => (Fate::Waits(retry.min(next)), attempts, retry.min(next)),
        (Err(_), None, _) if attempts < MAX_ATTEMPTS => (Fate::Waits(retry), attempts, retry),
        // Enqueued after its last attempt began: it starts over, as a parked job does.
        (Err(_), None, Some(again)) => (Fate::Waits(again), 0, again),
        (Err(_), None, None) => (Fate::Parked, attempts, now),
    };
    let mut change = ActiveModel::from(job);
    change.attempts = Set(attempts);
    change.run_at = Set(run_at.fixed_offset());
    change.locked_by = Set(None);
    change.locked_until = Set(None);
    change.again_at = Set(None);
    change.error = Set(outcome.err().map(storable));
    if fate == Fate::Parked {
        change.state = Set(JobState::Parked.to_string());
    }
    change.update(txn).await?;
    Ok(fate)
}

/// Returns an error as it is stored: truncated, and without NUL, which PostgreSQL's text cannot hold.
fn storable(error: String) -> String {
    error.chars().filter(|char| *char != '\0').take(MAX_ERROR_CHARS).collect()
}
