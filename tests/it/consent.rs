//! Consent to being tracked: the newest decision of a person counts, and each stays.

use crate::support::pages::{page, publishable_key};
use crate::support::{Client, SECRET, TestApp, both_engines, sql};
use chrono::TimeDelta;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use sea_orm::ConnectionTrait as _;
use serde_json::{Value, json};
use tollgate::auth::Permission;

both_engines!(
    events_of_those_who_refused_are_refused,
    with_required_consent_the_undecided_are_refused,
    the_decision_of_a_visitor_counts_for_the_user,
    a_browser_can_refuse_for_its_user,
    each_decision_stays,
    decisions_are_recorded_of_those_whose_events_are,
    the_newest_decision_counts_in_any_order_of_things,
);

const SITE: &str = "https://www.example.com";
const RECORD: &str = "mutation($user: ID, $visitor: String, $decision: ConsentDecision!) {
    recordConsent(input: {userId: $user, anonymousId: $visitor, decision: $decision}) {
        decidedAt userErrors { code field } } }";
const TRACK: &str = "mutation($events: [TrackedEventInput!]!) { trackEvents(input: {events: $events}) {
    results { outcome userErrors { code field } } userErrors { code } } }";
const IDENTIFY: &str = "mutation($visitor: String!, $user: ID) {
    identify(input: {anonymousId: $visitor, userId: $user}) { userErrors { code } } }";

/// Records a decision of a person, by `userId` or `anonymousId`; the payload.
async fn decide(caller: &Client<'_>, person: Value, decision: &str) -> Value {
    let variables = json!({"user": person["userId"], "visitor": person["anonymousId"], "decision": decision});
    caller.data(RECORD, variables).await["recordConsent"].take()
}

/// Records an event of each person; the outcomes or codes.
async fn track(test: &TestApp, caller: &Client<'_>, persons: &[Value]) -> Vec<String> {
    let event = |person: &Value| {
        let mut event = json!({"name": "seen", "dedupeKey": test.app.new_id().to_string()});
        event.as_object_mut().unwrap().extend(person.as_object().unwrap().clone());
        event
    };
    let events: Vec<Value> = persons.iter().map(event).collect();
    let done = caller.data(TRACK, json!({"events": events})).await["trackEvents"].take();
    let outcome = |result: &Value| match result["userErrors"].as_array().unwrap().first() {
        Some(error) => error["code"].as_str().unwrap().to_owned(),
        None => result["outcome"].as_str().unwrap().to_owned(),
    };
    done["results"].as_array().unwrap().iter().map(outcome).collect()
}

fn visitor(id: &str) -> Value {
    json!({"anonymousId": id})
}

async fn user(test: &TestApp, subject: &str) -> Value {
    let me = test.user(subject).data("{ viewer { user { id } } }", json!({})).await;
    json!({"userId": me["viewer"]["user"]["id"]})
}

/// A Tollgate over the same database that requires consent.
async fn strict(test: &TestApp) -> TestApp {
    test.beside(&[("TOLLGATE_JWT_HS256_SECRET", SECRET), ("TOLLGATE_TRACKING_CONSENT", "required")]).await
}

async fn events_of_those_who_refused_are_refused(test: &TestApp) {
    let (ann, key) = (user(test, "ann").await, publishable_key(test, &[SITE]).await);
    let (tracker, site) = (test.service(&[Permission::EventsWrite]), page(test, &key, SITE));
    let persons = [ann.clone(), visitor("v"), visitor("w")];
    assert_eq!(track(test, &tracker, &persons).await, ["RECORDED"; 3]);
    decide(&test.user("ann"), json!({}), "REFUSED").await;
    decide(&site, visitor("v"), "REFUSED").await;
    decide(&tracker, visitor("w"), "GRANTED").await;
    assert_eq!(track(test, &tracker, &persons).await, ["CONSENT_REFUSED", "CONSENT_REFUSED", "RECORDED"]);
    assert_eq!(track(test, &test.user("ann"), &[json!({})]).await, ["CONSENT_REFUSED"]);
    assert_eq!(track(test, &site, &persons[1..]).await, ["CONSENT_REFUSED", "RECORDED"]);
    test.advance(TimeDelta::seconds(1));
    decide(&tracker, ann, "GRANTED").await;
    decide(&tracker, visitor("v"), "GRANTED").await;
    assert_eq!(track(test, &tracker, &persons).await, ["RECORDED"; 3]);
    assert_eq!(sql::number(test.app.db.schema(), "SELECT COUNT(*) FROM analytics_events").await, 8);
}

async fn with_required_consent_the_undecided_are_refused(test: &TestApp) {
    let (ann, key) = (user(test, "ann").await, publishable_key(test, &[SITE]).await);
    let strict = strict(test).await;
    let (tracker, site) = (strict.service(&[Permission::EventsWrite]), page(&strict, &key, SITE));
    let persons = [ann, visitor("v"), visitor("w"), visitor("x")];
    assert_eq!(track(&strict, &tracker, &persons).await, ["CONSENT_MISSING"; 4]);
    assert_eq!(track(&strict, &strict.user("ann"), &[json!({})]).await, ["CONSENT_MISSING"]);
    decide(&strict.user("ann"), json!({}), "GRANTED").await;
    decide(&site, visitor("v"), "GRANTED").await;
    decide(&site, visitor("w"), "REFUSED").await;
    let outcomes = ["RECORDED", "RECORDED", "CONSENT_REFUSED", "CONSENT_MISSING"];
    assert_eq!(track(&strict, &tracker, &persons).await, outcomes);
    assert_eq!(track(&strict, &site, &persons[1..]).await, outcomes[1..]);
    let lax = test.service(&[Permission::EventsWrite]);
    assert_eq!(track(test, &lax, &persons[3..]).await, ["RECORDED"]);
}

async fn the_decision_of_a_visitor_counts_for_the_user(test: &TestApp) {
    let (ann, bob) = (user(test, "ann").await, user(test, "bob").await);
    let tracker = test.service(&[Permission::EventsWrite]);
    decide(&tracker, visitor("phone"), "REFUSED").await;
    assert_eq!(track(test, &tracker, &[ann.clone(), visitor("laptop")]).await, ["RECORDED"; 2]);
    for device in ["phone", "laptop"] {
        test.user("ann").data(IDENTIFY, json!({"visitor": device})).await;
    }
    let all = [ann.clone(), visitor("phone"), visitor("laptop"), bob];
    let refused = ["CONSENT_REFUSED", "CONSENT_REFUSED", "CONSENT_REFUSED", "RECORDED"];
    assert_eq!(track(test, &tracker, &all).await, refused);
    // Unless the user decides later.
    test.advance(TimeDelta::seconds(1));
    decide(&test.user("ann"), json!({}), "GRANTED").await;
    assert_eq!(track(test, &tracker, &all).await, ["RECORDED"; 4]);
    // A later one on any device counts again.
    test.advance(TimeDelta::seconds(1));
    decide(&tracker, visitor("laptop"), "REFUSED").await;
    assert_eq!(track(test, &tracker, &all).await, refused);
    // A visitor who decided before the user did changes nothing by being identified.
    decide(&tracker, visitor("old"), "GRANTED").await;
    test.advance(TimeDelta::seconds(1));
    decide(&test.user("ann"), json!({}), "REFUSED").await;
    test.user("ann").data(IDENTIFY, json!({"visitor": "old"})).await;
    assert_eq!(track(test, &tracker, &[ann, visitor("old")]).await, ["CONSENT_REFUSED"; 2]);
}

async fn a_browser_can_refuse_for_its_user(test: &TestApp) {
    let key = publishable_key(test, &[SITE]).await;
    let private = || page(test, &key, SITE).with_header("sec-gpc", "1");
    let persons = [visitor("v"), visitor("w")];
    assert_eq!(track(test, &private(), &persons).await, ["CONSENT_REFUSED"; 2]);
    // It is a signal of one request, and no decision.
    assert_eq!(track(test, &page(test, &key, SITE), &persons).await, ["RECORDED"; 2]);
    assert_eq!(track(test, &page(test, &key, SITE).with_header("sec-gpc", "0"), &persons).await, ["RECORDED"; 2]);
    decide(&private(), visitor("v"), "GRANTED").await;
    assert_eq!(track(test, &private(), &persons).await, ["RECORDED", "CONSENT_REFUSED"]);
    // Back ends speak for themselves.
    let tracker = test.service(&[Permission::EventsWrite]).with_header("sec-gpc", "1");
    assert_eq!(track(test, &tracker, &persons).await, ["RECORDED"; 2]);
}

async fn each_decision_stays(test: &TestApp) {
    let (ann, key) = (user(test, "ann").await, publishable_key(test, &[SITE]).await);
    let (tracker, site) = (test.service(&[Permission::EventsWrite]), page(test, &key, SITE));
    let times = ["12:00:00", "12:01:00", "12:02:00", "12:03:00"].map(|time| format!("2026-01-15T{time}Z"));
    let decided = |at: &str| json!({"decidedAt": at, "userErrors": []});
    assert_eq!(decide(&site, visitor("v"), "GRANTED").await, decided(&times[0]));
    test.advance(TimeDelta::minutes(1));
    assert_eq!(decide(&site, visitor("v"), "GRANTED").await, decided(&times[0]), "again changes nothing");
    assert_eq!(decide(&tracker, visitor("v"), "REFUSED").await, decided(&times[1]));
    test.advance(TimeDelta::minutes(1));
    tracker.data(IDENTIFY, json!({"visitor": "v", "user": ann["userId"]})).await;
    // Of another person the decision is one of its own, also where it is the one in force.
    assert_eq!(decide(&test.user("ann"), json!({}), "REFUSED").await, decided(&times[2]));
    test.advance(TimeDelta::minutes(1));
    assert_eq!(decide(&site, visitor("v"), "GRANTED").await, decided(&times[3]));
    let query =
        "query($user: ID, $visitor: String) { analytics { consentDecisions(userId: $user, anonymousId: $visitor) {
        decision decidedAt anonymousId recordedBy user { id } } } }";
    let id = sql::ids(test.app.db.schema(), "SELECT id FROM publishable_keys", None).await[0];
    let (of_page, ann_id) = (format!("publishable_key:{id}"), ann["userId"].clone());
    let (_, ann_row) = crate::support::local_id(ann_id.as_str().unwrap());
    let record = |decision: &str, at: &str, by: &str| json!({"decision": decision, "decidedAt": at, "anonymousId": "v", "recordedBy": by, "user": null});
    let mut own = record("REFUSED", &times[2], &format!("user:{ann_row}"));
    (own["anonymousId"], own["user"]) = (Value::Null, json!({"id": ann_id}));
    let all = json!([
        record("GRANTED", &times[3], &of_page),
        own,
        record("REFUSED", &times[1], "service:backend"),
        record("GRANTED", &times[0], &of_page),
    ]);
    for person in [json!({"user": ann_id}), json!({"visitor": "v"})] {
        let data = test.admin().data(query, person).await;
        assert_eq!(data["analytics"]["consentDecisions"], all);
    }
    for person in [json!({}), json!({"user": ann_id, "visitor": "v"}), json!({"visitor": ""})] {
        assert_eq!(test.admin().code(query, person).await, "BAD_USER_INPUT");
    }
    for statement in ["UPDATE consent_decisions SET decision = 'granted'", "DELETE FROM consent_decisions"] {
        let error = test.app.db.schema().execute_unprepared(statement).await.expect_err(statement);
        assert!(error.to_string().contains("consent_decisions is append-only"), "{error}");
    }
}

async fn decisions_are_recorded_of_those_whose_events_are(test: &TestApp) {
    let (ann, bob) = (user(test, "ann").await, user(test, "bob").await);
    let key = publishable_key(test, &[SITE]).await;
    let (tracker, site) = (test.service(&[Permission::EventsWrite]), page(test, &key, SITE));
    let both = json!({"userId": ann["userId"], "anonymousId": "v"});
    for (caller, person, code) in [
        (&test.user("ann"), bob.clone(), "USER_NOT_FOUND"),
        (&test.user("ann"), visitor("v"), "PERSON_INVALID"),
        (&tracker, json!({}), "PERSON_INVALID"),
        (&tracker, both, "PERSON_INVALID"),
        (&tracker, visitor(""), "ANONYMOUS_ID_INVALID"),
        (&tracker, json!({"userId": "no"}), "USER_NOT_FOUND"),
        (&tracker, json!({"userId": crate::support::global_id("User", test.app.new_id())}), "USER_NOT_FOUND"),
        (&site, ann, "PERSON_INVALID"),
        (&site, json!({}), "PERSON_INVALID"),
    ] {
        let done = decide(caller, person.clone(), "REFUSED").await;
        assert_eq!((&done["userErrors"][0]["code"], &done["decidedAt"]), (&json!(code), &Value::Null), "{person}");
    }
    let variables = json!({"visitor": "v", "decision": "GRANTED"});
    assert_eq!(test.anonymous().code(RECORD, variables.clone()).await, "UNAUTHENTICATED");
    assert_eq!(test.service(&[]).code(RECORD, variables.clone()).await, "FORBIDDEN");
    // A decision takes as much of the rate as an event: a minute has a hundred for an address.
    let site = page(test, &key, SITE).calling_from("192.0.2.1");
    for number in 0..100 {
        decide(&site, visitor(&number.to_string()), "GRANTED").await;
    }
    assert_eq!(site.code(RECORD, variables).await, "RATE_LIMITED");
}

/// Decisions and identifications at random, beside a list of all decisions that is searched.
async fn the_newest_decision_counts_in_any_order_of_things(test: &TestApp) {
    let strict = strict(test).await;
    let tracker = strict.service(&[Permission::EventsWrite]);
    let users = [user(test, "ann").await, user(test, "bob").await];
    let visitors = ["a", "b", "c", "d", "e"].map(visitor);
    let persons: Vec<Value> = users.iter().chain(&visitors).cloned().collect();
    let (mut rng, mut decisions) = (StdRng::seed_from_u64(7), Vec::<(usize, bool)>::new());
    // The user that each person is.
    let mut owners: Vec<usize> = (0..persons.len()).collect();
    for _ in 0..80 {
        strict.advance(TimeDelta::milliseconds(rng.random_range(0..2)));
        let who = rng.random_range(0..persons.len());
        if rng.random_bool(0.1) && who >= users.len() && owners[who] == who {
            let owner = rng.random_range(0..users.len());
            let known = json!({"visitor": persons[who]["anonymousId"], "user": users[owner]["userId"]});
            tracker.data(IDENTIFY, known).await;
            owners[who] = owner;
        } else {
            let is_granted = rng.random_bool(0.5);
            let newest = decisions.iter().rev().find(|(by, _)| owners[*by] == owners[who]);
            if newest != Some(&(who, is_granted)) {
                decisions.push((who, is_granted));
            }
            decide(&tracker, persons[who].clone(), if is_granted { "GRANTED" } else { "REFUSED" }).await;
        }
        let expected: Vec<&str> = (0..persons.len())
            .map(|who| match decisions.iter().rev().find(|(by, _)| owners[*by] == owners[who]) {
                Some((_, true)) => "RECORDED",
                Some((_, false)) => "CONSENT_REFUSED",
                None => "CONSENT_MISSING",
            })
            .collect();
        assert_eq!(track(&strict, &tracker, &persons).await, expected);
    }
    let rows = sql::number(test.app.db.schema(), "SELECT COUNT(*) FROM consent_decisions").await;
    assert_eq!(usize::try_from(rows).unwrap(), decisions.len());
}
