//! Jobs that a test defines, and that record their runs.

use super::TestApp;
use chrono::{DateTime, Utc};
use entity::jobs::{Entity, Model};
use sea_orm::EntityTrait;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;
use tollgate::app::App;
use tollgate::error::{Error, Result};
use tollgate::jobs::{Job, Tally, Worker};
use uuid::Uuid;

/// The record of the jobs of one test. A job finds it by the test's number, because a job has only its fields.
#[derive(Default)]
pub(crate) struct Diary {
    runs: AtomicUsize,
    /// The expected and observed counts of a chore, and the maximum that ran at a time.
    pub(crate) wanted: AtomicUsize,
    pub(crate) seen: AtomicUsize,
    running: AtomicUsize,
    pub(crate) most_running: AtomicUsize,
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

/// The action of a chore.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) enum Does {
    Nothing,
    Fails,
    Panics,
    Waits,
    EnqueuesItself,
    Counts,
}

/// A job of a test.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Chore {
    pub(crate) test: Uuid,
    pub(crate) does: Does,
    pub(crate) unique_key: Option<String>,
}

impl Chore {
    /// Returns the chore under a key that makes it one with others under that key.
    pub(crate) fn unique(&self, key: &str) -> Chore {
        Chore { unique_key: Some(key.to_owned()), ..self.clone() }
    }
}

impl Job for Chore {
    const KIND: &'static str = "chore";

    fn unique_key(&self) -> Option<String> {
        self.unique_key.clone()
    }

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
            Does::EnqueuesItself if first => enqueue(app, &self).await,
            Does::EnqueuesItself => {}
            Does::Counts => {
                let running = diary.running.fetch_add(1, Ordering::SeqCst) + 1;
                diary.most_running.fetch_max(running, Ordering::SeqCst);
                let wanted = diary.wanted.load(Ordering::SeqCst);
                app.db.ping().await?;
                diary.seen.fetch_max(wanted, Ordering::SeqCst);
                diary.running.fetch_sub(1, Ordering::SeqCst);
            }
        }
        diary.done.notify_one();
        Ok(())
    }
}

/// Enqueues a job in a transaction of its own.
pub(crate) async fn enqueue(app: &App, chore: &Chore) {
    enqueue_at(app, chore, app.now()).await;
}

/// Enqueues a job for later, in a transaction of its own.
pub(crate) async fn enqueue_at(app: &App, chore: &Chore, run_at: DateTime<Utc>) {
    let chore = chore.clone();
    let write = app.db.write(move |txn| Box::pin(async move { txn.enqueue_at(&chore, run_at).await }));
    write.await.unwrap();
}

/// A chore, and where it writes what it did.
pub(crate) fn chore(test: &TestApp, does: Does) -> (Chore, Arc<Diary>) {
    let chore = Chore { test: test.app.new_id(), does, unique_key: None };
    let diary = diary(chore.test);
    (chore, diary)
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

/// Returns the number of runs of the chore.
pub(crate) fn runs(diary: &Diary) -> usize {
    diary.runs.load(Ordering::SeqCst)
}
