//! The feed of changes: each is delivered once, whatever process made it.

use crate::support::live::{Server, Socket, record, record_all, soon};
use crate::support::{Engine, SECRET, TestApp, both_engines, rows, run};
use entity::changes::Entity;
use futures_util::future::join_all;
use sea_orm::{ConnectionTrait, EntityTrait};
use serde_json::json;
use std::collections::BTreeSet;
use tollgate::auth::Scope;
use tollgate::changes::{Change, Feed, Interest, Kind, Watcher};
use uuid::Uuid;

both_engines!(
    changes_of_another_node_are_delivered_here,
    no_change_is_lost_or_told_twice,
    a_slow_subscriber_gets_an_error,
    the_feed_begins_again_after_all_have_left,
    the_changes_of_a_node_whose_clock_is_behind_are_delivered,
    nothing_is_told_again_when_time_goes_by,
    changes_are_forgotten_after_a_day,
);

const EVENTS: Interest = Interest { kind: Kind::WebhookEventReceived, account: None, scope: Scope::Everything };
const PAYMENTS: Interest = Interest { kind: Kind::PaymentRecorded, account: None, scope: Scope::Everything };

async fn beside(test: &TestApp) -> TestApp {
    test.beside(&[("TOLLGATE_JWT_HS256_SECRET", SECRET)]).await
}

async fn next(watcher: &mut Watcher) -> Uuid {
    soon(watcher.next()).await.unwrap().subject()
}

/// On SQLite another process may write to the file, on PostgreSQL another node.
async fn changes_of_another_node_are_delivered_here(test: &TestApp) {
    let other = beside(test).await;
    let (here, there) = (Server::start(test).await, Server::start(&other).await);
    let mut sockets =
        [Socket::of(&here, Some(&test.admin_token())).await, Socket::of(&there, Some(&test.admin_token())).await];
    for socket in &mut sockets {
        socket.watch("1", "subscription { webhookEventReceived { externalId } }", json!({})).await;
    }
    for node in [test, &other] {
        let event = rows::event(&test.app).await;
        record(node, Change::WebhookEventReceived(event)).await;
        for socket in &mut sockets {
            let told = socket.event("1").await;
            assert_eq!(told, json!({"webhookEventReceived": {"externalId": format!("evt_{event}")}}));
        }
    }
}

async fn no_change_is_lost_or_told_twice(test: &TestApp) {
    const CHANGES: usize = 300;
    let other = beside(test).await;
    let feeds = [Feed::new(&test.app), Feed::new(&other.app)];
    let mut watchers = Vec::new();
    for feed in [&feeds[0], &feeds[0], &feeds[1]] {
        watchers.push(feed.watch(EVENTS).await.unwrap());
    }
    let made: Vec<Uuid> = (0..CHANGES).map(|_| test.app.new_id()).collect();
    // At once, by two nodes, three to a transaction.
    let writes = made.chunks(3).enumerate().map(async |(number, some)| {
        let node = if number % 2 == 0 { test } else { &other };
        let changes = some.iter().map(|id| Change::WebhookEventReceived(*id)).collect();
        record_all(node, changes).await;
    });
    let hear = async |watcher: &mut Watcher| {
        let mut heard = Vec::new();
        while heard.len() < CHANGES {
            heard.push(next(watcher).await);
        }
        heard
    };
    let (_, heard) = tokio::join!(join_all(writes), join_all(watchers.iter_mut().map(hear)));
    let made: BTreeSet<Uuid> = made.into_iter().collect();
    for heard in heard {
        assert_eq!(heard.into_iter().collect::<BTreeSet<_>>(), made);
    }
    let last = test.app.new_id();
    record(test, Change::WebhookEventReceived(last)).await;
    for watcher in &mut watchers {
        assert_eq!(next(watcher).await, last, "nothing was told twice");
    }
}

async fn a_slow_subscriber_gets_an_error(test: &TestApp) {
    let feed = Feed::new(&test.app);
    let mut slow = feed.watch(EVENTS).await.unwrap();
    let mut quick = feed.watch(PAYMENTS).await.unwrap();
    let flood: Vec<Uuid> = (0..1_100).map(|_| test.app.new_id()).collect();
    record_all(test, flood.iter().map(|id| Change::WebhookEventReceived(*id)).collect()).await;
    // The first may be delivered in one read with the flood, and before it; the second is delivered after both.
    for payment in [test.app.new_id(), test.app.new_id()] {
        record(test, Change::PaymentRecorded(payment, payment)).await;
        assert_eq!(next(&mut quick).await, payment);
    }
    let mut heard = 0;
    while soon(slow.next()).await.is_some() {
        heard += 1;
    }
    assert_eq!(heard, 1_024, "those that were waiting, and then the end");
}

async fn the_feed_begins_again_after_all_have_left(test: &TestApp) {
    let feed = Feed::new(&test.app);
    for _ in 0..20 {
        let mut watcher = feed.watch(EVENTS).await.unwrap();
        let event = test.app.new_id();
        record(test, Change::WebhookEventReceived(event)).await;
        // A change from just before can still be delivered.
        while next(&mut watcher).await != event {}
        drop(watcher);
        record(test, Change::WebhookEventReceived(test.app.new_id())).await;
    }
}

async fn the_changes_of_a_node_whose_clock_is_behind_are_delivered(test: &TestApp) {
    let behind = test.app.now() - chrono::TimeDelta::hours(1);
    let settings = [("TOLLGATE_JWT_HS256_SECRET", SECRET)];
    let other = test.beside_at(std::sync::Arc::new(tollgate::clock::Clock::fixed(behind)), &settings).await;
    let feed = Feed::new(&test.app);
    let mut watcher = feed.watch(EVENTS).await.unwrap();
    for _ in 0..3 {
        for node in [test, &other] {
            let event = test.app.new_id();
            record(node, Change::WebhookEventReceived(event)).await;
            assert_eq!(next(&mut watcher).await, event);
        }
    }
}

async fn nothing_is_told_again_when_time_goes_by(test: &TestApp) {
    let feed = Feed::new(&test.app);
    record(test, Change::WebhookEventReceived(test.app.new_id())).await;
    let mut watcher = feed.watch(EVENTS).await.unwrap();
    for hours in [0, 1, 25, 50] {
        test.advance(chrono::TimeDelta::hours(hours));
        test.run_jobs().await;
        let event = test.app.new_id();
        record(test, Change::WebhookEventReceived(event)).await;
        assert_eq!(next(&mut watcher).await, event, "after {hours} hours");
    }
}

async fn changes_are_forgotten_after_a_day(test: &TestApp) {
    let many = (0..2_500).map(|_| Change::WebhookEventReceived(test.app.new_id())).collect();
    record_all(test, many).await;
    test.advance(chrono::TimeDelta::hours(23));
    record(test, Change::WebhookEventReceived(test.app.new_id())).await;
    test.run_jobs().await;
    assert_eq!(Entity::find().all(test.app.db.read()).await.unwrap().len(), 2_501);
    test.advance(chrono::TimeDelta::hours(2));
    test.run_jobs().await;
    assert_eq!(Entity::find().all(test.app.db.read()).await.unwrap().len(), 1);
}

#[test]
fn a_connection_that_is_lost_is_made_anew_and_nothing_is_missed() {
    run(Engine::Postgres, async |test: &TestApp| {
        let feed = Feed::new(&test.app);
        let mut watcher = feed.watch(EVENTS).await.unwrap();
        for _ in 0..3 {
            let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() \
                       AND application_name = 'tollgate-listener'";
            test.app.db.schema().execute_unprepared(end).await.unwrap();
            let event = test.app.new_id();
            record(test, Change::WebhookEventReceived(event)).await;
            assert_eq!(next(&mut watcher).await, event);
        }
    });
}

#[test]
fn a_transaction_that_commits_late_is_told_late() {
    run(Engine::Postgres, async |test: &TestApp| {
        let feed = Feed::new(&test.app);
        let mut watcher = feed.watch(EVENTS).await.unwrap();
        let (go_on, wait) = tokio::sync::oneshot::channel::<()>();
        let (early, late) = (test.app.new_id(), test.app.new_id());
        let (wrote, written) = tokio::sync::oneshot::channel::<()>();
        let open = test.app.db.write(move |txn| {
            Box::pin(async move {
                tollgate::changes::record(txn, Change::WebhookEventReceived(late)).await?;
                wrote.send(()).unwrap();
                let _ = wait.await;
                Ok(())
            })
        });
        let others = async {
            written.await.unwrap();
            record(test, Change::WebhookEventReceived(early)).await;
            assert_eq!(next(&mut watcher).await, early);
            // However late.
            test.advance(chrono::TimeDelta::hours(5));
            go_on.send(()).unwrap();
        };
        tokio::join!(others, async { open.await.unwrap() });
        assert_eq!(next(&mut watcher).await, late);
    });
}
