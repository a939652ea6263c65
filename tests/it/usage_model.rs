//! Usage at random against a simple model: repeated, refused and corrected in any order, on one node or two.

use crate::support::usage::{account, correct, days, meters, recomputed, record, stored};
use crate::support::{SECRET, TestApp, both_engines, clock};
use futures_util::future::join_all;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

both_engines!(usage_at_random_is_what_the_model_says, usage_at_random_on_two_nodes_adds_up,);

const METERS: [&str; 4] = ["tokens", "messages", "seats", "people"];
const DAYS: [&str; 3] = ["2026-01-13", "2026-01-14", "2026-01-15"];

/// An event at random, as its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Event {
    account: usize,
    meter: &'static str,
    key: u32,
    day: &'static str,
    model: Option<&'static str>,
    value: i64,
}

impl Event {
    fn at_random(dice: &mut ChaCha8Rng) -> Event {
        let models = [None, Some("a"), Some("b")];
        Event {
            account: dice.random_range(0..2),
            meter: METERS[dice.random_range(0..4)],
            key: dice.random_range(0..40),
            day: DAYS[dice.random_range(0..3)],
            model: models[dice.random_range(0..3)],
            // Some are refused.
            value: dice.random_range(-2..10),
        }
    }

    fn input(&self, accounts: &[Value]) -> Value {
        let mut dimensions = json!({"team": {"seats": self.value}, "person": self.value});
        if let Some(model) = self.model {
            dimensions["model"] = json!(model);
        }
        let value = if self.meter == "tokens" { json!(self.value) } else { Value::Null };
        json!({"accountId": accounts[self.account], "meter": self.meter, "dedupeKey": format!("k{}", self.key),
            "occurredAt": format!("{}T08:30:00Z", self.day), "value": value, "dimensions": dimensions})
    }

    fn is_refused(&self) -> bool {
        self.value < 0 && ["tokens", "seats"].contains(&self.meter)
    }

    fn identity(&self) -> (usize, &'static str, u32) {
        (self.account, self.meter, self.key)
    }
}

/// The events that count, and those that were taken back.
#[derive(Debug, Default)]
struct Model {
    events: BTreeMap<(usize, &'static str, u32), (Event, Value, bool)>,
}

impl Model {
    fn expected(&self, event: &Event) -> &'static str {
        match (self.events.contains_key(&event.identity()), event.is_refused()) {
            (true, _) => "DUPLICATE",
            (false, true) => "REFUSED",
            (false, false) => "RECORDED",
        }
    }

    /// The sums of the days of a meter of an account, as the API shows them.
    fn days(&self, account: usize, meter: &str) -> Value {
        let mut groups: BTreeMap<(&str, Option<&str>), Vec<&Event>> = BTreeMap::new();
        for (event, _, stands) in self.events.values() {
            if (event.account, event.meter) == (account, meter) {
                let model = event.model.filter(|_| meter == "tokens");
                if *stands {
                    groups.entry((event.day, model)).or_default().push(event);
                }
            }
        }
        let row = |((day, model), events): (&(&str, Option<&str>), &Vec<&Event>)| {
            let values = events.iter().map(|event| event.value);
            let value = match meter {
                "tokens" => values.sum::<i64>(),
                "messages" => i64::try_from(events.len()).unwrap(),
                "seats" => values.max().unwrap_or_default(),
                _ => i64::try_from(values.collect::<BTreeSet<_>>().len()).unwrap(),
            };
            json!([day, model, events.len(), value.to_string(), "0"])
        };
        groups.iter().map(row).collect()
    }
}

async fn usage_at_random_is_what_the_model_says(test: &TestApp) {
    meters(test).await;
    let accounts = [account(test, "alice").await, account(test, "bob").await];
    let mut dice = ChaCha8Rng::seed_from_u64(20_260_115);
    let (mut model, mut seen) = (Model::default(), BTreeMap::new());
    for round in 0..60 {
        let events: Vec<Event> = (0..dice.random_range(1..12)).map(|_| Event::at_random(&mut dice)).collect();
        let results = record(test, events.iter().map(|event| event.input(&accounts)).collect()).await;
        for (event, result) in events.iter().zip(&results) {
            let expected = model.expected(event);
            assert_eq!(result["outcome"], expected, "{round}: {event:?}");
            *seen.entry(expected).or_insert(0) += 1;
            if expected == "RECORDED" {
                model.events.insert(event.identity(), (event.clone(), result["event"]["id"].clone(), true));
            } else if expected == "DUPLICATE" {
                assert_eq!(result["event"]["id"], model.events[&event.identity()].1);
            }
        }
        let number = dice.random_range(0..model.events.len().max(1) * 2);
        if let Some((_, id, stands)) = model.events.values_mut().nth(number) {
            let payload = correct(test, id, &format!("correct {round}")).await;
            let codes = if *stands { json!([]) } else { json!("ALREADY_CORRECTED") };
            assert!(payload["userErrors"] == codes || payload["userErrors"][0]["code"] == codes, "{payload}");
            *stands = false;
        }
        for (number, account) in accounts.iter().enumerate() {
            let meter = METERS[dice.random_range(0..4)];
            assert_eq!(days(test, account, meter).await, model.days(number, meter), "{round}: {meter}");
        }
    }
    for (number, account) in accounts.iter().enumerate() {
        for meter in METERS {
            assert_eq!(days(test, account, meter).await, model.days(number, meter), "{meter}");
        }
    }
    assert_eq!(stored(test).await, recomputed(test).await);
    let corrected = model.events.values().filter(|(.., stands)| !stands).count();
    assert!(seen.values().all(|count| *count > 20) && seen.len() == 3 && corrected > 10, "{seen:?} {corrected}");
}

async fn usage_at_random_on_two_nodes_adds_up(test: &TestApp) {
    meters(test).await;
    let accounts = [account(test, "alice").await, account(test, "bob").await];
    let node = test.beside_at(clock(), &[("TOLLGATE_JWT_HS256_SECRET", SECRET)]).await;
    let mut dice = ChaCha8Rng::seed_from_u64(7);
    let requests: Vec<Vec<Event>> = (0..40).map(|_| (0..6).map(|_| Event::at_random(&mut dice)).collect()).collect();
    let sent = requests.iter().enumerate().map(|(number, events)| {
        let on = if number % 2 == 0 { test } else { &node };
        record(on, events.iter().map(|event| event.input(&accounts)).collect())
    });
    let results = join_all(sent).await;
    let mut recorded = BTreeSet::new();
    for (event, result) in requests.iter().flatten().zip(results.iter().flatten()) {
        match result["outcome"].as_str().unwrap() {
            "RECORDED" => assert!(recorded.insert(event.identity()), "{event:?} is recorded twice"),
            "REFUSED" => assert!(event.is_refused(), "{event:?}"),
            _ => {}
        }
    }
    let all: BTreeSet<_> = requests.iter().flatten().filter(|event| !event.is_refused()).map(Event::identity).collect();
    assert_eq!(recorded, all);
    let ids: Vec<Value> = results.iter().flatten().map(|result| result["event"]["id"].clone()).collect();
    let ids: Vec<&Value> = ids.iter().filter(|id| id.is_string()).step_by(3).collect();
    let corrections = ids.iter().enumerate().map(|(number, id)| {
        let on = if number % 2 == 0 { test } else { &node };
        let key = format!("n{number}");
        async move { correct(on, id, &key).await }
    });
    let payloads = join_all(corrections).await;
    let made = payloads.iter().filter(|payload| payload["userErrors"] == json!([])).count();
    let different: BTreeSet<String> = ids.iter().map(|id| id.to_string()).collect();
    assert_eq!(made, different.len());
    assert_eq!(stored(test).await, recomputed(test).await);
}
