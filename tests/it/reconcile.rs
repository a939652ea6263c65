//! Comparing with Stripe: what never arrived is made up for, what differs is mended, what is right stays.

use crate::corpus::sequences::{self, Event, Sequence};
use crate::corpus::{check, deliver, sign_in};
use crate::support::sql::{column, number};
use crate::support::stripe::Stripe;
use crate::support::{TestApp, both_engines};
use serde_json::{Value, json};

both_engines!(
    missed_events_are_made_up_for,
    differences_from_stripe_are_corrected,
    the_schedule_compares_by_itself,
    without_a_key_nothing_is_compared,
);

const RECONCILE: &str = "mutation($since: DateTime!, $dry: Boolean!) {
    reconcile(input: {since: $since, dryRun: $dry}) { userErrors { code } reconciliation {
        eventsListed eventsMissed objectsCompared objectsDiffering complete failures
        differences { table externalId before after } } } }";
const RESYNC: &str = "mutation($id: ID!) { resyncAccount(input: {accountId: $id}) { userErrors { code }
    reconciliation { objectsCompared objectsDiffering complete differences { table before after } } } }";

async fn reconciled(test: &TestApp, dry_run: bool) -> Value {
    let variables = json!({"since": "2024-01-01T00:00:00Z", "dry": dry_run});
    let mut data = test.admin().data(RECONCILE, variables).await;
    let found = data["reconcile"]["reconciliation"].take();
    assert_eq!((&found["failures"], &found["complete"]), (&json!([]), &json!(true)));
    found
}

fn life() -> Sequence {
    sequences::all().into_iter().find(|sequence| sequence.name == "03-resume-basil").unwrap()
}

async fn stand_in(sequence: &Sequence) -> Stripe {
    let events = sequence.events.iter().map(|event| serde_json::from_str(&event.body).unwrap());
    Stripe::start(&sequences::objects_of(sequence), events.collect()).await
}

async fn inbox(test: &TestApp) -> i64 {
    number(test.app.db.read(), "SELECT COUNT(*) FROM inbox_events").await
}

async fn missed_events_are_made_up_for(given: &TestApp) {
    let life = life();
    let stripe = stand_in(&life).await;
    // Without a key while the webhooks arrive, so that nothing is fetched.
    sign_in(given, std::slice::from_ref(&life)).await;
    let half: Vec<Event> = life.events.iter().step_by(2).cloned().collect();
    deliver(given, &half).await;
    given.run_jobs().await;

    let test = given.beside(&stripe.settings()).await;
    let before = inbox(&test).await;
    let told = reconciled(&test, true).await;
    // One of those that did not arrive is about a payment method, which is not mirrored.
    let missed = i64::try_from(life.events.len() - half.len() - 1).unwrap();
    assert_eq!((&told["eventsListed"], &told["eventsMissed"]), (&json!(life.events.len()), &json!(missed)));
    assert!(!told["differences"].as_array().unwrap().is_empty());
    assert_eq!(inbox(&test).await, before, "a dry run changes nothing");

    let done = reconciled(&test, false).await;
    assert_eq!(done["eventsMissed"], json!(missed));
    test.run_jobs().await;
    check(&test, std::slice::from_ref(&life), "reconciled").await;

    let again = reconciled(&test, false).await;
    assert_eq!((&again["eventsMissed"], &again["objectsDiffering"]), (&json!(0), &json!(0)), "{again}");
    assert_eq!(again["differences"], json!([]));
    let audited = "SELECT COUNT(*) FROM audit_log WHERE action = 'mirror.reconcile'";
    assert_eq!(number(test.app.db.read(), audited).await, 2);
}

async fn differences_from_stripe_are_corrected(given: &TestApp) {
    let life = life();
    let stripe = stand_in(&life).await;
    let test = given.beside(&stripe.settings()).await;
    sign_in(&test, std::slice::from_ref(&life)).await;
    reconciled(&test, false).await;
    test.run_jobs().await;
    check(&test, std::slice::from_ref(&life), "from nothing").await;

    let customer = life.expected["facts"]["customers"].as_object().unwrap().keys().next().unwrap().clone();
    let mut object = stripe.object(&customer);
    object["email"] = json!("new@example.com");
    stripe.put(object.clone());
    let told = reconciled(&test, true).await;
    let difference = &told["differences"][0];
    assert_eq!((&difference["table"], &difference["externalId"]), (&json!("provider_customers"), &json!(customer)));
    assert_eq!(difference["after"]["email"], "new@example.com");
    assert_eq!(told["differences"].as_array().unwrap().len(), 1);
    reconciled(&test, false).await;
    let email = "SELECT email FROM provider_customers";
    assert_eq!(column::<String>(test.app.db.read(), email, []).await, ["new@example.com"]);

    object["email"] = json!("newer@example.com");
    stripe.put(object);
    let user = &life.users()[0];
    let account = test.user(user).data("{ viewer { account { id } } }", json!({})).await;
    let id = &account["viewer"]["account"]["id"];
    let synced = test.admin().data(RESYNC, json!({"id": id})).await["resyncAccount"]["reconciliation"].take();
    assert_eq!((&synced["objectsDiffering"], &synced["complete"]), (&json!(1), &json!(true)), "{synced}");
    assert_eq!(synced["differences"][0]["after"]["email"], "newer@example.com");
    assert_eq!(column::<String>(test.app.db.read(), email, []).await, ["newer@example.com"]);
    assert_eq!(test.user(user).code(RESYNC, json!({"id": id})).await, "FORBIDDEN");

    // Objects that Stripe no longer lists stay as they are.
    stripe.remove(&customer);
    let synced = test.admin().data(RESYNC, json!({"id": id})).await["resyncAccount"]["reconciliation"].take();
    assert_eq!(synced["differences"], json!([]));
}

async fn the_schedule_compares_by_itself(given: &TestApp) {
    let life = life();
    let stripe = stand_in(&life).await;
    let test = given.beside(&stripe.settings()).await;
    sign_in(&test, std::slice::from_ref(&life)).await;
    test.run_jobs().await;
    let asked = stripe.asked();
    for list in ["/v1/events?", "/v1/customers?", "/v1/subscriptions?", "/v1/checkout/sessions?"] {
        assert!(asked.iter().any(|path| path.starts_with(list)), "{list} {asked:?}");
    }
    let marks = "SELECT COUNT(*) FROM inbox_events WHERE object_id = 'tollgate:reconciled'";
    assert_eq!(number(test.app.db.read(), marks).await, 1);

    // An hour later the events alone are due, from an hour before the last time on.
    test.advance(chrono::TimeDelta::hours(1));
    test.run_jobs().await;
    let since = "2026-01-15T11:00:00Z".parse::<chrono::DateTime<chrono::Utc>>().unwrap().timestamp();
    let asked: Vec<String> = stripe.asked().into_iter().filter(|path| path.contains("limit=")).collect();
    assert_eq!(asked, [format!("/v1/events?limit=100&created%5Bgte%5D={since}")]);
}

async fn without_a_key_nothing_is_compared(given: &TestApp) {
    let variables = json!({"since": "2024-01-01T00:00:00Z", "dry": false});
    let data = given.admin().data(RECONCILE, variables.clone()).await;
    assert_eq!(data["reconcile"]["userErrors"], json!([{"code": "NOT_CONFIGURED"}]));
    let future = json!({"since": "2036-01-01T00:00:00Z", "dry": false});
    let data = given.admin().data(RECONCILE, future).await;
    assert_eq!(data["reconcile"]["userErrors"], json!([{"code": "SINCE_INVALID"}]));
    assert_eq!(given.user("eve").code(RECONCILE, variables).await, "FORBIDDEN");
}
