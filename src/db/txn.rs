//! The transaction that verbs write in.

use crate::clock::Clock;
use crate::error::Result;
use chrono::{DateTime, Utc};
use sea_orm::prelude::async_trait::async_trait;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, Statement};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use uuid::Uuid;

/// An open transaction, with the time and the ids of the rows that are written in it.
///
/// `jobs` adds `enqueue` and `audit` adds `audit`, so that a verb needs nothing else to write.
#[derive(Debug)]
pub struct Txn {
    inner: DatabaseTransaction,
    clock: Arc<Clock>,
    now: DateTime<Utc>,
    armed: AtomicBool,
}

impl Txn {
    pub(super) fn new(inner: DatabaseTransaction, clock: &Arc<Clock>) -> Txn {
        Txn { inner, clock: Arc::clone(clock), now: clock.now(), armed: AtomicBool::new(false) }
    }

    /// Returns the instant at which the transaction began, in UTC, to the microsecond. It never changes, so that all
    /// rows of one transaction have one time.
    pub fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// Returns a new id that sorts by time.
    pub fn new_id(&self) -> Uuid {
        self.clock.new_id()
    }

    /// Wakes the worker after the commit. A transaction that is rolled back wakes nobody.
    pub(crate) fn arm(&self) {
        self.armed.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_armed(&self) -> bool {
        self.armed.load(Ordering::Relaxed)
    }

    pub(super) async fn commit(self) -> Result<()> {
        Ok(self.inner.commit().await?)
    }

    pub(super) async fn rollback(self) -> Result<()> {
        Ok(self.inner.rollback().await?)
    }
}

#[async_trait]
impl ConnectionTrait for Txn {
    fn get_database_backend(&self) -> DbBackend {
        self.inner.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.inner.execute_raw(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.inner.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.inner.query_one_raw(statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.inner.query_all_raw(statement).await
    }
}
