//! The queue: what is enqueued is done, once where it is one thing, again after a failure, and not for ever.

use crate::support::chores::{Does, chore, enqueue, enqueue_at, only, queue, run, runs};
use crate::support::{TestApp, both_engines};
use chrono::TimeDelta;
use tollgate::error::Error;
use tollgate::jobs::{MAX_ATTEMPTS, retry_delay};

both_engines!(
    a_job_is_done_once_and_gone,
    a_job_of_a_transaction_that_is_undone_does_not_exist,
    a_job_waits_for_its_time,
    jobs_under_one_key_are_one,
    a_job_asked_for_while_it_runs_runs_once_more,
    a_failure_is_tried_again_later_and_later,
    a_panic_is_a_failure,
    a_parked_job_starts_afresh_when_it_is_asked_for,
    asking_again_does_not_shorten_the_delay,
);

async fn a_job_is_done_once_and_gone(test: &TestApp) {
    let (chore, diary) = chore(test, Does::Nothing);
    enqueue(&test.app, &chore).await;
    enqueue(&test.app, &chore).await;
    assert_eq!(run(test).await, (2, 0));
    assert_eq!(run(test).await, (0, 0));
    assert_eq!((runs(&diary), queue(test).await.len()), (2, 0));
}

async fn a_job_of_a_transaction_that_is_undone_does_not_exist(test: &TestApp) {
    let job = chore(test, Does::Nothing).0;
    let undone = test.app.db.write(move |txn| {
        Box::pin(async move {
            txn.enqueue(&job).await?;
            Err::<(), _>(Error::bad_input("no"))
        })
    });
    assert_eq!(undone.await.unwrap_err().code(), "BAD_USER_INPUT");
    assert!(queue(test).await.is_empty());
}

async fn a_job_waits_for_its_time(test: &TestApp) {
    let at = test.app.now() + TimeDelta::hours(1);
    enqueue_at(&test.app, &chore(test, Does::Nothing).0, at).await;
    test.advance(TimeDelta::hours(1) - TimeDelta::microseconds(1));
    assert_eq!(run(test).await, (0, 0));
    test.advance(TimeDelta::microseconds(1));
    assert_eq!(run(test).await, (1, 0));
}

async fn jobs_under_one_key_are_one(test: &TestApp) {
    let (chore, diary) = chore(test, Does::Nothing);
    let later = |hours| test.app.now() + TimeDelta::hours(hours);
    for hours in [2, 1, 3] {
        enqueue_at(&test.app, &chore.unique("a"), later(hours)).await;
    }
    assert_eq!(only(test).await.run_at, later(1));
    enqueue(&test.app, &chore.unique("b")).await;
    assert_eq!(run(test).await, (1, 0));
    test.advance(TimeDelta::hours(5));
    assert_eq!(run(test).await, (1, 0));
    assert_eq!((runs(&diary), queue(test).await.len()), (2, 0));
}

async fn a_job_asked_for_while_it_runs_runs_once_more(test: &TestApp) {
    let (chore, diary) = chore(test, Does::EnqueuesItself);
    enqueue(&test.app, &chore.unique("self")).await;
    assert_eq!(run(test).await, (2, 0));
    assert_eq!((runs(&diary), queue(test).await.len()), (2, 0));
}

async fn a_failure_is_tried_again_later_and_later(test: &TestApp) {
    let delays: Vec<_> = (1..=13).map(|attempts| retry_delay(attempts).num_seconds()).collect();
    assert_eq!(delays, [2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600, 3600]);
    let (chore, diary) = chore(test, Does::Fails);
    enqueue(&test.app, &chore).await;
    let start = test.app.now();
    for attempt in 1..MAX_ATTEMPTS {
        assert_eq!(run(test).await, (0, 1), "{attempt}");
        let job = only(test).await;
        assert_eq!((job.attempts, &*job.state), (attempt, "queued"));
        assert_eq!(job.error.as_deref(), Some("internal error: ate it: the  dog"));
        assert_eq!(job.run_at, test.app.now() + retry_delay(attempt));
        test.advance(retry_delay(attempt) - TimeDelta::microseconds(1));
        assert_eq!(run(test).await, (0, 0), "{attempt}");
        test.advance(TimeDelta::microseconds(1));
    }
    assert_eq!(test.app.now() - start, TimeDelta::seconds(32_894));
    assert_eq!(run(test).await, (0, 1));
    let job = only(test).await;
    assert_eq!((job.attempts, &*job.state, job.locked_by), (MAX_ATTEMPTS, "parked", None));
    test.advance(TimeDelta::days(365));
    assert_eq!(run(test).await, (0, 0));
    assert_eq!(runs(&diary), usize::try_from(MAX_ATTEMPTS).unwrap());
}

async fn a_panic_is_a_failure(test: &TestApp) {
    let (chore, diary) = chore(test, Does::Panics);
    enqueue(&test.app, &chore).await;
    assert_eq!(run(test).await, (0, 1));
    let job = only(test).await;
    assert_eq!((job.error.as_deref(), job.attempts), (Some("panicked: at the disco"), 1));
    assert_eq!(runs(&diary), 1);
}

/// Lets a job fail until it is parked.
async fn park(test: &TestApp) {
    while only(test).await.state == "queued" {
        test.advance(TimeDelta::hours(1));
        assert_eq!(run(test).await, (0, 1));
    }
}

async fn a_parked_job_starts_afresh_when_it_is_asked_for(test: &TestApp) {
    let (mut chore, _) = chore(test, Does::Fails);
    enqueue(&test.app, &chore.unique("a")).await;
    park(test).await;
    chore.does = Does::Nothing;
    enqueue(&test.app, &chore.unique("a")).await;
    assert_eq!((only(test).await.attempts, run(test).await), (0, (1, 0)));
    assert!(queue(test).await.is_empty());
}

async fn asking_again_does_not_shorten_the_delay(test: &TestApp) {
    let (chore, _) = chore(test, Does::Fails);
    enqueue(&test.app, &chore.unique("a")).await;
    assert_eq!(run(test).await, (0, 1));
    let until = only(test).await.run_at;
    enqueue(&test.app, &chore.unique("a")).await;
    assert_eq!((only(test).await.run_at, run(test).await), (until, (0, 0)));
}
