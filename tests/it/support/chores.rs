//! Jobs that do what a test asks of them, and write down that they ran.

use super::TestApp;
use entity::jobs::{Entity, Model};
use sea_orm::EntityTrait;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;
use tollgate::app::App;
use tollgate::error::{Error, Result};
use tollgate::jobs::{Job, NewJob, Tally, Worker};
use uuid::Uuid;

/// What the jobs of one test did. A job finds it by the test's number, as a job has nothing but its fields.
#[derive(Default)]
pub(crate) struct Diary {
    runs: AtomicUsize,
    /// Completes once a job that waits has begun.
    pub(crate) begun: Notify,
    /// Lets a job that waits go on.
    pub(crate) go_on: Notify,
    /// Completes when a job has come to its end.
    pub(crate) done: Notify,
}

static DIARIES: Mutex<Option<HashMap<Uuid, Arc<Diary>>>> = Mutex::new(None);

fn diary(test: Uuid) -> Arc<Diary> {
    let mut diaries = DIARIES.lock().unwrap();
    Arc::clone(diaries.get_or_insert_default().entry(test).or_default())
}

/// What a chore does.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) enum Does {
    Nothing,
    Fails,
    Panics,
    Waits,
    EnqueuesItself,
}

/// A job of a test.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Chore {
    pub(crate) test: Uuid,
    pub(crate) does: Does,
}

impl Job for Chore {
    const KIND: &'static str = "chore";

    async fn run(self, app: &App) -> Result<()> {
        let diary = diary(self.test);
        let first = diary.runs.fetch_add(1, Ordering::SeqCst) == 0;
        match self.does {
            Does::Nothing => tokio::task::yield_now().await,
            Does::Fails => return Err(Error::internal(anyhow::anyhow!("the \0 dog").context("ate it"))),
            Does::Panics => panic!("at the disco"),
            Does::Waits => {
                diary.begun.notify_one();
                diary.go_on.notified().await;
            }
            Does::EnqueuesItself if first => enqueue(app, NewJob::new(app, &self)?.unique("self")).await,
            Does::EnqueuesItself => {}
        }
        diary.done.notify_one();
        Ok(())
    }
}

/// Enqueues a job in a transaction of its own.
pub(crate) async fn enqueue(app: &App, job: NewJob) {
    app.db.write(move |txn| Box::pin(job.enqueue(txn))).await.unwrap();
}

/// A chore, and where it writes what it did.
pub(crate) fn chore(test: &TestApp, does: Does) -> (Chore, Arc<Diary>) {
    let chore = Chore { test: test.app.new_id(), does };
    let diary = diary(chore.test);
    (chore, diary)
}

/// A chore to be enqueued.
pub(crate) fn new(test: &TestApp, chore: &Chore) -> NewJob {
    NewJob::new(&test.app, chore).unwrap()
}

/// A worker that knows chores alone.
pub(crate) fn chores() -> Worker {
    Worker::new().on_demand::<Chore>()
}

/// Does the chores that are due; how many were done and how many failed.
pub(crate) async fn run(test: &TestApp) -> (usize, usize) {
    let Tally { done, failed } = chores().run_due(&test.app).await.unwrap();
    (done, failed)
}

/// Every job there is.
pub(crate) async fn queue(test: &TestApp) -> Vec<Model> {
    Entity::find().all(test.app.db.read()).await.unwrap()
}

/// The only job there is.
pub(crate) async fn only(test: &TestApp) -> Model {
    let mut jobs = queue(test).await;
    assert_eq!(jobs.len(), 1, "{jobs:#?}");
    jobs.remove(0)
}

/// How often the chore ran.
pub(crate) fn runs(diary: &Diary) -> usize {
    diary.runs.load(Ordering::SeqCst)
}
