//! Going through the inbox again: it mends what is wrong, and touches nothing that is right.

use crate::corpus::sequences::{self, Sequence};
use crate::corpus::{check, deliver, sign_in};
use crate::support::sql::{column, execute, number};
use crate::support::{Engine, Subject as _, TestApp, TestDatabase, both_engines, global_id};
use entity::inbox_events;
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tollgate::auth::Viewer;
use tollgate::config::DatabaseUrl;
use tollgate::inbox::{Rebuilt, rebuild};

both_engines!(
    a_healthy_mirror_is_not_touched_and_a_wrong_one_is_mended,
    the_inbox_alone_gives_the_same_mirror,
    a_parked_event_is_applied_again,
    events_are_replayed_by_those_who_may,
);

/// Lives that have something of everything.
const LIVES: [&str; 6] = [
    "00-catalog",
    "02-lifecycle-basil",
    "05-credits-refund-full-prebasil",
    "08-dispute-lost-prebasil",
    "11-promo-repeating-clover",
    "20-paddle-lifecycle",
];

/// The states that count: of those of one time the last one. The others tell what was known before.
const VALID_VERSIONS: &str = "subscription_versions v WHERE NOT EXISTS (SELECT 1 FROM subscription_versions l \
    WHERE l.subscription_id = v.subscription_id AND l.effective_at = v.effective_at AND l.id > v.id)";

/// Returns the mirrored rows, without our ids and the times of recording.
const MIRRORED: [(&str, &str); 14] = [
    ("provider_objects", "provider, external_id, kind, deleted, payload"),
    ("provider_customers", "provider, external_id, email, name, deleted, delinquent"),
    ("provider_prices", "provider, external_id"),
    ("subscriptions", "provider, external_id, status, cancel_at, ended_at, current_period_end, metadata"),
    ("subscription_items", "external_id, price_external_id, quantity"),
    (VALID_VERSIONS, "status, effective_at, arr_minor"),
    ("invoices", "provider, external_id, number, status, total_minor, paid_minor, payment_external_id"),
    ("payments", "provider, external_id, status, amount_minor, refunded_minor, currency, paid_at"),
    ("refunds", "provider, external_id, status, amount_minor, currency"),
    ("disputes", "provider, external_id, status, amount_minor"),
    ("coupons", "provider, external_id, percent_basis_points, amount_off_minor"),
    ("promo_codes", "external_id, code"),
    ("credit_grants", "business_key, amount"),
    ("ledger_entries", "bucket, amount"),
];

async fn mirrored(test: &TestApp) -> Vec<String> {
    let mut rows = Vec::new();
    for (table, columns) in MIRRORED {
        let columns: Vec<_> =
            columns.split(", ").map(|column| format!("COALESCE(CAST({column} AS TEXT), '-')")).collect();
        let sql = format!("SELECT {} FROM {table}", columns.join(" || ' ' || "));
        let mut found: Vec<String> = column(test.app.db.read(), &sql, []).await;
        found.sort();
        rows.extend(found.into_iter().map(|row| format!("{table}: {row}")));
    }
    rows
}

/// Returns the waiting events with the keys that they wait for.
async fn waiting(test: &TestApp) -> Vec<String> {
    let sql = "SELECT DISTINCT object_id || ' for ' || waits_for AS waiting FROM inbox_events \
        WHERE waits_for IS NOT NULL ORDER BY waiting";
    column(test.app.db.read(), sql, []).await
}

async fn lived(test: &TestApp) -> Vec<Sequence> {
    let lives: Vec<Sequence> =
        sequences::all().into_iter().filter(|sequence| LIVES.contains(&sequence.name.as_str())).collect();
    sign_in(test, &lives).await;
    for life in &lives {
        deliver(test, &life.events).await;
    }
    test.run_jobs().await;
    lives
}

async fn gone_through(test: &TestApp, dry_run: bool) -> Rebuilt {
    let rebuilt = rebuild(&test.app, &Viewer::system("test"), dry_run, |_, _| ()).await.unwrap();
    assert_eq!(rebuilt.drift.failures, Vec::<String>::new());
    rebuilt
}

fn tables(rebuilt: &Rebuilt) -> BTreeSet<&str> {
    rebuilt.drift.tables.keys().map(String::as_str).collect()
}

async fn a_healthy_mirror_is_not_touched_and_a_wrong_one_is_mended(test: &TestApp) {
    lived(test).await;
    let right = mirrored(test).await;
    for dry_run in [true, false] {
        let rebuilt = gone_through(test, dry_run).await;
        assert!(rebuilt.objects > 50, "{rebuilt:?}");
        assert_eq!(rebuilt.waiting, waiting(test).await.len());
        assert_eq!(rebuilt.drift.differences, [], "a healthy mirror");
        assert_eq!(mirrored(test).await, right);
    }

    let db = test.app.db.schema();
    execute(
        db,
        "UPDATE payments SET amount_minor = amount_minor + 7 WHERE status = 'succeeded' AND provider = 'stripe'",
    )
    .await;
    execute(db, "UPDATE provider_customers SET email = 'wrong@example.com'").await;
    let wrong = mirrored(test).await;
    assert_ne!(wrong, right);

    let told = gone_through(test, true).await;
    assert_eq!(tables(&told), BTreeSet::from(["payments", "provider_customers"]), "{:?}", told.drift.tables);
    assert_eq!(mirrored(test).await, wrong, "a dry run changes nothing");

    let mended = gone_through(test, false).await;
    assert_eq!(mended.drift.tables, told.drift.tables);
    test.run_jobs().await;
    assert_eq!(mirrored(test).await, right);
}

async fn the_inbox_alone_gives_the_same_mirror(test: &TestApp) {
    let lives = lived(test).await;
    let engine = match test.app.config.database.url {
        DatabaseUrl::Sqlite(_) => Engine::Sqlite,
        DatabaseUrl::Postgres(_) => Engine::Postgres,
    };
    let database = TestDatabase::create(engine).unwrap();
    let other = TestApp::start(&database).await;
    sign_in(&other, &lives).await;
    for event in inbox_events::Entity::find().all(test.app.db.read()).await.unwrap() {
        let row = sea_orm::ActiveModelTrait::reset_all(event.into_active_model());
        inbox_events::Entity::insert(row).exec_without_returning(other.app.db.schema()).await.unwrap();
    }

    gone_through(&other, false).await;
    other.run_jobs().await;
    assert_eq!(waiting(&other).await, waiting(test).await);
    check(&other, &lives, "rebuilt").await;
    let (was, is) = (mirrored(test).await, mirrored(&other).await);
    let (was, is): (BTreeSet<_>, BTreeSet<_>) = (was.into_iter().collect(), is.into_iter().collect());
    let lost: Vec<_> = was.difference(&is).collect();
    let gained: Vec<_> = is.difference(&was).collect();
    assert!(lost.is_empty() && gained.is_empty(), "lost {lost:#?}\ngained {gained:#?}");
    assert_eq!(gone_through(&other, true).await.drift.differences, [], "rebuilt once more");
}

const REPLAY: &str =
    "mutation($id: ID!, $dry: Boolean!) { replayWebhookEvent(input: {webhookEventId: $id, dryRun: $dry}) {
    replay { eventCount hasMore differences { table externalId before after } failures } userErrors { code } } }";
const REPLAY_ALL: &str = "mutation($filter: WebhookEventFilter, $dry: Boolean!) {
    replayWebhookEvents(input: {filter: $filter, dryRun: $dry}) {
        replay { eventCount hasMore differences { table } } userErrors { code } } }";

async fn charged(test: &TestApp) -> inbox_events::Model {
    let events = inbox_events::Entity::find().filter(inbox_events::Column::Kind.eq("charge.succeeded"));
    events.one(test.app.db.read()).await.unwrap().unwrap()
}

async fn a_parked_event_is_applied_again(test: &TestApp) {
    lived(test).await;
    let right = mirrored(test).await;
    let event = charged(test).await;
    let db = test.app.db.schema();
    let park = format!(
        "UPDATE inbox_events SET state = 'parked', attempts = 20, error = 'a fault', applied_at = NULL \
         WHERE external_id = '{}'",
        event.external_id
    );
    execute(db, &park).await;
    execute(db, "UPDATE payments SET amount_minor = amount_minor + 7 WHERE status = 'succeeded'").await;
    let wrong = mirrored(test).await;
    let id = global_id("WebhookEvent", event.id);

    let told = test.admin().data(REPLAY, json!({"id": id, "dry": true})).await["replayWebhookEvent"]["replay"].take();
    assert_eq!((&told["eventCount"], &told["hasMore"], &told["failures"]), (&json!(1), &json!(false), &json!([])));
    let payment = &told["differences"][0];
    assert_eq!(payment["table"], "payments");
    let amount = |side: &Value| side["amount_minor"].as_i64().unwrap();
    assert_eq!(amount(&payment["before"]), amount(&payment["after"]) + 7);
    assert_eq!(mirrored(test).await, wrong, "a dry run changes nothing");
    assert_eq!(charged(test).await.state, "parked");

    let all = test.admin().data(REPLAY_ALL, json!({"filter": null, "dry": false})).await;
    assert_eq!(all["replayWebhookEvents"]["replay"], json!({"eventCount": 1, "hasMore": false, "differences": []}));
    assert!(test.run_jobs().await > 0);
    let event = charged(test).await;
    assert_eq!((event.state.as_str(), event.error, event.attempts), ("applied", None, 1));
    assert_eq!(number(db, "SELECT COUNT(*) FROM audit_log WHERE action = 'webhook_events.replay'").await, 1);

    // The other payments are mended by what is applied of them.
    let filter = json!({"filter": {"state": ["APPLIED"], "eventType": "charge.succeeded"}, "dry": false});
    test.admin().data(REPLAY_ALL, filter).await;
    test.run_jobs().await;
    let paddle = json!({"filter": {"state": ["APPLIED"], "provider": "PADDLE"}, "dry": false});
    test.admin().data(REPLAY_ALL, paddle).await;
    test.run_jobs().await;
    assert_eq!(mirrored(test).await, right);
}

async fn events_are_replayed_by_those_who_may(test: &TestApp) {
    let unknown = json!({"id": global_id("WebhookEvent", test.app.new_id()), "dry": false});
    let reply = test.admin().data(REPLAY, unknown.clone()).await;
    assert_eq!(reply["replayWebhookEvent"]["userErrors"], json!([{"code": "NOT_FOUND"}]));
    let ignored = json!({"filter": {"state": ["IGNORED"]}, "dry": false});
    let reply = test.admin().data(REPLAY_ALL, ignored).await;
    assert_eq!(reply["replayWebhookEvents"]["userErrors"], json!([{"code": "STATE_INVALID"}]));
    assert_eq!(test.user("eve").code(REPLAY, unknown).await, "FORBIDDEN");
    let all = json!({"filter": null, "dry": false});
    assert_eq!(test.anonymous().code(REPLAY_ALL, all).await, "UNAUTHENTICATED");
}
