//! Replays and counts of webhook events through the API: which events a filter picks, and who may have them.

use crate::support::webhooks::{deliver, event};
use crate::support::{TestApp, both_engines, global_id, sql};
use serde_json::{Value, json};
use tollgate::auth::Permission;
use tollgate::providers::Provider;

both_engines!(
    a_replay_takes_the_events_that_its_filter_picks,
    a_dry_run_counts_and_changes_nothing,
    one_event_is_replayed_by_its_id,
    the_inbox_counts_what_is_left_to_do,
    replays_and_counts_need_their_scopes,
);

const REPLAY: &str = "mutation($filter: WebhookEventFilter, $dry: Boolean = true) {
    replayWebhookEvents(input: {filter: $filter, dryRun: $dry}) {
        replay { eventCount hasMore differences { table } failures } userErrors { code field } } }";
const ONE: &str =
    "mutation($id: ID!, $dry: Boolean = false) { replayWebhookEvent(input: {webhookEventId: $id, dryRun: $dry}) {
    replay { eventCount hasMore } userErrors { code message } } }";
const INBOX: &str = "{ inbox { received failed parked waiting oldestUnappliedAt } }";

/// Events of both providers in every state, each on an object of its own. They name no owner, so that none makes rows.
async fn events(test: &TestApp) {
    for (number, state) in ["applied", "failed", "parked", "received", "ignored"].into_iter().enumerate() {
        for provider in [Provider::Stripe, Provider::Paddle] {
            let prefix = if provider == Provider::Stripe { "cus" } else { "ctm" };
            let id = format!("evt_{}_{state}", provider.name());
            let sent = event(provider, &id, &format!("{prefix}_{number}"));
            assert_eq!(deliver(test, provider, &sent).await.status, 200);
        }
        test.advance(chrono::TimeDelta::seconds(1));
    }
    test.run_jobs().await;
    for state in ["applied", "failed", "parked", "received", "ignored"] {
        let set = format!(
            "UPDATE inbox_events SET state = '{state}', waits_for = NULL, error = NULL, note = NULL, \
             applied_at = CASE WHEN '{state}' = 'applied' THEN received_at END WHERE external_id LIKE '%_{state}'"
        );
        sql::execute(test.app.db.schema(), &set).await;
    }
}

/// Returns the number of events that a filter picks in a dry run.
async fn picked(test: &TestApp, filter: Value) -> Value {
    let payload = test.admin().data(REPLAY, json!({"filter": filter})).await["replayWebhookEvents"].take();
    assert_eq!(payload["userErrors"], json!([]), "{filter}");
    assert_eq!(payload["replay"]["hasMore"], false, "{filter}");
    payload["replay"]["eventCount"].clone()
}

async fn a_replay_takes_the_events_that_its_filter_picks(test: &TestApp) {
    events(test).await;
    for (filter, expected) in [
        // Those that failed or are parked, unless the states are named.
        (Value::Null, 4),
        (json!({}), 4),
        (json!({"state": []}), 4),
        (json!({"state": ["FAILED"]}), 2),
        (json!({"state": ["PARKED", "APPLIED"]}), 4),
        (json!({"state": ["RECEIVED", "APPLIED", "FAILED", "PARKED"]}), 8),
        (json!({"provider": "STRIPE"}), 2),
        (json!({"provider": "PADDLE", "state": ["APPLIED"]}), 1),
        (json!({"provider": "MANUAL"}), 0),
        (json!({"eventType": "customer.updated"}), 4),
        (json!({"eventType": "invoice.paid"}), 0),
        (json!({"externalId": "evt_stripe_failed"}), 1),
        (json!({"externalId": "evt_stripe_applied"}), 0),
        (json!({"externalId": "evt_stripe_applied", "state": ["APPLIED"]}), 1),
        (json!({"objectId": "cus_1"}), 1),
        (json!({"objectId": "ctm_2"}), 1),
        (json!({"objectId": "cus_1", "provider": "PADDLE"}), 0),
        (json!({"waiting": true}), 0),
        (json!({"waiting": false}), 4),
        (json!({"receivedAt": {"from": "2026-01-15T12:00:02Z"}}), 2),
        (json!({"receivedAt": {"to": "2026-01-15T12:00:02Z"}}), 2),
        (json!({"receivedAt": {"from": "2026-01-16T00:00:00Z"}}), 0),
    ] {
        assert_eq!(picked(test, filter.clone()).await, expected, "{filter}");
    }
    // Of ignored events only those can be applied whose type was not known; see unknown_events.rs.
    assert_eq!(picked(test, json!({"state": ["FAILED", "IGNORED"]})).await, 2);
    let ignored = json!({"filter": {"state": ["IGNORED"]}});
    let refused = test.admin().data(REPLAY, ignored).await["replayWebhookEvents"].take();
    let error = json!({"code": "STATE_INVALID", "field": ["filter"]});
    assert_eq!(refused, json!({"replay": null, "userErrors": [error]}));
}

async fn a_dry_run_counts_and_changes_nothing(test: &TestApp) {
    events(test).await;
    // The admin becomes a user with the first request.
    test.admin().data(INBOX, json!({})).await;
    let before = sql::everything(test.app.db.schema()).await;
    picked(test, json!({"state": ["APPLIED", "FAILED", "PARKED", "RECEIVED"]})).await;
    let dry = "mutation($id: ID!) { replayWebhookEvent(input: {webhookEventId: $id, dryRun: true}) { replay { eventCount } } }";
    let ids = sql::ids(test.app.db.read(), "SELECT id FROM inbox_events WHERE state = 'failed' ORDER BY id", []).await;
    for id in ids {
        let counted = test.admin().data(dry, json!({"id": global_id("WebhookEvent", id)})).await;
        assert_eq!(counted["replayWebhookEvent"]["replay"]["eventCount"], 1);
    }
    assert!(sql::everything(test.app.db.schema()).await == before, "a dry run changed rows");
}

async fn one_event_is_replayed_by_its_id(test: &TestApp) {
    events(test).await;
    let id = async |external: &str| {
        let select = format!("SELECT id FROM inbox_events WHERE external_id = '{external}'");
        global_id("WebhookEvent", sql::ids(test.app.db.read(), &select, []).await[0])
    };
    for state in ["applied", "failed", "parked", "received"] {
        let variables = json!({"id": id(&format!("evt_stripe_{state}")).await});
        let done = test.admin().data(ONE, variables).await["replayWebhookEvent"].take();
        assert_eq!(done, json!({"replay": {"eventCount": 1, "hasMore": false}, "userErrors": []}), "{state}");
    }
    let message = "No event to apply: it does not exist, or is ignored for the reason in its `note`.";
    for id in [id("evt_stripe_ignored").await, global_id("WebhookEvent", uuid::Uuid::nil())] {
        let refused = test.admin().data(ONE, json!({"id": id})).await["replayWebhookEvent"].take();
        let error = json!({"code": "NOT_FOUND", "message": message});
        assert_eq!(refused, json!({"replay": null, "userErrors": [error]}));
    }
    test.run_jobs().await;
    let left = "SELECT COUNT(*) FROM inbox_events WHERE external_id LIKE 'evt_stripe%' AND state = 'received' \
        AND waits_for IS NULL";
    assert_eq!(sql::number(test.app.db.read(), left).await, 0, "each is applied, or waits for its owner");
}

async fn the_inbox_counts_what_is_left_to_do(test: &TestApp) {
    let empty = test.admin().data(INBOX, json!({})).await["inbox"].take();
    let nothing = json!({"received": 0, "failed": 0, "parked": 0, "waiting": 0, "oldestUnappliedAt": null});
    assert_eq!(empty, nothing);
    events(test).await;
    let some = test.admin().data(INBOX, json!({})).await["inbox"].take();
    assert_eq!([&some["received"], &some["failed"], &some["parked"]], [&json!(2); 3], "{some}");
    for (state, field) in [("failed", "failed"), ("parked", "parked"), ("received", "received")] {
        let end = format!("UPDATE inbox_events SET state = 'ignored' WHERE state = '{state}'");
        sql::execute(test.app.db.schema(), &end).await;
        let now = test.admin().data(INBOX, json!({})).await["inbox"].take();
        assert_eq!(now[field], 0, "{now}");
    }
    assert_eq!(test.admin().data(INBOX, json!({})).await["inbox"], nothing);
}

async fn replays_and_counts_need_their_scopes(test: &TestApp) {
    events(test).await;
    for permission in Permission::ALL {
        let service = test.service(&[permission]);
        let counts = [Permission::BillingRead, Permission::OperationsRead].contains(&permission);
        let reply = service.post(INBOX, json!({})).await.json();
        let code = reply["errors"][0]["extensions"]["code"].as_str();
        assert_eq!(code, (!counts).then_some("FORBIDDEN"), "{}: {reply}", permission.scope());
        // A replay reads the events, too.
        let code = service.code(REPLAY, json!({"filter": null})).await;
        assert_eq!(code, "FORBIDDEN", "{}", permission.scope());
    }
    let both = test.service(&[Permission::OperationsWrite, Permission::BillingRead]);
    let done = both.data(REPLAY, json!({"filter": null})).await["replayWebhookEvents"].take();
    assert_eq!(done["replay"]["eventCount"], 4, "{done}");
    for (caller, code) in [(test.anonymous(), "UNAUTHENTICATED"), (test.user("ann"), "FORBIDDEN")] {
        assert_eq!(caller.code(INBOX, json!({})).await, code);
        assert_eq!(caller.code(REPLAY, json!({"filter": null})).await, code);
    }
}
