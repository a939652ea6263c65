//! Uses at random against a simple model: with limits that change, credits beyond them, corrections, and time zones.

use crate::support::credits::{grant, unit};
use crate::support::entitlements::{
    consume, entitlement, features, plan, refusal, revoke, set_override, set_zone, subscribe,
};
use crate::support::usage::{account, correct, wrong_counters};
use crate::support::{TestApp, both_engines};
use chrono::{DateTime, Datelike as _, TimeDelta, Utc};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

both_engines!(uses_of_changing_limits_are_what_the_model_says,);

/// Time zones without summer time, each with its minutes ahead of UTC.
const ZONES: [(&str, i64); 5] =
    [("UTC", 0), ("Asia/Kathmandu", 345), ("Etc/GMT+5", -300), ("Etc/GMT-14", 840), ("Etc/GMT+11", -660)];
const WINDOWS: [&str; 4] = ["HOUR", "DAY", "MONTH", "LIFETIME"];
/// The price of a unit beyond the hourly limit.
const PRICE: i64 = 3;

type Span = (DateTime<Utc>, DateTime<Utc>);

/// The window of a kind that contains an instant, in a zone so many minutes ahead.
fn window(kind: &str, at: DateTime<Utc>, ahead: i64) -> Span {
    let ahead = TimeDelta::minutes(ahead);
    let local = (at + ahead).naive_utc();
    let midnight = |day: chrono::NaiveDate| day.and_hms_opt(0, 0, 0).unwrap().and_utc() - ahead;
    match kind {
        "HOUR" => {
            let start = DateTime::from_timestamp(at.timestamp() / 3600 * 3600, 0).unwrap();
            (start, start + TimeDelta::hours(1))
        }
        "DAY" => (midnight(local.date()), midnight(local.date().succ_opt().unwrap())),
        "MONTH" => {
            let first = local.date().with_day(1).unwrap();
            (midnight(first), midnight(first + chrono::Months::new(1)))
        }
        _ => (DateTime::UNIX_EPOCH, DateTime::<Utc>::MAX_UTC),
    }
}

/// A use that was counted.
struct Event {
    at: DateTime<Utc>,
    amount: i64,
    cost: i64,
    id: Value,
    corrected: bool,
}

/// The history of the account, and the limits that hold for it now.
struct Model {
    plan: BTreeMap<&'static str, i64>,
    overrides: BTreeMap<&'static str, (i64, String)>,
    ahead: i64,
    coins: i64,
    events: Vec<Event>,
    /// The windows in which something was counted.
    opened: BTreeSet<(&'static str, Span)>,
}

impl Model {
    fn limits(&self) -> BTreeMap<&'static str, i64> {
        let mut limits = self.plan.clone();
        limits.extend(self.overrides.iter().map(|(window, (units, _))| (*window, *units)));
        limits
    }

    /// The units used and left in the window of a kind; of several, the one with the fewest left.
    fn window(&self, kind: &'static str, units: i64, now: DateTime<Utc>) -> (i64, i64) {
        let current = window(kind, now, self.ahead);
        let open = self.opened.iter().filter(|(opened, _)| *opened == kind).map(|(_, span)| *span);
        let open = open.filter(|(start, end)| (*start..*end).contains(&now)).chain([current]);
        let standing = || self.events.iter().filter(|event| !event.corrected);
        let used = open.map(|(start, end)| {
            standing().filter(|event| (start..end).contains(&event.at)).map(|event| event.amount).sum::<i64>()
        });
        let used = used.max().unwrap();
        (used, (units - used).max(0))
    }

    /// The refusal of a use, or else its cost.
    fn outcome(&self, amount: i64, now: DateTime<Utc>) -> Result<i64, &'static str> {
        let mut cost = 0;
        for (kind, units) in self.limits() {
            let excess = (amount - self.window(kind, units, now).1).max(0);
            match kind {
                "HOUR" => cost = excess * PRICE,
                _ if excess > 0 => return Err("LIMIT_REACHED"),
                _ => {}
            }
        }
        if cost > self.coins { Err("INSUFFICIENT_CREDITS") } else { Ok(cost) }
    }
}

async fn uses_of_changing_limits_are_what_the_model_says(test: &TestApp) {
    unit(test, "coin").await;
    let mut seen = BTreeMap::new();
    for seed in 0..8 {
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        let name = format!("chat{seed}");
        features(test, &[(&name, "LIMIT")]).await;
        let limits: BTreeMap<_, i64> = [("HOUR", dice.random_range(1..5)), ("DAY", dice.random_range(8..20))].into();
        let of_plan = json!([{"feature": name, "limit": limits["HOUR"], "window": "HOUR", "onExceed": "OVERAGE",
            "overage": {"unit": "coin", "credits": PRICE}}, {"feature": name, "limit": limits["DAY"], "window": "DAY"}]);
        let version = plan(test, &format!("plan{seed}"), 1, "PLAN", of_plan, json!({})).await;
        let holder = account(test, &format!("user{seed}")).await;
        subscribe(test, &holder, version, "active").await;
        let coins = dice.random_range(20..60);
        grant(test, holder.as_str().unwrap(), coins, json!({"unit": "coin", "idempotencyKey": format!("{seed}")}))
            .await;
        let mut model = Model {
            plan: limits,
            overrides: BTreeMap::new(),
            ahead: 0,
            coins,
            events: Vec::new(),
            opened: BTreeSet::new(),
        };
        for step in 0..50 {
            let action = act(test, &mut model, &mut dice, (&holder, &name), &format!("{seed} {step}")).await;
            *seen.entry(action).or_insert(0) += 1;
            let now = test.app.now();
            let shown = entitlement(test, &holder, &name).await;
            let shown: Vec<(&str, &str)> = shown["windows"]
                .as_array()
                .unwrap()
                .iter()
                .map(|window| (window["used"].as_str().unwrap(), window["remaining"].as_str().unwrap()))
                .collect();
            let limits = model.limits();
            let expected = WINDOWS.iter().filter_map(|kind| Some(model.window(kind, *limits.get(kind)?, now)));
            let expected: Vec<(String, String)> =
                expected.map(|(used, left)| (used.to_string(), left.to_string())).collect();
            let expected: Vec<_> = expected.iter().map(|(used, left)| (used.as_str(), left.as_str())).collect();
            assert_eq!(shown, expected, "seed {seed}, step {step}: {action}");
            test.advance(TimeDelta::minutes([0, 1, 7, 30, 61, 300, 1_500][dice.random_range(0..7)]));
        }
    }
    assert_eq!(wrong_counters(test).await, Vec::<String>::new());
    let all = ["consume", "LIMIT_REACHED", "INSUFFICIENT_CREDITS", "overage", "correct", "zone", "override", "revoke"];
    assert!(all.iter().all(|action| seen.get(action).is_some_and(|count| *count > 5)), "{seen:?}");
}

/// Does something at random, and returns its name.
async fn act(
    test: &TestApp,
    model: &mut Model,
    dice: &mut ChaCha8Rng,
    (holder, name): (&Value, &str),
    key: &str,
) -> &'static str {
    match dice.random_range(0..10) {
        0 if !model.events.is_empty() => {
            let number = dice.random_range(0..model.events.len());
            let event = &mut model.events[number];
            let payload = correct(test, &event.id, key).await;
            let code = payload["userErrors"][0]["code"].as_str();
            assert_eq!(code, event.corrected.then_some("ALREADY_CORRECTED"), "{payload}");
            if !event.corrected {
                event.corrected = true;
                model.coins += event.cost;
            }
            "correct"
        }
        1 => {
            let (zone, ahead) = ZONES[dice.random_range(0..ZONES.len())];
            set_zone(test, holder, zone).await;
            model.ahead = ahead;
            "zone"
        }
        2 => {
            let kind = WINDOWS[dice.random_range(1..4)];
            let units = dice.random_range(5..40);
            let id = set_override(test, holder, name, json!({"limit": units, "window": kind})).await;
            model.overrides.insert(kind, (units, id));
            "override"
        }
        3 if !model.overrides.is_empty() => {
            let kind = *model.overrides.keys().nth(dice.random_range(0..model.overrides.len())).unwrap();
            let (_, id) = model.overrides.remove(kind).unwrap();
            revoke(test, &id).await;
            "revoke"
        }
        _ => {
            let (now, amount) = (test.app.now(), dice.random_range(1..6));
            let expected = model.outcome(amount, now);
            let payload = consume(test, holder, name, amount, key).await;
            match expected {
                Err(code) => {
                    assert_eq!(refusal(&payload), Some(code), "{key}: {payload}");
                    code
                }
                Ok(cost) => {
                    assert_eq!(payload["creditsSpent"], cost.to_string(), "{key}: {payload}");
                    model.coins -= cost;
                    let opened = model.limits().into_keys().map(|kind| (kind, window(kind, now, model.ahead)));
                    model.opened.extend(opened.filter(|(kind, _)| ["DAY", "MONTH"].contains(kind)).collect::<Vec<_>>());
                    let id = payload["usageEvent"]["id"].clone();
                    model.events.push(Event { at: now, amount, cost, id, corrected: false });
                    if cost > 0 { "overage" } else { "consume" }
                }
            }
        }
    }
}
