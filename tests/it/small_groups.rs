//! Figures of product analytics about few people, which are hidden, and those from which they would follow.

use crate::support::experiments::{self, EVENT, Person};
use crate::support::{Client, SECRET, TestApp, both_engines, local_id};
use chrono::TimeDelta;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use std::sync::Arc;
use uuid::Uuid;

both_engines!(
    people_are_shown_from_the_number_in_the_settings_on,
    counts_of_events_are_hidden_with_their_people,
    visitors_who_are_few_are_not_told_from_users,
    steps_of_a_funnel_hide_those_who_left,
    variants_of_an_experiment_hide_few_units_and_few_conversions,
    errors_of_few_users_are_counted_without_their_users,
);

/// A node beside `test` with this minimum group.
async fn node(test: &TestApp, minimum: &str) -> TestApp {
    let secret = ("TOLLGATE_JWT_HS256_SECRET", SECRET);
    let minimum = ("TOLLGATE_ANALYTICS_MINIMUM_GROUP", minimum);
    test.beside_at(Arc::clone(&test.app.clock), &[secret, minimum]).await
}

async fn figure(caller: &Client<'_>, field: &str) -> Value {
    let found = caller.data(&format!("{{ analytics {{ it: {field} }} }}"), json!({})).await;
    found["analytics"]["it"].clone()
}

async fn track(test: &TestApp, people: impl IntoIterator<Item = Person>, name: &str) {
    for person in people {
        experiments::track(&test.app, &person, name, test.app.now()).await;
    }
}

fn visitors(count: usize) -> impl Iterator<Item = Person> {
    (0..count).map(|number| Person::visitor(&format!("v-{number}")))
}

async fn users(test: &TestApp, count: usize) -> Vec<Person> {
    let mut users = Vec::new();
    for number in 0..count {
        let user = test.user(&format!("user-{number}")).data("{ viewer { user { id } } }", json!({})).await;
        let id: Uuid = local_id(user["viewer"]["user"]["id"].as_str().unwrap()).1;
        users.push(Person::User(id));
    }
    users
}

async fn people_are_shown_from_the_number_in_the_settings_on(test: &TestApp) {
    track(test, visitors(4), "four").await;
    track(test, visitors(5), "five").await;
    let today = test.app.now().date_naive();
    let range = format!("from: \"{today}\", to: \"{}\"", today + TimeDelta::days(1));
    let field = format!("eventCounts(names: [\"four\", \"five\"], {range}) {{ name peopleCount }}");
    let counts = async |minimum| {
        let node = node(test, minimum).await;
        let found = figure(&node.admin(), &field).await;
        found.as_array().unwrap().iter().map(|row| row["peopleCount"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(counts("5").await, [json!(5), Value::Null]);
    assert_eq!(counts("6").await, [Value::Null, Value::Null]);
    assert_eq!(counts("1").await, [json!(5), json!(4)]);
}

async fn counts_of_events_are_hidden_with_their_people(test: &TestApp) {
    let mut dice = StdRng::seed_from_u64(11);
    let today = test.app.now().date_naive();
    for _ in 0..250 {
        let person = Person::visitor(&format!("v-{}", dice.random_range(0..9)));
        let name = ["visit", "try", "buy"][dice.random_range(0..3)];
        let at = test.app.now() - TimeDelta::hours(dice.random_range(0..24 * 12));
        experiments::track(&test.app, &person, name, at).await;
    }
    let range = format!("from: \"{}\", to: \"{}\"", today - TimeDelta::days(20), today + TimeDelta::days(1));
    let counts =
        format!("eventCounts(names: [\"visit\", \"try\", \"buy\"], {range}) {{ day name eventCount peopleCount }}");
    let active =
        format!("activeUsers({range}, withVisitors: true) {{ day dailyCount weeklyCount monthlyCount stickiness }}");
    let node = node(test, "5").await;
    let is_few = |count: &Value| (1..5).contains(&count.as_i64().unwrap());
    let mut expected = figure(&test.admin(), &counts).await;
    let mut hidden = 0;
    for row in expected.as_array_mut().unwrap().iter_mut().filter(|row| is_few(&row["peopleCount"])) {
        (row["eventCount"], row["peopleCount"]) = (Value::Null, Value::Null);
        hidden += 1;
    }
    assert!(hidden > 5 && hidden < expected.as_array().unwrap().len(), "{hidden}");
    assert_eq!(figure(&node.admin(), &counts).await, expected);
    let mut expected = figure(&test.admin(), &active).await;
    for row in expected.as_array_mut().unwrap() {
        if is_few(&row["dailyCount"]) || is_few(&row["monthlyCount"]) {
            row["stickiness"] = Value::Null;
        }
        for name in ["dailyCount", "weeklyCount", "monthlyCount"] {
            row[name] = if is_few(&row[name]) { Value::Null } else { row[name].take() };
        }
    }
    assert_eq!(figure(&node.admin(), &active).await, expected);
}

async fn visitors_who_are_few_are_not_told_from_users(test: &TestApp) {
    let today = test.app.now().date_naive();
    let node = node(test, "5").await;
    let daily = async |with_visitors: bool| {
        let range = format!("from: \"{today}\", to: \"{}\"", today + TimeDelta::days(1));
        let field = format!("activeUsers({range}, withVisitors: {with_visitors}) {{ dailyCount stickiness }}");
        let found = figure(&node.admin(), &field).await[0].clone();
        (found["dailyCount"].as_i64(), found["stickiness"].as_str().map(str::to_owned))
    };
    let one = Some("1".to_owned());
    track(test, users(test, 4).await, "seen").await;
    assert_eq!((daily(false).await, daily(true).await), ((None, None), (None, None)));
    track(test, visitors(3), "seen").await;
    assert_eq!((daily(false).await, daily(true).await), ((None, None), (Some(7), one.clone())));
    // With five users who are shown, the sum would tell the three visitors.
    track(test, users(test, 5).await, "seen again").await;
    assert_eq!((daily(false).await, daily(true).await), ((Some(5), one.clone()), (None, None)));
    track(test, visitors(6), "seen again").await;
    assert_eq!((daily(false).await, daily(true).await), ((Some(5), one.clone()), (Some(11), one)));
}

async fn steps_of_a_funnel_hide_those_who_left(test: &TestApp) {
    for (name, people) in [("visit", 20), ("look", 18), ("try", 14), ("buy", 3), ("return", 0)] {
        track(test, visitors(people), name).await;
        test.advance(TimeDelta::minutes(1));
    }
    let today = test.app.now().date_naive();
    let range = format!("from: \"{today}\", to: \"{}\"", today + TimeDelta::days(1));
    let steps = "steps: [\"visit\", \"look\", \"try\", \"buy\", \"return\"], windowSeconds: 3600";
    let field = format!("funnel({steps}, {range}) {{ peopleCount ofPrevious ofFirst }}");
    let step = |people: Option<i64>, of_previous: Option<&str>, of_first: Option<&str>| json!({"peopleCount": people, "ofPrevious": of_previous, "ofFirst": of_first});
    let node = node(test, "5").await;
    let expected = [
        step(Some(20), None, Some("1")),
        // Two left after the first step, and six after the step that is shown.
        step(None, None, None),
        step(Some(14), None, Some("0.7")),
        step(None, None, None),
        step(Some(0), None, Some("0")),
    ];
    assert_eq!(figure(&node.admin(), &field).await, json!(expected));
}

async fn variants_of_an_experiment_hide_few_units_and_few_conversions(test: &TestApp) {
    let experiment = experiments::row(&test.app, "checkout").await;
    let fill = async |variant: &str, [units, conversions]: [usize; 2]| {
        for number in 0..units {
            let person = Person::Visitor(format!("{variant}-{number}-{units}"));
            experiments::assign(&test.app, experiment, &person, variant, test.app.now()).await;
            if number < conversions {
                experiments::track(&test.app, &person, EVENT, test.app.now()).await;
            }
        }
    };
    let node = node(test, "5").await;
    let field = "experiment(code: \"checkout\") { closedUnitCount decision difference { estimate }
        sizeCheck { isMismatched } variants { unitCount conversionCount conversionRate confidenceInterval { low } } }";
    fill("control", [4, 0]).await;
    fill("treatment", [12, 6]).await;
    let found = figure(&node.admin(), field).await;
    let hidden = |units: Value| json!({"unitCount": units, "conversionCount": null, "conversionRate": null, "confidenceInterval": null});
    assert_eq!(found["variants"][0], hidden(Value::Null));
    assert_eq!(found["variants"][1]["conversionRate"], "0.5");
    assert_eq!((&found["sizeCheck"], &found["difference"]), (&Value::Null, &Value::Null));
    assert_eq!((&found["closedUnitCount"], &found["decision"]), (&Value::Null, &json!("COLLECTING")));
    // All but four of the control converted.
    fill("control", [8, 11]).await;
    let found = figure(&node.admin(), field).await;
    assert_eq!(found["variants"][0], hidden(json!(12)));
    assert_eq!((&found["sizeCheck"]["isMismatched"], &found["difference"]), (&json!(false), &Value::Null));
    assert_eq!(found["closedUnitCount"], 0);
    fill("control", [5, 1]).await;
    let found = figure(&node.admin(), field).await;
    assert_eq!(found["variants"][0]["conversionCount"], 9, "{found}");
    assert_eq!(found["difference"]["estimate"], "-0.029411764706");
}

async fn errors_of_few_users_are_counted_without_their_users(test: &TestApp) {
    let users = users(test, 12).await;
    let ids: Vec<Uuid> = users
        .iter()
        .map(|user| match user {
            Person::User(id) => *id,
            Person::Visitor(_) => unreachable!("they are users"),
        })
        .collect();
    track(test, users, "visit").await;
    let shown = node(test, "5").await;
    let today = test.app.now().date_naive();
    let range = format!("from: \"{today}\", to: \"{}\"", today + TimeDelta::days(1));
    let field = format!("errorRates({range}) {{ errorCount affectedUserCount activeUserCount affectedRate }}");
    let mut logged = 0;
    // Four users, six of twelve, and all but four.
    for (affected, count, rate) in
        [(4, None, None), (6, Some(6), Some("0.5")), (8, None, None), (12, Some(12), Some("1"))]
    {
        let errors: Vec<Value> = (logged..affected)
            .map(|number| {
                let user = crate::support::global_id("User", ids[number]);
                json!({"errorType": "T", "message": "m", "dedupeKey": "1", "userId": user})
            })
            .collect();
        let log =
            "mutation($errors: [LoggedErrorInput!]!) { logErrors(input: {errors: $errors}) { userErrors { code } } }";
        test.admin().data(log, json!({"errors": errors})).await;
        logged = affected;
        let wanted =
            json!([{"errorCount": affected, "affectedUserCount": count, "activeUserCount": 12, "affectedRate": rate}]);
        assert_eq!(figure(&shown.admin(), &field).await, wanted);
    }
    let none = node(test, "13").await;
    let wanted = json!([{"errorCount": 12, "affectedUserCount": null, "activeUserCount": null, "affectedRate": null}]);
    assert_eq!(figure(&none.admin(), &field).await, wanted);
}
