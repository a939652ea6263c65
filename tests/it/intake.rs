//! Webhooks that arrive at once: stored together in few transactions, and each answered for itself.

use crate::support::webhooks::{deliver, event};
use crate::support::{TestApp, both_engines, sql};
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use sea_orm::{DatabaseConnection, DbBackend};
use serde_json::Value;
use std::collections::BTreeSet;
use tollgate::providers::Provider;

both_engines!(
    webhooks_that_wait_share_a_transaction,
    one_event_that_comes_many_times_at_once_is_stored_once,
    an_event_that_cannot_be_stored_fails_alone,
    a_sender_that_hangs_up_loses_nothing,
    events_of_both_providers_and_without_effect_share_a_transaction,
);

const MANY: usize = 60;

fn customers(count: usize) -> Vec<Value> {
    let event = |number| event(Provider::Stripe, &format!("evt_{number:03}"), &format!("cus_{}", number % 7));
    (0..count).map(event).collect()
}

/// Delivers events at once, and returns the statuses of the replies.
async fn deliver_at_once(test: &TestApp, events: &[Value]) -> Vec<u16> {
    let replies = join_all(events.iter().map(|event| deliver(test, Provider::Stripe, event))).await;
    replies.iter().map(|reply| reply.status.as_u16()).collect()
}

async fn stored(test: &TestApp) -> Vec<String> {
    sql::column(test.app.db.read(), "SELECT external_id FROM inbox_events ORDER BY external_id", []).await
}

async fn webhooks_that_wait_share_a_transaction(test: &TestApp) {
    let before = test.app.db.statements();
    assert_eq!(deliver_at_once(test, &customers(MANY)).await, [200; MANY]);
    let statements = test.app.db.statements() - before;
    // One by one they would be several each; how many share a transaction depends on the machine.
    let limit = 2 * u64::try_from(MANY).unwrap();
    assert!(statements < limit, "{statements} statements for {MANY} webhooks");
    assert_eq!(stored(test).await.len(), MANY);
    let db = test.app.db.read();
    let jobs = "SELECT COUNT(*) FROM jobs WHERE kind = 'apply_object'";
    assert_eq!(sql::number(db, jobs).await, 7, "one for each object");
    let changes = "SELECT subject_id FROM changes WHERE kind = 'webhook_event_received'";
    let events = "SELECT id FROM inbox_events";
    let told: BTreeSet<_> = sql::ids(db, changes, []).await.into_iter().collect();
    assert_eq!(told, sql::ids(db, events, []).await.into_iter().collect());
    assert_eq!(test.run_jobs().await, 7);
}

async fn one_event_that_comes_many_times_at_once_is_stored_once(test: &TestApp) {
    let one = customers(1).remove(0);
    let other = event(Provider::Stripe, "evt_other", "cus_other");
    let mut events = vec![one; MANY];
    events.insert(MANY / 2, other);
    assert_eq!(deliver_at_once(test, &events).await, [200; MANY + 1]);
    assert_eq!(stored(test).await, ["evt_000", "evt_other"]);
    assert_eq!(sql::number(test.app.db.read(), "SELECT COUNT(*) FROM changes").await, 2);
    assert_eq!(test.run_jobs().await, 2);
    // And again, when it is known.
    assert_eq!(deliver_at_once(test, &events).await, [200; MANY + 1]);
    assert_eq!(stored(test).await.len(), 2);
    assert_eq!(test.run_jobs().await, 0);
}

/// Lets the database refuse the event `evt_007`.
async fn poison(db: &DatabaseConnection) {
    let statements: &[&str] = match db.get_database_backend() {
        DbBackend::Postgres => &[
            "CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             IF NEW.external_id = 'evt_007' THEN RAISE EXCEPTION 'poison'; END IF; RETURN NEW; END $$",
            "CREATE TRIGGER poison BEFORE INSERT ON inbox_events FOR EACH ROW EXECUTE FUNCTION poison()",
        ],
        _ => &["CREATE TRIGGER poison BEFORE INSERT ON inbox_events WHEN NEW.external_id = 'evt_007' \
                BEGIN SELECT RAISE(ABORT, 'poison'); END"],
    };
    for statement in statements {
        sql::execute(db, statement).await;
    }
}

async fn an_event_that_cannot_be_stored_fails_alone(test: &TestApp) {
    poison(test.app.db.schema()).await;
    let events = customers(20);
    let statuses = deliver_at_once(test, &events).await;
    let expected: Vec<u16> = (0..20).map(|number| if number == 7 { 500 } else { 200 }).collect();
    assert_eq!(statuses, expected);
    let kept = stored(test).await;
    assert!(kept.len() == 19 && !kept.contains(&"evt_007".to_owned()), "{kept:?}");
    assert_eq!(sql::number(test.app.db.read(), "SELECT COUNT(*) FROM changes").await, 19);
    assert_eq!(test.run_jobs().await, 7);
    // Once the cause is gone the provider's next attempt succeeds.
    let drop = match test.app.db.schema().get_database_backend() {
        DbBackend::Postgres => "DROP TRIGGER poison ON inbox_events",
        _ => "DROP TRIGGER poison",
    };
    sql::execute(test.app.db.schema(), drop).await;
    assert_eq!(deliver_at_once(test, &events[7..8]).await, [200]);
    assert_eq!(stored(test).await.len(), 20);
    assert_eq!(test.run_jobs().await, 1);
}

async fn a_sender_that_hangs_up_loses_nothing(test: &TestApp) {
    let events = customers(30);
    for event in &events[..23] {
        let answer = deliver(test, Provider::Stripe, event).now_or_never();
        assert!(answer.is_none(), "it is dropped while it waits");
    }
    // One event of each object, and so at least one in each queue.
    assert_eq!(deliver_at_once(test, &events[23..]).await, [200; 7]);
    assert_eq!(stored(test).await.len(), 30, "those before them in the queues are stored by then");
    assert_eq!(test.run_jobs().await, 7);
}

async fn events_of_both_providers_and_without_effect_share_a_transaction(test: &TestApp) {
    let mut unknown = event(Provider::Stripe, "evt_unknown", "cus_1");
    unknown["type"] = "customer.frobnicated".into();
    let deliveries = [
        (Provider::Paddle, event(Provider::Paddle, "evt_1", "ctm_1")),
        (Provider::Stripe, event(Provider::Stripe, "evt_1", "cus_1")),
        (Provider::Stripe, unknown),
        (Provider::Stripe, event(Provider::Stripe, "evt_1", "cus_1")),
    ];
    let replies = join_all(deliveries.iter().map(|(provider, event)| deliver(test, *provider, event))).await;
    assert!(replies.iter().all(|reply| reply.status == 200));
    assert_eq!(stored(test).await, ["evt_1", "evt_1", "evt_unknown"]);
    let states = "SELECT state FROM inbox_events ORDER BY external_id";
    assert_eq!(sql::column::<String>(test.app.db.read(), states, []).await, ["received", "received", "ignored"]);
    assert_eq!(test.run_jobs().await, 2);
}
