//! The database layer: every acknowledged write is durable, and a failure undoes nothing but itself.

use crate::support::{TestApp, both_engines, sql};
use futures_util::future::join_all;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::oneshot;
use tollgate::db::{Db, IdempotencyKey, Txn};
use tollgate::error::{Error, Result};

both_engines!(
    sixty_four_writers_at_once_are_all_durable_and_share_commits,
    a_write_that_fails_undoes_itself_alone,
    a_write_that_panics_undoes_itself_alone,
    a_write_is_not_seen_before_its_commit,
    a_caller_who_goes_away_leaves_a_whole_write_or_none,
    the_same_request_many_times_at_once_is_done_once,
    another_request_under_the_same_key_is_refused,
    a_request_that_failed_can_be_tried_again,
    a_read_cannot_change_rows,
    a_write_that_does_not_end_is_rolled_back_and_holds_up_nobody,
);

/// Writes one row of a table that stands for any.
async fn insert(txn: &Txn, code: &str) -> Result<()> {
    let sql = "INSERT INTO features (id, code, kind, name, created_at) \
               VALUES ($1, $2, 'switch', 'x', '2026-01-15T12:00:00+00:00')";
    let id = uuid::Uuid::from_bytes(std::array::from_fn(|at| code.as_bytes().get(at).copied().unwrap_or_default()));
    let values = [id.into(), code.into()];
    txn.execute_raw(Statement::from_sql_and_values(txn.get_database_backend(), sql, values)).await?;
    Ok(())
}

/// Writes the rows with these codes, and then ends as `end` specifies.
async fn write(db: &Db, codes: Vec<String>, end: fn() -> Result<()>) -> Result<()> {
    db.write(move |txn| {
        Box::pin(async move {
            for code in codes {
                insert(txn, &code).await?;
            }
            end()
        })
    })
    .await
}

async fn codes(db: &DatabaseConnection) -> Vec<String> {
    sql::column(db, "SELECT code FROM features ORDER BY code", []).await
}

/// Counts the commits in the log that SQLite writes ahead: the frames that carry the size of the database.
async fn commits(db: &DatabaseConnection) -> usize {
    let file: String = sql::column(db, "SELECT file FROM pragma_database_list WHERE name = 'main'", []).await.remove(0);
    let log = std::fs::read(format!("{file}-wal")).unwrap();
    let number = |at: usize| u32::from_be_bytes(log[at..at + 4].try_into().unwrap());
    let (page, salt) = (usize::try_from(number(8)).unwrap(), number(16));
    let frames = (32..log.len()).step_by(24 + page);
    frames.filter(|&frame| number(frame + 8) == salt && number(frame + 4) > 0).count()
}

async fn sixty_four_writers_at_once_are_all_durable_and_share_commits(test: &TestApp) {
    let db = &test.app.db;
    let sqlite = db.read().get_database_backend() == DbBackend::Sqlite;
    // So that there is a log, and the lane is busy when the others come.
    write(db, vec!["first".into()], || Ok(())).await.unwrap();
    let before = if sqlite { commits(db.schema()).await } else { 0 };
    let writers = (0..64).map(|number| async move {
        let code = format!("w{number:02}");
        write(db, vec![code.clone()], || Ok(())).await.unwrap();
        // The call returns after the commit: every reader sees the row now.
        let seen = sql::ids(db.read(), "SELECT id FROM features WHERE code = $1", [code.into()]).await;
        assert_eq!(seen.len(), 1);
    });
    join_all(writers).await;
    assert_eq!(codes(db.read()).await.len(), 65);
    if sqlite {
        let taken = commits(db.schema()).await - before;
        assert!((1..=8).contains(&taken), "{taken} commits for 64 writes");
    }
}

async fn a_write_that_fails_undoes_itself_alone(test: &TestApp) {
    let db = &test.app.db;
    let writers = (0..30).map(|number| {
        // Every third fails after its first row, every third by the database's own refusal.
        let (own, end): (Vec<String>, fn() -> Result<()>) = match number % 3 {
            0 => (vec![format!("a{number}"), format!("b{number}")], || Ok(())),
            1 => (vec![format!("a{number}")], || Err(Error::bad_input("no"))),
            _ => (vec![format!("a{number}"), format!("a{number}")], || Ok(())),
        };
        write(db, own, end)
    });
    let results = join_all(writers).await;
    for (number, result) in results.iter().enumerate() {
        match number % 3 {
            0 => assert!(result.is_ok(), "{result:?}"),
            1 => assert_eq!(result.as_ref().unwrap_err().code(), "BAD_USER_INPUT"),
            _ => assert_eq!(result.as_ref().unwrap_err().code(), "INTERNAL_SERVER_ERROR"),
        }
    }
    let mut expected: Vec<_> =
        (0..30).step_by(3).flat_map(|number| [format!("a{number}"), format!("b{number}")]).collect();
    expected.sort_unstable();
    assert_eq!(codes(db.read()).await, expected);
}

async fn a_write_that_panics_undoes_itself_alone(test: &TestApp) {
    let writers = (0..12).map(|number| {
        let app = Arc::clone(&test.app);
        tokio::spawn(async move {
            let end = if number % 4 == 1 { || panic!("on purpose") } else { || Ok(()) };
            write(&app.db, vec![format!("p{number:02}")], end).await
        })
    });
    let mut failed = 0;
    for result in join_all(writers).await {
        // On PostgreSQL the write runs in the caller's own task, which ends with the panic.
        failed += usize::from(!matches!(result, Ok(Ok(()))));
    }
    assert_eq!(failed, 3);
    assert_eq!(codes(test.app.db.read()).await.len(), 9);
    // And there is a next write.
    write(&test.app.db, vec!["next".into()], || Ok(())).await.unwrap();
}

async fn a_write_is_not_seen_before_its_commit(test: &TestApp) {
    let (written, is_written) = oneshot::channel();
    let (go_on, may_go_on) = oneshot::channel::<()>();
    let app = Arc::clone(&test.app);
    let writer = tokio::spawn(async move {
        app.db
            .write(move |txn| {
                Box::pin(async move {
                    insert(txn, "slow").await?;
                    let _ = written.send(());
                    let _ = may_go_on.await;
                    Ok(())
                })
            })
            .await
    });
    is_written.await.unwrap();
    assert!(codes(test.app.db.read()).await.is_empty());
    go_on.send(()).unwrap();
    writer.await.unwrap().unwrap();
    assert_eq!(codes(test.app.db.read()).await, ["slow"]);
}

async fn a_caller_who_goes_away_leaves_a_whole_write_or_none(test: &TestApp) {
    let (begun, has_begun) = oneshot::channel();
    let (go_on, may_go_on) = oneshot::channel::<()>();
    let app = Arc::clone(&test.app);
    let first = tokio::spawn(async move {
        app.db
            .write(move |txn| {
                Box::pin(async move {
                    insert(txn, "a").await?;
                    let _ = begun.send(());
                    let _ = may_go_on.await;
                    insert(txn, "b").await
                })
            })
            .await
    });
    has_begun.await.unwrap();
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    // The work was dropped with its caller, or goes on now.
    let _ = go_on.send(());
    write(&test.app.db, vec!["c".into()], || Ok(())).await.unwrap();
    let found = codes(test.app.db.read()).await;
    assert!(found == ["a", "b", "c"] || found == ["c"], "{found:?}");
}

/// Runs a request under one key, counting how often it is done.
async fn request(test: &TestApp, input: &str, done: &Arc<AtomicU32>, end: fn() -> Result<()>) -> Result<u32> {
    let key = IdempotencyKey::new("someone", "the key", "test.count", &input)?;
    let done = Arc::clone(done);
    test.app
        .db
        .run_idempotent(key, move |txn| {
            Box::pin(async move {
                let number = done.fetch_add(1, Ordering::SeqCst) + 1;
                insert(txn, &format!("done-{number}")).await?;
                end().map(|()| number)
            })
        })
        .await
}

async fn the_same_request_many_times_at_once_is_done_once(test: &TestApp) {
    let done = Arc::default();
    let answers = join_all((0..16).map(|_| request(test, "input", &done, || Ok(())))).await;
    for answer in answers {
        assert_eq!(answer.unwrap(), 1);
    }
    assert_eq!(done.load(Ordering::SeqCst), 1);
    assert_eq!(codes(test.app.db.read()).await, ["done-1"]);
    assert_eq!(sql::number(test.app.db.read(), "SELECT COUNT(*) FROM idempotency_keys").await, 1);
}

async fn another_request_under_the_same_key_is_refused(test: &TestApp) {
    let done = Arc::default();
    let ask = |input| request(test, input, &done, || Ok(()));
    let answers = join_all(["a", "b", "a", "b"].map(ask)).await;
    let (given, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!((given.len(), refused.len()), (2, 2));
    for error in refused {
        assert_eq!(error.unwrap_err().code(), "IDEMPOTENCY_KEY_REUSED");
    }
    assert_eq!(done.load(Ordering::SeqCst), 1);
}

async fn a_request_that_failed_can_be_tried_again(test: &TestApp) {
    let done = Arc::default();
    let failed = request(test, "input", &done, || Err(Error::bad_input("not now"))).await;
    assert_eq!(failed.unwrap_err().code(), "BAD_USER_INPUT");
    assert_eq!(sql::number(test.app.db.read(), "SELECT COUNT(*) FROM idempotency_keys").await, 0);
    assert_eq!(request(test, "input", &done, || Ok(())).await.unwrap(), 2);
    assert_eq!(codes(test.app.db.read()).await, ["done-2"]);
}

async fn a_read_cannot_change_rows(test: &TestApp) {
    let admin = test.admin();
    admin.data("{ viewer { role } }", json!({})).await;
    let change = test.app.db.read().execute_unprepared("UPDATE users SET name = 'x'").await;
    // PostgreSQL reads on the pool that also writes.
    let sqlite = test.app.db.read().get_database_backend() == DbBackend::Sqlite;
    assert_eq!(change.is_err(), sqlite, "{change:?}");
}

/// On PostgreSQL each write has a connection of its own.
async fn a_write_that_does_not_end_is_rolled_back_and_holds_up_nobody(test: &TestApp) {
    let impatient = test.beside(&[("TOLLGATE_DATABASE_STATEMENT_TIMEOUT_MS", "200")]).await;
    let db = &impatient.app.db;
    let hangs = db.write(|txn| {
        Box::pin(async move {
            insert(txn, "never").await?;
            std::future::pending::<Result<()>>().await
        })
    });
    let others = async {
        for number in 0..5 {
            write(db, vec![format!("code_{number}")], || Ok(())).await.unwrap();
        }
    };
    if test.app.db.schema().get_database_backend() == DbBackend::Postgres {
        tokio::select! {
            _ = hangs => unreachable!("it waits for ever"),
            () = others => {}
        }
    } else {
        let (hung, ()) = tokio::join!(hangs, others);
        assert!(matches!(hung, Err(Error::Unavailable(..))), "{hung:?}");
    }
    let expected: Vec<_> = (0..5).map(|number| format!("code_{number}")).collect();
    assert_eq!(codes(db.read()).await, expected);
}
