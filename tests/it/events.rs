//! Events of users and visitors: what is recorded and refused, and the figures, which equal those that are computed here
//! from the rows alone, by the definitions of the metrics.

use crate::support::{Client, TestApp, both_engines, global_id};
use chrono::{DateTime, NaiveDate, SecondsFormat, TimeDelta, Utc};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use tollgate::auth::Permission;

both_engines!(
    an_event_is_recorded_once_for_its_person_and_key,
    each_malformed_event_is_refused_alone,
    users_record_their_own_events_and_no_others,
    a_visitor_is_one_user_for_good,
    the_figures_are_those_of_the_definitions,
    ranges_and_names_that_make_no_sense_are_refused,
);

const TRACK: &str = "mutation($events: [TrackedEventInput!]!) { trackEvents(input: {events: $events}) {
    results { outcome userErrors { code field message } } userErrors { code field } } }";
const IDENTIFY: &str = "mutation($visitor: String!, $user: ID) {
    identify(input: {anonymousId: $visitor, userId: $user}) { user { id } userErrors { code field } } }";

async fn outcomes(caller: &Client<'_>, events: Value) -> Vec<String> {
    let done = caller.data(TRACK, json!({"events": events})).await["trackEvents"].take();
    assert_eq!(done["userErrors"], json!([]));
    let results = done["results"].as_array().unwrap().iter();
    results.map(|result| result["outcome"].as_str().unwrap().to_owned()).collect()
}

async fn user(test: &TestApp, subject: &str) -> String {
    let me = test.user(subject).data("{ viewer { user { id } } }", json!({})).await;
    me["viewer"]["user"]["id"].as_str().unwrap().to_owned()
}

async fn an_event_is_recorded_once_for_its_person_and_key(test: &TestApp) {
    let ann = user(test, "ann").await;
    let tracker = test.service(&[Permission::EventsWrite]);
    let of_user = json!({"name": "opened", "userId": ann, "dedupeKey": "1", "page": "/", "properties": {"a": 1}});
    let of_visitor = json!({"name": "opened", "anonymousId": "v", "dedupeKey": "1", "referrer": "https://a.example"});
    let events = json!([of_user, of_visitor, of_user]);
    assert_eq!(outcomes(&tracker, events.clone()).await, ["RECORDED", "RECORDED", "DUPLICATE"]);
    assert_eq!(outcomes(&tracker, events).await, ["DUPLICATE", "DUPLICATE", "DUPLICATE"]);
    // A duplicate brings no day of its own.
    let mut late = of_user.clone();
    late["occurredAt"] = json!((test.app.now() - TimeDelta::days(3)).to_rfc3339_opts(SecondsFormat::Secs, true));
    assert_eq!(outcomes(&tracker, json!([late])).await, ["DUPLICATE"]);
    let today = test.app.now().date_naive();
    let active = figures(test, today - TimeDelta::days(5), today + TimeDelta::days(1), true).await;
    assert_eq!(active.iter().map(|day| day.1).collect::<Vec<_>>(), [0, 0, 0, 0, 0, 2]);
    let many: Vec<Value> =
        (0..1_001).map(|key| json!({"name": "a", "userId": ann, "dedupeKey": key.to_string()})).collect();
    let refused = tracker.data(TRACK, json!({"events": many})).await["trackEvents"].take();
    assert_eq!(refused, json!({"results": null, "userErrors": [{"code": "TOO_MANY_EVENTS", "field": ["events"]}]}));
    assert_eq!(outcomes(&tracker, json!(many[2..])).await, vec!["RECORDED"; 999]);
}

async fn each_malformed_event_is_refused_alone(test: &TestApp) {
    let ann = user(test, "ann").await;
    let tracker = test.service(&[Permission::EventsWrite]);
    let at = |delta: TimeDelta| json!((test.app.now() + delta).to_rfc3339_opts(SecondsFormat::Secs, true));
    let long = "x".repeat(4_096);
    let cases = [
        (json!({"name": ""}), "NAME_INVALID", "name"),
        (json!({"name": "a".repeat(65)}), "NAME_INVALID", "name"),
        (json!({"name": " a"}), "NAME_INVALID", "name"),
        (json!({"name": "a\nb"}), "NAME_INVALID", "name"),
        (json!({"userId": null}), "PERSON_INVALID", "userId"),
        (json!({"anonymousId": "v"}), "PERSON_INVALID", "userId"),
        (json!({"userId": global_id("User", test.app.new_id())}), "USER_NOT_FOUND", "userId"),
        (json!({"userId": "no"}), "USER_NOT_FOUND", "userId"),
        (json!({"userId": null, "anonymousId": ""}), "ANONYMOUS_ID_INVALID", "anonymousId"),
        (json!({"userId": null, "anonymousId": "a".repeat(256)}), "ANONYMOUS_ID_INVALID", "anonymousId"),
        (json!({"dedupeKey": ""}), "DEDUPE_KEY_INVALID", "dedupeKey"),
        (json!({"dedupeKey": "a\u{0}"}), "DEDUPE_KEY_INVALID", "dedupeKey"),
        (json!({"properties": [1]}), "PROPERTIES_INVALID", "properties"),
        (json!({"properties": {"a": long}}), "PROPERTIES_INVALID", "properties"),
        (json!({"properties": {"a": "\u{0}"}}), "PROPERTIES_INVALID", "properties"),
        (json!({"page": ""}), "PAGE_INVALID", "page"),
        (json!({"referrer": "a".repeat(2_001)}), "PAGE_INVALID", "referrer"),
        (json!({"occurredAt": at(TimeDelta::minutes(6))}), "OCCURRED_AT_INVALID", "occurredAt"),
        (json!({"occurredAt": at(TimeDelta::days(-401))}), "OCCURRED_AT_INVALID", "occurredAt"),
    ];
    let events = cases.iter().map(|(change, ..)| {
        let mut event = json!({"name": "a", "userId": ann, "dedupeKey": "1"});
        event.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        event
    });
    let events: Vec<Value> = events.chain([json!({"name": "a", "userId": ann, "dedupeKey": "1"})]).collect();
    let done = tracker.data(TRACK, json!({"events": events})).await["trackEvents"].take();
    let results = done["results"].as_array().unwrap();
    for ((change, code, field), result) in cases.iter().zip(results) {
        let error = &result["userErrors"][0];
        assert_eq!((&result["outcome"], &error["code"]), (&json!("REFUSED"), &json!(code)), "{change}");
        assert_eq!(error["field"], json!([field]), "{change}");
        assert!(error["message"].as_str().unwrap().ends_with('.'), "{error}");
    }
    assert_eq!(results[cases.len()]["outcome"], "RECORDED");
}

async fn users_record_their_own_events_and_no_others(test: &TestApp) {
    let (ann, bob) = (user(test, "ann").await, user(test, "bob").await);
    let events = json!([{"name": "a", "dedupeKey": "1"}, {"name": "a", "userId": ann, "dedupeKey": "2"},
        {"name": "a", "userId": bob, "dedupeKey": "3"}, {"name": "a", "anonymousId": "v", "dedupeKey": "4"}]);
    let done = test.user("ann").data(TRACK, json!({"events": events})).await["trackEvents"].take();
    let codes: Vec<&Value> =
        done["results"].as_array().unwrap().iter().map(|it| &it["userErrors"][0]["code"]).collect();
    assert_eq!(json!(codes), json!([null, null, "USER_NOT_FOUND", "PERSON_INVALID"]));
    assert_eq!(outcomes(&test.admin(), json!([{"name": "a", "dedupeKey": "1"}])).await, ["RECORDED"]);
    let one = json!({"events": [{"name": "a", "userId": ann, "dedupeKey": "5"}]});
    assert_eq!(test.anonymous().code(TRACK, one.clone()).await, "UNAUTHENTICATED");
    assert_eq!(test.service(&[Permission::CreditsWrite]).code(TRACK, one).await, "FORBIDDEN");
    // A key for events does nothing else.
    let tracker = test.service(&[Permission::EventsWrite]);
    assert_eq!(tracker.code("{ analytics { recurringRevenue { currency } } }", json!({})).await, "FORBIDDEN");
    assert_eq!(tracker.data("{ users { nodes { id } } }", json!({})).await["users"]["nodes"], json!([]));
}

async fn a_visitor_is_one_user_for_good(test: &TestApp) {
    let (ann, bob) = (user(test, "ann").await, user(test, "bob").await);
    let tracker = test.service(&[Permission::EventsWrite, Permission::BillingRead]);
    let visits = json!([{"name": "seen", "anonymousId": "v", "dedupeKey": "1"},
        {"name": "seen", "userId": ann, "dedupeKey": "1"}]);
    outcomes(&tracker, visits).await;
    let today = test.app.now().date_naive();
    let people = async |with_visitors| {
        figures(test, today, today + TimeDelta::days(1), with_visitors).await.iter().map(|day| day.1).sum::<i64>()
    };
    assert_eq!((people(false).await, people(true).await), (1, 2));
    let known = tracker.data(IDENTIFY, json!({"visitor": "v", "user": ann})).await["identify"].take();
    assert_eq!(known, json!({"user": {"id": ann}, "userErrors": []}));
    assert_eq!((people(false).await, people(true).await), (1, 1));
    // Again by the user, who needs no id.
    let again = test.user("ann").data(IDENTIFY, json!({"visitor": "v"})).await["identify"].take();
    assert_eq!(again, known);
    let refused = async |caller: &Client<'_>, input: Value| {
        caller.data(IDENTIFY, input).await["identify"]["userErrors"][0]["code"].take()
    };
    assert_eq!(refused(&test.user("bob"), json!({"visitor": "v"})).await, "ANONYMOUS_ID_TAKEN");
    assert_eq!(refused(&test.user("ann"), json!({"visitor": "w", "user": bob})).await, "USER_NOT_FOUND");
    assert_eq!(refused(&tracker, json!({"visitor": "w"})).await, "USER_NOT_FOUND");
    assert_eq!(refused(&tracker, json!({"visitor": "", "user": bob})).await, "ANONYMOUS_ID_INVALID");
    assert_eq!(test.anonymous().code(IDENTIFY, json!({"visitor": "w"})).await, "UNAUTHENTICATED");
}

/// Daily, weekly and monthly active people and stickiness, by day.
async fn figures(
    test: &TestApp,
    from: NaiveDate,
    to: NaiveDate,
    with_visitors: bool,
) -> Vec<(NaiveDate, i64, i64, i64, Option<String>)> {
    let query = "query($from: Date!, $to: Date!, $all: Boolean!) { analytics {
        activeUsers(from: $from, to: $to, withVisitors: $all) { day dailyCount weeklyCount monthlyCount stickiness } } }";
    let found = test.admin().data(query, json!({"from": from, "to": to, "all": with_visitors})).await;
    let days = found["analytics"]["activeUsers"].as_array().unwrap().iter().map(|day| {
        let count = |name: &str| day[name].as_i64().unwrap();
        let stickiness = day["stickiness"].as_str().map(str::to_owned);
        let date = day["day"].as_str().unwrap().parse().unwrap();
        (date, count("dailyCount"), count("weeklyCount"), count("monthlyCount"), stickiness)
    });
    days.collect()
}

const TRILLION: i64 = 1_000_000_000_000;

/// Returns a decimal number of up to twelve places in trillionths.
fn trillionths(text: &str) -> i64 {
    let (whole, places) = text.split_once('.').unwrap_or((text, ""));
    whole.parse::<i64>().unwrap() * TRILLION + format!("{places:0<12}").parse::<i64>().unwrap()
}

/// The number of events, and the people who have one.
type Count<'e> = (usize, BTreeSet<&'e (bool, String)>);

/// An event as it was sent: its person as it is known in the end, with true for a user.
#[derive(Debug, Clone)]
struct Sent {
    person: (bool, String),
    name: &'static str,
    at: DateTime<Utc>,
}

const NAMES: [&str; 3] = ["visit", "try", "buy"];

/// Sends random events of users and visitors, some of whom turn out to be users, in several requests.
async fn send(test: &TestApp, dice: &mut StdRng, users: &[String]) -> Vec<Sent> {
    let tracker = test.service(&[Permission::EventsWrite]);
    let visitors: Vec<String> = (0..6).map(|number| format!("visitor {number}")).collect();
    let aliases: BTreeMap<&String, &String> = visitors.iter().zip([&users[0], &users[0], &users[1]]).collect();
    let mut sent = Vec::new();
    for batch in 0..6 {
        if batch == 3 {
            for (visitor, user) in &aliases {
                tracker.data(IDENTIFY, json!({"visitor": visitor, "user": user})).await;
            }
        }
        let mut events = Vec::new();
        for number in 0..40 {
            // On half hours, so that instants coincide.
            let at = test.app.now() - TimeDelta::minutes(30 * dice.random_range(0..48 * 70));
            let name = NAMES[dice.random_range(0..NAMES.len())];
            let is_user = dice.random_bool(0.5);
            let known = if is_user { users } else { &visitors };
            let subject = &known[dice.random_range(0..known.len())];
            let field = if is_user { "userId" } else { "anonymousId" };
            let when = at.to_rfc3339_opts(SecondsFormat::Secs, true);
            events.push(json!({"name": name, field: subject, "dedupeKey": format!("{batch} {number}"),
                "occurredAt": when}));
            let person = aliases.get(subject).filter(|_| !is_user).map_or((is_user, subject), |user| (true, *user));
            sent.push(Sent { person: (person.0, person.1.clone()), name, at });
        }
        outcomes(&tracker, json!(events)).await;
    }
    sent
}

/// The depth of a person by the definition: from each first step, the earliest later event of each next step in turn.
fn depth(events: &[&Sent], steps: &[&str], window: TimeDelta, from: DateTime<Utc>, to: DateTime<Utc>) -> usize {
    let mut best = 0;
    for (at, first) in events.iter().enumerate() {
        if first.name != steps[0] || first.at < from || first.at >= to {
            continue;
        }
        let (mut place, mut reached) = (at, 1);
        for step in &steps[1..] {
            let later = events.iter().enumerate().skip(place + 1).find(|(_, event)| event.name == *step);
            match later {
                Some((next, event)) if event.at - first.at <= window => (place, reached) = (next, reached + 1),
                _ => break,
            }
        }
        best = best.max(reached);
    }
    best
}

async fn the_figures_are_those_of_the_definitions(test: &TestApp) {
    let mut dice = StdRng::seed_from_u64(7);
    let mut users = Vec::new();
    for subject in ["ann", "bob", "cy", "dee"] {
        users.push(user(test, subject).await);
    }
    let sent = send(test, &mut dice, &users).await;
    let mut people: BTreeMap<&(bool, String), Vec<&Sent>> = BTreeMap::new();
    for event in &sent {
        people.entry(&event.person).or_default().push(event);
    }
    // Of events at one instant, the one that was recorded first comes first.
    people.values_mut().for_each(|events| events.sort_by_key(|event| event.at));
    let today = test.app.now().date_naive();
    for with_visitors in [false, true] {
        let (from, to) = (today - TimeDelta::days(45), today + TimeDelta::days(1));
        let active = |day: NaiveDate, length: i64| {
            let window = day - TimeDelta::days(length - 1)..=day;
            let counts = people.iter().filter(|(person, events)| {
                (with_visitors || person.0) && events.iter().any(|event| window.contains(&event.at.date_naive()))
            });
            i64::try_from(counts.count()).unwrap()
        };
        for (day, daily, weekly, monthly, stickiness) in figures(test, from, to, with_visitors).await {
            assert_eq!((daily, weekly, monthly), (active(day, 1), active(day, 7), active(day, 30)), "{day}");
            assert_eq!(stickiness.is_some(), monthly > 0, "{day}");
            // To half of the last place.
            let error = stickiness.map_or(0, |rate| trillionths(&rate) * monthly - daily * TRILLION);
            assert!(2 * error.abs() <= monthly, "{day}");
        }
    }
    counts_are_those_of_the_events(test, &sent).await;
    let funnel = "query($steps: [String!]!, $window: Int!, $from: Date!, $to: Date!) { analytics {
        funnel(steps: $steps, windowSeconds: $window, from: $from, to: $to) { name peopleCount ofPrevious ofFirst } } }";
    for steps in [&["visit", "try", "buy"][..], &["visit", "visit"], &["buy", "visit"], &["try", "buy", "try"]] {
        for hours in [0, 12, 72, 1_000] {
            let (from, to) = (today - TimeDelta::days(60), today - TimeDelta::days(10));
            let window = TimeDelta::hours(hours);
            let variables = json!({"steps": steps, "window": window.num_seconds(), "from": from, "to": to});
            let found = test.admin().data(funnel, variables).await["analytics"]["funnel"].take();
            let start = |day: NaiveDate| day.and_time(chrono::NaiveTime::MIN).and_utc();
            let depths = people.values().map(|events| depth(events, steps, window, start(from), start(to)));
            let depths: Vec<usize> = depths.collect();
            let expected: Vec<usize> =
                (1..=steps.len()).map(|step| depths.iter().filter(|depth| **depth >= step).count()).collect();
            let counts = found.as_array().unwrap().iter().map(|step| step["peopleCount"].as_u64().unwrap());
            let counts: Vec<usize> = counts.map(|count| usize::try_from(count).unwrap()).collect();
            assert_eq!(counts, expected, "{steps:?} within {hours} hours");
            assert_eq!((&found[0]["ofPrevious"], &found[0]["ofFirst"]), (&Value::Null, &json!("1")), "{found}");
        }
    }
}

async fn counts_are_those_of_the_events(test: &TestApp, sent: &[Sent]) {
    let today = test.app.now().date_naive();
    let from = today - TimeDelta::days(30);
    let query = "query($from: Date!, $to: Date!) { analytics {
        eventCounts(names: [\"visit\", \"buy\", \"none\"], from: $from, to: $to) { day name eventCount peopleCount } } }";
    let found = test.admin().data(query, json!({"from": from, "to": today})).await["analytics"]["eventCounts"].take();
    let mut expected: BTreeMap<(NaiveDate, &str), Count<'_>> = BTreeMap::new();
    for event in sent.iter().filter(|event| ["visit", "buy"].contains(&event.name)) {
        let day = event.at.date_naive();
        if from <= day && day < today {
            let (events, people) = expected.entry((day, event.name)).or_default();
            *events += 1;
            people.insert(&event.person);
        }
    }
    let expected: Vec<Value> = expected
        .into_iter()
        .map(|((day, name), (events, people))| {
            json!({"day": day, "name": name, "eventCount": events, "peopleCount": people.len()})
        })
        .collect();
    assert!(expected.len() > 20);
    assert_eq!(found, json!(expected));
}

async fn ranges_and_names_that_make_no_sense_are_refused(test: &TestApp) {
    let many: Vec<String> = (0..21).map(|number| format!("\"{number}\"")).collect();
    let range = "from: \"2026-01-01\", to: \"2026-02-01\"";
    for field in [
        "activeUsers(from: \"2026-02-01\", to: \"2026-01-01\") { day }".to_owned(),
        format!("eventCounts(names: [], {range}) {{ day }}"),
        format!("eventCounts(names: [{}], {range}) {{ day }}", many.join(", ")),
        format!("eventCounts(names: [\"\"], {range}) {{ day }}"),
        format!("funnel(steps: [\"a\"], windowSeconds: 1, {range}) {{ name }}"),
        format!("funnel(steps: [\"a\", \"b\"], windowSeconds: -1, {range}) {{ name }}"),
        format!("funnel(steps: [\"a\", \"b\"], windowSeconds: 31622401, {range}) {{ name }}"),
    ] {
        let query = format!("{{ analytics {{ {field} }} }}");
        assert_eq!(test.admin().code(&query, json!({})).await, "BAD_USER_INPUT", "{field}");
    }
}
