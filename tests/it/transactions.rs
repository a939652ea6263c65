//! The guarantees of a transaction: one instant, and jobs and audit entries that share its fate.

use crate::support::chores::{Does, chore, queue, run};
use crate::support::{TestApp, both_engines, sql};
use chrono::TimeDelta;
use futures_util::FutureExt;
use serde_json::json;
use std::sync::Arc;
use tollgate::audit::AuditEntry;
use tollgate::db::Txn;
use tollgate::error::{Error, Result};
use uuid::Uuid;

both_engines!(
    a_transaction_has_one_instant_and_new_ids,
    an_audit_entry_is_rolled_back_with_its_transaction,
    a_job_wakes_the_worker_after_the_commit_alone,
    a_rolled_back_job_wakes_nobody,
    a_dry_run_returns_its_answer_and_leaves_nothing,
    a_dry_run_that_fails_returns_the_error,
);

/// Returns true once for each time that the worker was woken.
fn is_woken(test: &TestApp) -> bool {
    test.app.db.worker_signal().wait().now_or_never().is_some()
}

async fn audit(txn: &Txn) -> Result<()> {
    let entry = AuditEntry::new("test.try", "Test", txn.new_id());
    txn.audit("user:nobody", entry.before(json!({"a": 1})).after(json!({"a": 2}))).await
}

async fn entries(test: &TestApp) -> i64 {
    sql::number(test.app.db.read(), "SELECT COUNT(*) FROM audit_log").await
}

async fn a_transaction_has_one_instant_and_new_ids(test: &TestApp) {
    let (start, app) = (test.app.now(), Arc::clone(&test.app));
    let write = test.app.db.write(move |txn| {
        Box::pin(async move {
            let before = (txn.now(), txn.new_id());
            app.clock.advance(TimeDelta::hours(1));
            Ok((before, (txn.now(), txn.new_id())))
        })
    });
    let (before, after) = write.await.unwrap();
    assert_eq!((before.0, after.0, test.app.now()), (start, start, start + TimeDelta::hours(1)));
    assert!(before.1 < after.1);
}

async fn an_audit_entry_is_rolled_back_with_its_transaction(test: &TestApp) {
    let app = &test.app;
    let failed = app.db.write(|txn| {
        Box::pin(async move {
            audit(txn).await?;
            Err::<(), _>(Error::bad_input("no"))
        })
    });
    assert_eq!(failed.await.unwrap_err().code(), "BAD_USER_INPUT");
    assert_eq!(entries(test).await, 0);
    app.db.write(|txn| Box::pin(audit(txn))).await.unwrap();
    assert_eq!(entries(test).await, 1);
    let at = "SELECT COUNT(*) FROM audit_log WHERE actor = 'user:nobody' AND account_id IS NULL AND at = $1";
    let found: Vec<i64> = sql::column(app.db.read(), at, [app.now().fixed_offset().into()]).await;
    assert_eq!(found, [1]);
}

async fn a_job_wakes_the_worker_after_the_commit_alone(test: &TestApp) {
    test.app.db.write(|txn| Box::pin(audit(txn))).await.unwrap();
    assert!(!is_woken(test), "nothing was enqueued");
    let (job, app) = (chore(test, Does::Nothing).0, Arc::clone(&test.app));
    let write = test.app.db.write(move |txn| {
        Box::pin(async move {
            txn.enqueue(&job).await?;
            Ok(app.db.worker_signal().wait().now_or_never().is_some())
        })
    });
    assert!(!write.await.unwrap(), "the job is not committed yet");
    assert!(is_woken(test));
    assert!(!is_woken(test), "once");
    assert_eq!(run(test).await, (1, 0));
}

async fn a_rolled_back_job_wakes_nobody(test: &TestApp) {
    for dry in [false, true] {
        let job = chore(test, Does::Nothing).0;
        if dry {
            test.app.db.dry_run(move |txn| Box::pin(async move { txn.enqueue(&job).await })).await.unwrap();
        } else {
            let failed = test.app.db.write(move |txn| {
                Box::pin(async move {
                    txn.enqueue(&job).await?;
                    Err::<(), _>(Error::bad_input("no"))
                })
            });
            failed.await.unwrap_err();
        }
        assert!(!is_woken(test));
        assert!(queue(test).await.is_empty());
    }
}

async fn a_dry_run_returns_its_answer_and_leaves_nothing(test: &TestApp) {
    let run = test.app.db.dry_run(|txn| {
        Box::pin(async move {
            audit(txn).await?;
            let count = sql::number(txn, "SELECT COUNT(*) FROM audit_log").await;
            Ok((count, Uuid::nil()))
        })
    });
    assert_eq!(run.await.unwrap(), (1, Uuid::nil()));
    assert_eq!(entries(test).await, 0);
    // A write after it is committed.
    test.app.db.write(|txn| Box::pin(audit(txn))).await.unwrap();
    assert_eq!(entries(test).await, 1);
}

async fn a_dry_run_that_fails_returns_the_error(test: &TestApp) {
    let run = test.app.db.dry_run(|_| Box::pin(async { Err::<(), _>(Error::bad_input("no")) }));
    assert_eq!(run.await.unwrap_err().to_string(), "no");
}
