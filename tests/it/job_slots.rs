//! The slots of a worker: jobs that wait for other servers hold up neither each other's group nor the rest.

use crate::support::chores::{Chore, Does, chore, enqueue, queue};
use crate::support::{TestApp, both_engines};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tollgate::app::App;
use tollgate::error::Result;
use tollgate::jobs::{Job, Slots, Worker};

both_engines!(
    jobs_that_wait_for_others_do_not_hold_up_the_rest,
    events_do_not_hold_up_the_rest,
    a_full_group_takes_the_next_job_when_one_ends,
);

/// A chore in the slots of jobs that call other servers.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Calling(Chore);

impl Job for Calling {
    const KIND: &'static str = "calling";
    const SLOTS: Slots = Slots::Network;

    async fn run(self, app: &App) -> Result<()> {
        self.0.run(app).await
    }
}

/// A chore in the slots of events.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Applying(Chore);

impl Job for Applying {
    const KIND: &'static str = "applying";
    const SLOTS: Slots = Slots::Events;

    async fn run(self, app: &App) -> Result<()> {
        self.0.run(app).await
    }
}

fn worker() -> Worker {
    Worker::new().on_demand::<Chore>().on_demand::<Calling>().on_demand::<Applying>()
}

async fn add<J: Job + Clone>(test: &TestApp, job: &J) {
    let job = job.clone();
    test.app.db.write(move |txn| Box::pin(async move { txn.enqueue(&job).await })).await.unwrap();
}

/// Runs `body` beside a worker.
async fn beside_a_worker(test: &TestApp, body: impl AsyncFnOnce()) {
    let (stop, stopped) = oneshot::channel::<()>();
    let app = Arc::clone(&test.app);
    let running = tokio::spawn(async move {
        let told = async { _ = stopped.await };
        worker().run(&app, told, Duration::from_secs(60)).await;
    });
    body().await;
    drop(stop);
    running.await.unwrap();
}

async fn jobs_that_wait_for_others_do_not_hold_up_the_rest(test: &TestApp) {
    // More than there are slots of any group.
    let (waits, waiting) = chore(test, Does::Waits);
    for _ in 0..20 {
        add(test, &Calling(waits.clone())).await;
    }
    beside_a_worker(test, async || {
        waiting.begun.notified().await;
        for does in [Does::Nothing, Does::Counts] {
            let (quick, diary) = chore(test, does);
            enqueue(&test.app, &quick).await;
            diary.done.notified().await;
            let (event, diary) = chore(test, does);
            add(test, &Applying(event)).await;
            diary.done.notified().await;
        }
        for _ in 0..20 {
            waiting.go_on.notify_one();
            waiting.done.notified().await;
        }
    })
    .await;
    assert!(queue(test).await.is_empty());
}

async fn events_do_not_hold_up_the_rest(test: &TestApp) {
    let (waits, waiting) = chore(test, Does::Waits);
    for _ in 0..20 {
        add(test, &Applying(waits.clone())).await;
    }
    beside_a_worker(test, async || {
        waiting.begun.notified().await;
        let (quick, diary) = chore(test, Does::Nothing);
        enqueue(&test.app, &quick).await;
        diary.done.notified().await;
        let (call, diary) = chore(test, Does::Nothing);
        add(test, &Calling(call)).await;
        diary.done.notified().await;
        for _ in 0..20 {
            waiting.go_on.notify_one();
            waiting.done.notified().await;
        }
    })
    .await;
    assert!(queue(test).await.is_empty());
}

async fn a_full_group_takes_the_next_job_when_one_ends(test: &TestApp) {
    let (counts, diary) = chore(test, Does::Counts);
    for _ in 0..30 {
        add(test, &Calling(counts.clone())).await;
    }
    beside_a_worker(test, async || {
        let done = async {
            while !queue(test).await.is_empty() {
                test.app.db.ping().await.unwrap();
            }
        };
        tokio::time::timeout(Duration::from_secs(60), done).await.unwrap();
    })
    .await;
    let most = diary.most_running.load(std::sync::atomic::Ordering::SeqCst);
    assert!((1..=4).contains(&most), "{most} at a time");
}
