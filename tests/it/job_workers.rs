//! Workers: many at a time, killed, on a schedule, started and stopped.

use crate::support::chores::{Chore, Diary, Does, chore, chores, enqueue, enqueue_at, only, queue, run, runs};
use crate::support::{TestApp, both_engines, sql};
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::EntityTrait;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tollgate::app::App;
use tollgate::clock::Clock;
use tollgate::error::{Error, Result};
use tollgate::jobs::{Job, MAX_ATTEMPTS, Tally, Worker};
use uuid::Uuid;

both_engines!(
    two_workers_never_do_one_job,
    one_key_is_worked_on_by_one_and_nothing_is_missed,
    a_job_whose_process_ended_is_done_when_its_lease_ends,
    a_job_that_ends_its_process_each_time_is_parked,
    a_job_that_runs_is_not_another_s_however_long_it_takes,
    a_job_whose_lease_is_lost_is_broken_off,
    a_schedule_runs_once_in_each_period,
    a_schedule_that_fails_is_never_parked,
    a_worker_leaves_alone_what_it_does_not_know,
    a_worker_is_woken_and_stops_after_the_job_at_hand,
    a_worker_that_must_stop_leaves_its_job_to_others,
    a_late_worker_does_not_end_the_job_of_another,
    old_idempotency_keys_are_forgotten,
);

#[derive(Debug, Default, Serialize, Deserialize)]
struct Failing {}

impl Job for Failing {
    const KIND: &'static str = "failing";

    async fn run(self, _: &App) -> Result<()> {
        Err(Error::internal(anyhow::anyhow!("it always does")))
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Tidying {}

impl Job for Tidying {
    const KIND: &'static str = "tidying";

    async fn run(self, app: &App) -> Result<()> {
        // Counts itself where the test can see it: as a job of another kind, far in the future.
        let mark = Chore { test: Uuid::nil(), does: Does::Nothing, unique_key: None };
        enqueue_at(app, &mark, app.now() + TimeDelta::days(365)).await;
        Ok(())
    }
}

async fn two_workers_never_do_one_job(test: &TestApp) {
    const JOBS: usize = 60;
    let diaries: Vec<_> = (0..JOBS).map(|_| chore(test, Does::Nothing)).collect();
    for (chore, _) in &diaries {
        enqueue(&test.app, chore).await;
    }
    // Two nodes: each with connections of its own.
    let other = Arc::new(App::new(test.app.config.clone(), Clock::fixed(test.app.now())).await.unwrap());
    let workers = (0..8).map(|number| {
        let app = Arc::clone(if number % 2 == 0 { &test.app } else { &other });
        tokio::spawn(async move { chores().run_due(&app).await.unwrap() })
    });
    let mut done = 0;
    for worker in workers.collect::<Vec<_>>() {
        let tally = worker.await.unwrap();
        assert_eq!(tally.failed, 0);
        done += tally.done;
    }
    assert_eq!(done, JOBS);
    assert!(diaries.iter().all(|(_, diary)| runs(diary) == 1));
    assert!(queue(test).await.is_empty());
}

async fn one_key_is_worked_on_by_one_and_nothing_is_missed(test: &TestApp) {
    let (counting, diary) = chore(test, Does::Counts);
    let enqueuers = (0..6).map(|_| {
        let (app, counting, diary) = (Arc::clone(&test.app), counting.clone(), Arc::clone(&diary));
        tokio::spawn(async move {
            for _ in 0..15 {
                diary.wanted.fetch_add(1, Ordering::SeqCst);
                enqueue(&app, &counting.unique("object")).await;
                // Each time also a worker, on whatever it finds.
                assert_eq!(chores().run_due(&app).await.unwrap().failed, 0);
            }
        })
    });
    for enqueuer in enqueuers.collect::<Vec<_>>() {
        enqueuer.await.unwrap();
    }
    assert!(queue(test).await.is_empty());
    let count = |counter: &AtomicUsize| counter.load(Ordering::SeqCst);
    assert_eq!((count(&diary.wanted), count(&diary.seen), count(&diary.most_running)), (90, 90, 1));
}

/// A worker that claims the only job and is never heard of again.
async fn crash(test: &TestApp, diary: &Diary) {
    let app = Arc::clone(&test.app);
    let worker = tokio::spawn(async move { chores().run_due(&app).await });
    diary.begun.notified().await;
    worker.abort();
    assert!(worker.await.unwrap_err().is_cancelled());
}

async fn a_job_whose_process_ended_is_done_when_its_lease_ends(test: &TestApp) {
    let (chore, diary) = chore(test, Does::Waits);
    enqueue(&test.app, &chore).await;
    crash(test, &diary).await;
    assert_eq!(run(test).await, (0, 0), "it belongs to the one who claimed it");
    test.advance(TimeDelta::seconds(30) - TimeDelta::microseconds(1));
    assert_eq!(run(test).await, (0, 0));
    test.advance(TimeDelta::microseconds(1));
    diary.go_on.notify_one();
    assert_eq!(run(test).await, (1, 0));
    assert_eq!((runs(&diary), queue(test).await.len()), (2, 0));
}

async fn a_job_that_ends_its_process_each_time_is_parked(test: &TestApp) {
    let (chore, diary) = chore(test, Does::Waits);
    enqueue(&test.app, &chore).await;
    for _ in 0..MAX_ATTEMPTS {
        crash(test, &diary).await;
        test.advance(TimeDelta::seconds(30));
    }
    assert_eq!(run(test).await, (0, 1));
    assert_eq!(&*only(test).await.state, "parked");
    assert_eq!(runs(&diary), usize::try_from(MAX_ATTEMPTS).unwrap());
}

async fn a_job_that_runs_is_not_another_s_however_long_it_takes(test: &TestApp) {
    let (slow, diary) = chore(test, Does::Waits);
    enqueue(&test.app, &slow).await;
    let app = Arc::clone(&test.app);
    let often = Duration::from_millis(5);
    let worker = tokio::spawn(async move { chores().renewing_every(often).run_due(&app).await.unwrap() });
    diary.begun.notified().await;
    for _ in 0..5 {
        let before = only(test).await.locked_until;
        test.advance(TimeDelta::seconds(29));
        while only(test).await.locked_until == before {
            tokio::task::yield_now().await;
        }
        assert_eq!(run(test).await, (0, 0));
    }
    diary.go_on.notify_one();
    assert_eq!(worker.await.unwrap(), Tally { done: 1, failed: 0 });
    assert_eq!((runs(&diary), queue(test).await.len()), (1, 0));
}

async fn a_job_whose_lease_is_lost_is_broken_off(test: &TestApp) {
    let (slow, diary) = chore(test, Does::Waits);
    enqueue(&test.app, &slow).await;
    let app = Arc::clone(&test.app);
    let often = Duration::from_millis(5);
    let worker = tokio::spawn(async move { chores().renewing_every(often).run_due(&app).await.unwrap() });
    diary.begun.notified().await;
    sql::execute(test.app.db.schema(), "UPDATE jobs SET locked_by = NULL, locked_until = NULL").await;
    // It is claimed anew; what of the first run would be left would take this word.
    diary.begun.notified().await;
    diary.go_on.notify_one();
    assert_eq!(worker.await.unwrap(), Tally { done: 1, failed: 1 });
    assert_eq!((runs(&diary), queue(test).await.len()), (2, 0));
}

async fn marks(test: &TestApp) -> usize {
    queue(test).await.iter().filter(|job| job.kind == Chore::KIND).count()
}

async fn a_schedule_runs_once_in_each_period(test: &TestApp) {
    let tidying = || Worker::new().every::<Tidying>(TimeDelta::minutes(10));
    let run = async || {
        for _ in 0..3 {
            assert_eq!(tidying().run_due(&test.app).await.unwrap(), Tally::default());
        }
    };
    test.advance(TimeDelta::minutes(3) + TimeDelta::microseconds(1));
    run().await;
    assert_eq!(marks(test).await, 1, "the first time at once");
    test.advance(TimeDelta::minutes(7) - TimeDelta::microseconds(2));
    run().await;
    assert_eq!(marks(test).await, 1);
    test.advance(TimeDelta::microseconds(1));
    run().await;
    assert_eq!(marks(test).await, 2, "then at each beginning of a period");
    test.advance(TimeDelta::hours(5));
    run().await;
    assert_eq!(marks(test).await, 3, "what was missed is not made up for");
}

async fn a_schedule_that_fails_is_never_parked(test: &TestApp) {
    let failing = Worker::new().every::<Failing>(TimeDelta::minutes(1));
    for _ in 0..2 * MAX_ATTEMPTS {
        assert_eq!(failing.run_due(&test.app).await.unwrap(), Tally { done: 0, failed: 1 });
        let job = only(test).await;
        let (now, next) = (test.app.now(), DateTime::<Utc>::from(job.run_at));
        assert!(next > now && next - now <= TimeDelta::minutes(1) && job.state == "queued", "{now} {job:?}");
        test.advance(next - now);
    }
}

async fn a_worker_leaves_alone_what_it_does_not_know(test: &TestApp) {
    let (chore, diary) = chore(test, Does::Nothing);
    enqueue(&test.app, &chore).await;
    assert_eq!(Worker::new().run_due(&test.app).await.unwrap(), Tally::default());
    assert_eq!(Worker::new().every::<Failing>(TimeDelta::days(1)).run_due(&test.app).await.unwrap().failed, 1);
    assert_eq!((runs(&diary), run(test).await), (0, (1, 0)));
}

/// A worker at work, and what stops it.
fn start(test: &TestApp, limit: Duration) -> (JoinHandle<()>, oneshot::Sender<()>) {
    let (stop, stopped) = oneshot::channel();
    let app = Arc::clone(&test.app);
    let worker = tokio::spawn(async move {
        let told = async {
            let _ = stopped.await;
        };
        chores().run(&app, told, limit).await;
    });
    (worker, stop)
}

async fn a_worker_is_woken_and_stops_after_the_job_at_hand(test: &TestApp) {
    let (worker, stop) = start(test, Duration::from_secs(60));
    let (quick, quick_diary) = chore(test, Does::Nothing);
    let begin = Instant::now();
    for _ in 0..30 {
        enqueue(&test.app, &quick).await;
        quick_diary.done.notified().await;
        // Until it has nothing left to do but to wait.
        while !queue(test).await.is_empty() {}
        for _ in 0..5 {
            test.app.db.ping().await.unwrap();
        }
    }
    assert!(begin.elapsed() < Duration::from_secs(20), "by itself it looks each second only");
    let (slow, slow_diary) = chore(test, Does::Waits);
    enqueue(&test.app, &slow).await;
    slow_diary.begun.notified().await;
    stop.send(()).unwrap();
    tokio::task::yield_now().await;
    assert!(!worker.is_finished());
    slow_diary.go_on.notify_one();
    worker.await.unwrap();
    assert!(queue(test).await.is_empty());
}

async fn a_worker_that_must_stop_leaves_its_job_to_others(test: &TestApp) {
    let (worker, stop) = start(test, Duration::ZERO);
    let (slow, diary) = chore(test, Does::Waits);
    enqueue(&test.app, &slow).await;
    diary.begun.notified().await;
    drop(stop);
    worker.await.unwrap();
    test.advance(TimeDelta::seconds(30));
    diary.go_on.notify_one();
    assert_eq!(run(test).await, (1, 0));
    assert_eq!(runs(&diary), 2);
}

async fn a_late_worker_does_not_end_the_job_of_another(test: &TestApp) {
    let (slow, diary) = chore(test, Does::Waits);
    enqueue(&test.app, &slow).await;
    let mut workers = Vec::new();
    for _ in 0..2 {
        let app = Arc::clone(&test.app);
        workers.push(tokio::spawn(async move { chores().run_due(&app).await.unwrap() }));
        diary.begun.notified().await;
        test.advance(TimeDelta::seconds(30) - TimeDelta::microseconds(i64::from(workers.len() == 2)));
    }
    let second = only(test).await;
    // The first to wait is the first to go on.
    diary.go_on.notify_one();
    workers.remove(0).await.unwrap();
    assert_eq!(only(test).await, second);
    diary.go_on.notify_one();
    workers.remove(0).await.unwrap();
    assert!(queue(test).await.is_empty());
}

async fn old_idempotency_keys_are_forgotten(test: &TestApp) {
    use entity::idempotency_keys::{ActiveModel, Entity};
    use sea_orm::ActiveValue::Set;
    let start = test.app.now().fixed_offset();
    let rows: Vec<_> = (0..2_500)
        .map(|number| ActiveModel {
            id: Set(test.app.new_id()),
            caller: Set("me".to_owned()),
            key: Set(number.to_string()),
            request_hash: Set(String::new()),
            answer: Set(serde_json::json!({})),
            created_at: Set(start + TimeDelta::seconds(i64::from(number >= 2_400))),
        })
        .collect();
    Entity::insert_many(rows).exec_without_returning(test.app.db.schema()).await.unwrap();
    let left = async || Entity::find().all(test.app.db.read()).await.unwrap().len();
    test.run_jobs().await;
    test.advance(TimeDelta::days(30));
    test.run_jobs().await;
    assert_eq!(left().await, 2_500, "30 days are remembered");
    test.advance(TimeDelta::hours(1));
    test.run_jobs().await;
    assert_eq!(left().await, 0);
}
