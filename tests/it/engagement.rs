//! Scores of engagement, which equal those that are computed here from the events.

use crate::support::experiments::{self, Person};
use crate::support::{Client, SECRET, TestApp, both_engines, local_id};
use chrono::{NaiveDate, TimeDelta};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use tollgate::auth::Permission;

both_engines!(scores_are_those_of_the_definition, weights_have_bounds);

const CREATE: &str = "mutation($input: CreateEngagementScoreInput!) { createEngagementScore(input: $input) {
    engagementScore { code name weights { eventName weight } } userErrors { code } } }";

async fn create(caller: &Client<'_>, input: &Value) -> Value {
    caller.data(CREATE, json!({"input": input})).await["createEngagementScore"].take()
}

async fn figures(caller: &Client<'_>, from: NaiveDate, to: NaiveDate) -> Value {
    let query = format!(
        "{{ analytics {{ engagement(code: \"use\", from: \"{from}\", to: \"{to}\") {{
            day peopleCount mean lowerQuartile median upperQuartile }} }} }}"
    );
    caller.data(&query, json!({})).await["analytics"]["engagement"].take()
}

/// A ratio as a decimal number of at most twelve places, rounded half up.
fn decimal(numerator: i64, denominator: i64) -> String {
    let (numerator, denominator) = (i128::from(numerator), i128::from(denominator));
    let trillionths = (2 * numerator * 1_000_000_000_000 + denominator).div_euclid(2 * denominator);
    let text = format!("{}.{:012}", trillionths / 1_000_000_000_000, trillionths % 1_000_000_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The quartile of ascending scores, in quarters.
fn quartile(scores: &[i64], quarter: usize) -> String {
    let place = (scores.len() - 1) * quarter;
    let (at, part) = (place / 4, i64::try_from(place % 4).unwrap());
    let next = scores.get(at + 1).unwrap_or(&scores[at]);
    decimal(scores[at] * (4 - part) + next * part, 4)
}

async fn scores_are_those_of_the_definition(test: &TestApp) {
    let input = json!({"code": "use", "name": "Use", "weights": [{"eventName": "try", "weight": 1},
        {"eventName": "buy", "weight": 7}]});
    let made = create(&test.admin(), &input).await;
    assert_eq!(made, json!({"engagementScore": input, "userErrors": []}));
    let me = test.user("ann").data("{ viewer { user { id } } }", json!({})).await;
    let ann = local_id(me["viewer"]["user"]["id"].as_str().unwrap()).1;
    let mut people: Vec<Person> = (0..9).map(|number| Person::visitor(&format!("v-{number}"))).collect();
    people.push(Person::User(ann));
    let (mut dice, mut sent) = (StdRng::seed_from_u64(5), Vec::new());
    for _ in 0..300 {
        let person = &people[dice.random_range(0..people.len())];
        let (name, weight) = [("visit", 0), ("try", 1), ("buy", 7)][dice.random_range(0..3)];
        let at = test.app.now() - TimeDelta::minutes(dice.random_range(0..60 * 24 * 12));
        experiments::track(&test.app, person, name, at).await;
        sent.push((person.clone(), at.date_naive(), weight));
    }
    experiments::identify(&test.app, "v-0", ann).await;
    experiments::identify(&test.app, "v-1", ann).await;
    let mut days: BTreeMap<NaiveDate, BTreeMap<Person, i64>> = BTreeMap::new();
    for (person, day, weight) in sent {
        let is_ann = [Person::visitor("v-0"), Person::visitor("v-1")].contains(&person);
        let person = if is_ann { Person::User(ann) } else { person };
        *days.entry(day).or_default().entry(person).or_default() += weight;
    }
    let (from, to) = (test.app.now().date_naive() - TimeDelta::days(10), test.app.now().date_naive());
    let expected = days.range(from..to).map(|(day, scores)| {
        let mut scores: Vec<i64> = scores.values().copied().collect();
        scores.sort_unstable();
        let people = i64::try_from(scores.len()).unwrap();
        json!({"day": day, "peopleCount": people, "mean": decimal(scores.iter().sum(), people),
            "lowerQuartile": quartile(&scores, 1), "median": quartile(&scores, 2), "upperQuartile": quartile(&scores, 3)})
    });
    let mut expected: Vec<Value> = expected.collect();
    assert_eq!(expected.len(), 10);
    assert_eq!(figures(&test.service(&[Permission::AnalyticsRead]), from, to).await, json!(expected));

    // With few people all figures are hidden.
    let settings = [("TOLLGATE_JWT_HS256_SECRET", SECRET), ("TOLLGATE_ANALYTICS_MINIMUM_GROUP", "8")];
    let node = test.beside_at(Arc::clone(&test.app.clock), &settings).await;
    for row in expected.iter_mut().filter(|row| row["peopleCount"].as_i64().unwrap() < 8) {
        *row = json!({"day": row["day"], "peopleCount": null, "mean": null, "lowerQuartile": null, "median": null,
            "upperQuartile": null});
    }
    assert!(expected.iter().any(|row| row["mean"].is_null()) && expected.iter().any(|row| !row["mean"].is_null()));
    assert_eq!(figures(&node.admin(), from, to).await, json!(expected));
    let none = "{ analytics { engagement(code: \"no\", from: \"2026-01-01\", to: \"2026-01-02\") { day } } }";
    assert_eq!(test.admin().data(none, json!({})).await["analytics"]["engagement"], Value::Null);
    assert_eq!(test.user("ann").code(none, json!({})).await, "FORBIDDEN");
}

async fn weights_have_bounds(test: &TestApp) {
    let weight = |name: &str, weight: i64| json!({"eventName": name, "weight": weight});
    let many = |count: usize| (0..count).map(|number| weight(&number.to_string(), 1)).collect::<Vec<_>>();
    for (weights, is_valid) in [
        (vec![], false),
        (many(20), true),
        (many(21), false),
        (vec![weight("a", 0)], false),
        (vec![weight("a", 1_000)], true),
        (vec![weight("a", 1_001)], false),
        (vec![weight("", 1)], false),
        (vec![weight("a", 1), weight("a", 1)], false),
    ] {
        let input = json!({"code": format!("score-{}", test.app.new_id()), "name": "A", "weights": weights});
        let made = create(&test.admin(), &input).await;
        assert_eq!(made["userErrors"] == json!([]), is_valid, "{input}");
        assert_eq!(made["engagementScore"].is_null(), !is_valid, "{input}");
    }
    assert_eq!(
        test.user("ann").code(CREATE, json!({"input": {"code": "a", "name": "A", "weights": []}})).await,
        "FORBIDDEN"
    );
}
