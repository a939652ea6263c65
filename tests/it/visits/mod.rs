//! Sessions, page views and the daily use of features, which equal those that are computed here from the events alone,
//! whenever the events arrive and whenever the job runs.

mod model;
mod work;

use crate::support::{TestApp, both_engines, local_id, sql};
use chrono::{DateTime, NaiveDate, SecondsFormat, TimeDelta, Utc};
use entity::{feature_daily, session_daily, visitor_sessions};
use model::{Facts, NAMES, PAGES, Person, Sent, Session};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use tollgate::analytics;
use tollgate::auth::{Permission, Viewer};
use uuid::Uuid;

both_engines!(
    figures_never_depend_on_the_time_of_events_and_jobs,
    a_late_event_joins_two_sessions,
    an_identified_visitor_has_the_sessions_of_the_user,
    few_people_are_hidden,
    only_callers_for_analytics_see_sessions,
);

const TRACK: &str = "mutation($events: [TrackedEventInput!]!) { trackEvents(input: {events: $events}) {
    results { outcome } userErrors { code } } }";
const IDENTIFY: &str = "mutation($visitor: String!, $user: ID) {
    identify(input: {anonymousId: $visitor, userId: $user}) { userErrors { code } } }";

async fn user(test: &TestApp, subject: &str) -> String {
    let me = test.user(subject).data("{ viewer { user { id } } }", json!({})).await;
    me["viewer"]["user"]["id"].as_str().unwrap().to_owned()
}

async fn send(test: &TestApp, facts: &mut Facts, events: Vec<Sent>) {
    let first = facts.events.len();
    let inputs = events.iter().enumerate().map(|(number, event)| {
        let field = if event.person.0 { "userId" } else { "anonymousId" };
        json!({"name": event.name, field: event.person.1, "dedupeKey": event.key.clone().unwrap_or_else(|| (first + number).to_string()),
            "page": event.page.map(|page| PAGES[page].0), "referrer": event.referrer,
            "occurredAt": event.at.to_rfc3339_opts(SecondsFormat::Secs, true)})
    });
    let inputs: Vec<Value> = inputs.collect();
    let tracker = test.service(&[Permission::EventsWrite]);
    // Once more: duplicates change nothing.
    for outcome in ["RECORDED", "DUPLICATE"] {
        let done = tracker.data(TRACK, json!({"events": inputs})).await["trackEvents"].take();
        assert!(done["results"].as_array().unwrap().iter().all(|result| result["outcome"] == outcome), "{done}");
    }
    facts.events.extend(events);
}

async fn identify(test: &TestApp, facts: &mut Facts, visitor: &str, user: &str) {
    let tracker = test.service(&[Permission::EventsWrite]);
    let done = tracker.data(IDENTIFY, json!({"visitor": visitor, "user": user})).await["identify"].take();
    assert_eq!(done["userErrors"], json!([]));
    facts.users.insert(visitor.to_owned(), user.to_owned());
}

/// Runs the job, which is due each minute.
async fn run_job(test: &TestApp) {
    test.advance(TimeDelta::minutes(1));
    test.run_jobs().await;
}

async fn figure(test: &TestApp, field: &str) -> Vec<Value> {
    let found = test.admin().data(&format!("{{ analytics {{ it: {field} }} }}"), json!({})).await;
    found["analytics"]["it"].as_array().unwrap().clone()
}

async fn sessions(test: &TestApp, from: NaiveDate) -> Vec<Value> {
    let to = test.app.now().date_naive() + TimeDelta::days(2);
    let fields = "day sessionCount peopleCount pageViewCount bounceRate meanDurationSeconds";
    figure(test, &format!("sessions(from: \"{from}\", to: \"{to}\") {{ {fields} }}")).await
}

/// Compares all figures with the definition.
async fn compare(test: &TestApp, facts: &Facts, when: &str) {
    let today = test.app.now().date_naive();
    for from in [today - TimeDelta::days(30), today - TimeDelta::days(2), today] {
        assert_eq!(sessions(test, from).await, facts.days(from), "{when}, from {from}");
    }
    let range = format!("from: \"{}\", to: \"{}\"", today - TimeDelta::days(30), today + TimeDelta::days(1));
    let names = "names: [\"visit\", \"try\", \"buy\"]";
    let counts = figure(test, &format!("eventCounts({names}, {range}) {{ day name eventCount peopleCount }}")).await;
    assert_eq!(counts, facts.counts(), "{when}");
    let pages = figure(test, &format!("pageViews({range}) {{ path viewCount peopleCount }}")).await;
    assert_eq!(pages, facts.pages(), "{when}");
    let most = figure(test, &format!("pageViews({range}, first: 1) {{ path viewCount peopleCount }}")).await;
    assert_eq!(most, facts.pages()[..1], "{when}");
}

/// Compares the stored rows with the definition.
async fn compare_rows(test: &TestApp, facts: &Facts) {
    let db = test.app.db.schema();
    assert_eq!(sql::number(db, "SELECT COUNT(*) FROM activity_marks").await, 0);
    let rows: Vec<visitor_sessions::Model> = sql::models(db, "SELECT * FROM visitor_sessions").await;
    let stored = rows.into_iter().map(|row| Session {
        person: match (row.user_id, row.anonymous_id) {
            (Some(id), _) => (true, id.to_string()),
            (None, visitor) => (false, visitor.unwrap()),
        },
        started_at: row.started_at.to_utc(),
        ended_at: row.ended_at.to_utc(),
        events: row.event_count,
        page_views: row.page_view_count,
        first_page: row.first_page,
        referrer: row.referrer,
    });
    let mut stored: Vec<Session> = stored.collect();
    let mut expected = facts.sessions();
    for session in expected.iter_mut().filter(|session| session.person.0) {
        session.person.1 = local_id(&session.person.1).1.to_string();
    }
    stored.sort();
    expected.sort();
    assert_eq!(stored, expected);
    let mut rows: Vec<feature_daily::Model> = sql::models(db, "SELECT * FROM feature_daily").await;
    rows.sort_by(|a, b| (a.day, &a.name).cmp(&(b.day, &b.name)));
    let row = |row: &feature_daily::Model| json!({"day": row.day, "name": row.name, "eventCount": row.event_count, "peopleCount": row.people_count});
    assert_eq!(rows.iter().map(row).collect::<Vec<_>>(), facts.counts());
}

/// Every stored row, with its id.
async fn rows(test: &TestApp) -> (Vec<visitor_sessions::Model>, Vec<session_daily::Model>, Vec<feature_daily::Model>) {
    let db = test.app.db.schema();
    (
        sql::models(db, "SELECT * FROM visitor_sessions ORDER BY id").await,
        sql::models(db, "SELECT * FROM session_daily ORDER BY id").await,
        sql::models(db, "SELECT * FROM feature_daily ORDER BY id").await,
    )
}

async fn figures_never_depend_on_the_time_of_events_and_jobs(test: &TestApp) {
    let mut dice = StdRng::seed_from_u64(43);
    let mut people: Vec<Person> = (0..6).map(|number| (false, format!("visitor {number}"))).collect();
    for subject in ["ann", "bob", "cy"] {
        people.push((true, user(test, subject).await));
    }
    let (mut facts, start) = (Facts::default(), test.app.now());
    for batch in 0..12 {
        let mut events = Vec::new();
        for _ in 0..25 {
            // On ten minutes, so that gaps of exactly half an hour occur, and on both sides of midnight.
            let minutes = 10 * dice.random_range(0..6 * 60);
            let second = TimeDelta::seconds(i64::from(dice.random_bool(0.1)));
            let page = dice.random_bool(0.6).then(|| dice.random_range(0..PAGES.len()));
            events.push(Sent {
                person: people[dice.random_range(0..people.len())].clone(),
                name: NAMES[dice.random_range(0..NAMES.len())],
                at: start - TimeDelta::minutes(minutes) - second,
                page,
                referrer: dice.random_bool(0.5).then(|| format!("https://news.example/{batch}")),
                key: None,
            });
        }
        send(test, &mut facts, events).await;
        if batch % 3 == 2 {
            let visitor = format!("visitor {}", batch / 3);
            let user = people[6 + dice.random_range(0..2)].1.clone();
            identify(test, &mut facts, &visitor, &user).await;
        }
        if batch % 4 == 0 || dice.random_bool(0.3) {
            compare(test, &facts, &format!("before the job after batch {batch}")).await;
        }
        if dice.random_bool(0.6) {
            run_job(test).await;
            compare(test, &facts, &format!("after the job after batch {batch}")).await;
        }
    }
    let sessions = facts.sessions();
    assert!(sessions.iter().any(|session| session.started_at.date_naive() != session.ended_at.date_naive()));
    assert!(sessions.iter().any(|session| session.events > 5) && sessions.iter().any(|session| session.events == 1));
    run_job(test).await;
    // Today is counted from the events until it is over.
    let today = test.app.now().date_naive();
    let db = test.app.db.schema();
    assert_eq!(
        sql::number(
            db,
            "SELECT COUNT(DISTINCT day) FROM activity_marks WHERE user_id IS NULL AND anonymous_id IS NULL"
        )
        .await,
        1
    );
    assert!(
        sql::models::<feature_daily::Model>(db, "SELECT * FROM feature_daily").await.iter().all(|row| row.day < today)
    );
    test.advance(TimeDelta::days(1));
    run_job(test).await;
    compare(test, &facts, "on the next day").await;
    compare_rows(test, &facts).await;
    rebuild_the_same(test).await;
}

/// Rebuilds the rows, which stay as they are, and again after some were damaged.
async fn rebuild_the_same(test: &TestApp) {
    let db = test.app.db.schema();
    let stored = rows(test).await;
    let rebuild = async || analytics::rebuild(&test.app, &Viewer::system("test"), |_| {}).await.unwrap().visits;
    let done = rebuild().await;
    assert!(done.marks > 20, "{done:?}");
    assert_eq!((done.session_rows, done.feature_rows, done.total_rows), (0, 0, 0));
    assert_eq!(rows(test).await, stored, "a rebuild gives the same rows");
    for sql in [
        "UPDATE visitor_sessions SET event_count = event_count + 1 WHERE event_count = 2",
        "DELETE FROM visitor_sessions WHERE event_count = 1",
        "UPDATE session_daily SET bounce_count = bounce_count + 7",
        "DELETE FROM feature_daily WHERE name = 'try'",
        "UPDATE feature_daily SET event_count = event_count + 1",
    ] {
        sql::execute(db, sql).await;
    }
    let done = rebuild().await;
    assert!(done.session_rows > 10 && done.feature_rows > 5 && done.total_rows > 0, "{done:?}");
    assert_eq!(rows(test).await, stored);
}

fn event(person: &str, at: DateTime<Utc>) -> Sent {
    Sent { person: (false, person.to_owned()), name: "visit", at, page: None, referrer: None, key: None }
}

async fn a_late_event_joins_two_sessions(test: &TestApp) {
    let mut facts = Facts::default();
    let midnight = (test.app.now() - TimeDelta::days(3)).date_naive().and_time(chrono::NaiveTime::MIN).and_utc();
    let at = |minutes: i64| midnight + TimeDelta::minutes(minutes);
    send(test, &mut facts, vec![event("v", at(-25)), event("v", at(31)), event("v", at(62))]).await;
    run_job(test).await;
    let day = |day: &Value| (day["sessionCount"].clone(), day["meanDurationSeconds"].clone());
    let found = sessions(test, midnight.date_naive() - TimeDelta::days(1)).await;
    assert_eq!(found.iter().map(day).collect::<Vec<_>>(), [(json!(1), json!("0")), (json!(2), json!("0"))]);
    // Late, on either side of midnight: gaps of 25, 30, 1 and 31 minutes.
    send(test, &mut facts, vec![event("v", at(30)), event("v", at(0))]).await;
    let joined = [(json!(1), json!("3360")), (json!(1), json!("0"))];
    for _ in 0..2 {
        let found = sessions(test, midnight.date_naive() - TimeDelta::days(1)).await;
        assert_eq!(found.iter().map(day).collect::<Vec<_>>(), joined);
        // The day alone does not have the session that began the day before.
        assert_eq!(sessions(test, midnight.date_naive()).await.iter().map(day).collect::<Vec<_>>(), joined[1..]);
        run_job(test).await;
    }
    assert_eq!(sql::number(test.app.db.schema(), "SELECT COUNT(*) FROM visitor_sessions").await, 2);
}

async fn an_identified_visitor_has_the_sessions_of_the_user(test: &TestApp) {
    let ann = user(test, "ann").await;
    let mut facts = Facts::default();
    let start = test.app.now() - TimeDelta::days(5);
    let mut of_ann = event("", start + TimeDelta::minutes(20));
    of_ann.person = (true, ann.clone());
    send(test, &mut facts, vec![event("v", start), of_ann, event("w", start + TimeDelta::minutes(45))]).await;
    run_job(test).await;
    let counts = async || {
        let day = sessions(test, start.date_naive()).await[0].clone();
        (day["sessionCount"].as_i64().unwrap(), day["peopleCount"].as_i64().unwrap())
    };
    assert_eq!(counts().await, (3, 3));
    identify(test, &mut facts, "w", &ann).await;
    assert_eq!(counts().await, (2, 2));
    run_job(test).await;
    assert_eq!(counts().await, (2, 2));
    identify(test, &mut facts, "v", &ann).await;
    assert_eq!(counts().await, (1, 1));
    run_job(test).await;
    assert_eq!(counts().await, (1, 1));
    compare_rows(test, &facts).await;
    let owner: Vec<Uuid> = sql::ids(test.app.db.schema(), "SELECT user_id FROM visitor_sessions", []).await;
    assert_eq!(owner, [local_id(&ann).1]);
}

async fn few_people_are_hidden(test: &TestApp) {
    let secret = ("TOLLGATE_JWT_HS256_SECRET", crate::support::SECRET);
    let minimum = ("TOLLGATE_ANALYTICS_MINIMUM_GROUP", "5");
    let node = test.beside_at(std::sync::Arc::clone(&test.app.clock), &[secret, minimum]).await;
    let mut facts = Facts::default();
    let at = test.app.now();
    let view = |person: usize, page: usize, days: i64| Sent {
        page: Some(page),
        ..event(&format!("v-{person}"), at - TimeDelta::days(days))
    };
    let events = (0..5).map(|person| view(person, 0, 0)).chain((0..4).map(|person| view(person, 1, 1)));
    send(test, &mut facts, events.collect()).await;
    let found = sessions(&node, at.date_naive() - TimeDelta::days(1)).await;
    let hidden = json!({"day": at.date_naive() - TimeDelta::days(1), "sessionCount": null, "peopleCount": null,
        "pageViewCount": null, "bounceRate": null, "meanDurationSeconds": null});
    assert_eq!(found, [hidden, facts.days(at.date_naive())[0].clone()]);
    let range =
        format!("from: \"{}\", to: \"{}\"", at.date_naive() - TimeDelta::days(1), at.date_naive() + TimeDelta::days(1));
    let pages = figure(&node, &format!("pageViews({range}) {{ path }}")).await;
    assert_eq!(pages, [json!({"path": "/"})]);
    run_job(test).await;
}

async fn only_callers_for_analytics_see_sessions(test: &TestApp) {
    let range = "from: \"2026-01-01\", to: \"2026-02-01\"";
    for field in [format!("sessions({range}) {{ day }}"), format!("pageViews({range}) {{ path }}")] {
        let query = format!("{{ analytics {{ {field} }} }}");
        assert_eq!(test.user("ann").code(&query, json!({})).await, "FORBIDDEN");
        assert_eq!(test.service(&[Permission::EventsWrite]).code(&query, json!({})).await, "FORBIDDEN");
        test.service(&[Permission::AnalyticsRead]).data(&query, json!({})).await;
    }
    for field in [
        "sessions(from: \"2026-02-01\", to: \"2026-01-01\") { day }".to_owned(),
        format!("pageViews({range}, first: 0) {{ path }}"),
        format!("pageViews({range}, first: 101) {{ path }}"),
    ] {
        let query = format!("{{ analytics {{ {field} }} }}");
        assert_eq!(test.admin().code(&query, json!({})).await, "BAD_USER_INPUT", "{field}");
    }
}
