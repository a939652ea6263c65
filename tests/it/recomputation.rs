//! Balances, counters and daily sums, recomputed from the entries and the events alone, with none of the product's code.

use crate::support::company::global_id;
use crate::support::{Company, both_engines, sql};
use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, TimeZone, Utc};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

both_engines!(past_balances_are_the_sums_of_entries, sums_of_usage_are_those_of_the_events,);

const BUCKETS: [&str; 7] = ["available", "held", "spent", "expired", "issued", "revoked", "owed"];

/// An account to try, by its id in the table.
async fn accounts(test: &Company<60>) -> Vec<Uuid> {
    let query = "SELECT DISTINCT account_id FROM balances ORDER BY account_id";
    sql::ids(test.db(), query, []).await
}

const CHANGE: &str = "mutation($changes: [CreditChangeInput!]!) { changeCredits(input: {changes: $changes}) {
    results { transaction { id operation } creditHold { id } userErrors { code } } userErrors { code } } }";
const RECORD: &str = "mutation($events: [UsageEventInput!]!) { recordUsage(input: {events: $events}) {
    results { outcome event { id } userErrors { code } } userErrors { code } } }";
const CORRECT: &str = "mutation($id: ID!, $key: String!) {
    correctUsage(input: {usageEventId: $id, idempotencyKey: $key}) { userErrors { code } } }";
const CONSUME: &str = "mutation($account: ID!, $amount: BigInt!, $key: String!) {
    consume(input: {accountId: $account, feature: \"ai_messages\", amount: $amount, idempotencyKey: $key}) {
        consumed userErrors { code } } }";

/// Lets some hours pass in which accounts spend, hold, use and correct at random.
async fn live(test: &Company<60>, dice: &mut ChaCha8Rng) {
    let accounts = accounts(test).await;
    let (mut holds, mut spends, mut events) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..14 {
        test.advance(TimeDelta::minutes(dice.random_range(1..200)));
        let mut changes = Vec::new();
        for number in 0..20 {
            let account = global_id("Account", accounts[dice.random_range(0..accounts.len())]);
            let key = format!("{round}-{number}");
            let amount = dice.random_range(1..40);
            let put = |name: &str, more: Value| {
                let mut input = json!({"idempotencyKey": key});
                input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
                json!({name: input})
            };
            let wallet = json!({"accountId": account, "unit": "credit", "amount": amount});
            changes.push(match dice.random_range(0..7) {
                0 => {
                    let expires_at = test.app.now() + TimeDelta::hours(dice.random_range(1..9));
                    let mut wallet = wallet;
                    wallet["expiresAt"] = json!(expires_at);
                    put("grant", wallet)
                }
                1 if !holds.is_empty() => {
                    let hold: Value = holds.swap_remove(dice.random_range(0..holds.len()));
                    put("capture", json!({"holdId": hold, "amount": 1, "keepOpen": dice.random::<bool>()}))
                }
                2 if !holds.is_empty() => {
                    let hold: Value = holds.swap_remove(dice.random_range(0..holds.len()));
                    put("release", json!({"holdId": hold}))
                }
                3 if !spends.is_empty() => {
                    let spend: Value = spends.swap_remove(dice.random_range(0..spends.len()));
                    put("reverse", json!({"transactionId": spend}))
                }
                4 => put("hold", wallet),
                _ => put("spend", wallet),
            });
        }
        let done = test.admin().data(CHANGE, json!({"changes": changes})).await["changeCredits"].take();
        assert_eq!(done["userErrors"], json!([]));
        for result in done["results"].as_array().unwrap() {
            match result["transaction"]["operation"].as_str() {
                Some("HOLD") => holds.push(result["creditHold"]["id"].clone()),
                Some("SPEND") => spends.push(result["transaction"]["id"].clone()),
                _ => {}
            }
        }
        record(test, dice, round, &accounts, &mut events).await;
    }
    test.run_jobs().await;
}

/// Records usage of today and of the days before, takes some back, and consumes.
async fn record(test: &Company<60>, dice: &mut ChaCha8Rng, round: i32, accounts: &[Uuid], recorded: &mut Vec<Value>) {
    let admin = test.admin();
    let mut events = Vec::new();
    for number in 0..20 {
        let account = global_id("Account", accounts[dice.random_range(0..accounts.len())]);
        let meter =
            ["ai_messages", "projects", "ai_tokens", "exports", "storage_mb", "visitors"][dice.random_range(0..6)];
        let value =
            if ["exports", "visitors"].contains(&meter) { Value::Null } else { json!(dice.random_range(0..30)) };
        let model = ["large", "small", "other"][dice.random_range(0..3)];
        events.push(json!({"accountId": account, "meter": meter, "value": value,
            "dedupeKey": format!("{round}-{}", number % 17),
            "occurredAt": test.app.now() - TimeDelta::hours(dice.random_range(0..50)),
            "dimensions": {"model": model, "visitor": dice.random_range(0..4), "input_tokens": 900}}));
    }
    let done = admin.data(RECORD, json!({"events": events})).await["recordUsage"].take();
    assert_eq!(done["userErrors"], json!([]));
    let kept = done["results"].as_array().unwrap().iter().filter(|result| result["outcome"] == "RECORDED");
    recorded.extend(kept.map(|result| result["event"]["id"].clone()));
    for number in 0..2 {
        let id = recorded.swap_remove(dice.random_range(0..recorded.len()));
        admin.data(CORRECT, json!({"id": id, "key": format!("correct {round}-{number}")})).await;
    }
    for number in 0..6 {
        let account = global_id("Account", accounts[dice.random_range(0..accounts.len())]);
        let amount = dice.random_range(1..30).to_string();
        admin
            .data(CONSUME, json!({"account": account, "amount": amount, "key": format!("use {round}-{number}")}))
            .await;
    }
}

async fn past_balances_are_the_sums_of_entries(test: &Company<60>) {
    let mut dice = ChaCha8Rng::seed_from_u64(10);
    live(test, &mut dice).await;
    // Every entry there is, in plain columns.
    let query = "SELECT e.account_id, u.code, e.bucket, e.amount, e.effective_at FROM ledger_entries e \
        JOIN credit_units u ON u.id = e.credit_unit_id";
    let entries: Vec<(Uuid, String, String, i64, DateTime<Utc>)> = (sql::rows(test.db(), query, []).await.iter())
        .map(|row| {
            let text = |column| row.try_get("", column).unwrap();
            let account = row.try_get("", "account_id").unwrap();
            let (amount, at) = (row.try_get("", "amount").unwrap(), row.try_get("", "effective_at").unwrap());
            (account, text("code"), text("bucket"), amount, at)
        })
        .collect();
    let held: BTreeSet<(Uuid, &str)> = entries.iter().map(|entry| (entry.0, entry.1.as_str())).collect();
    let now = test.app.now();
    let mut compared = 0;
    for (account, unit) in held {
        // Instants at random, the very instants of entries and the moments before them.
        let own: Vec<_> = entries.iter().filter(|entry| entry.0 == account && entry.1 == unit).collect();
        let mut instants = vec![now, now - TimeDelta::hours(1), now - TimeDelta::days(600)];
        for _ in 0..4 {
            let at = own[dice.random_range(0..own.len())].4;
            instants.extend([at, at - TimeDelta::microseconds(1)]);
            instants.push(now - TimeDelta::minutes(dice.random_range(0..800_000)));
        }
        let ask = |(number, at): (usize, &DateTime<Utc>)| {
            let fields = BUCKETS.join(" ");
            format!("at{number}: creditBalanceAt(unit: \"{unit}\", at: \"{}\") {{ {fields} }}", at.to_rfc3339())
        };
        let asked: Vec<String> = instants.iter().enumerate().map(ask).collect();
        let query = format!("query($id: ID!) {{ account(id: $id) {{ {} }} }}", asked.join("\n"));
        let answer = test.admin().data(&query, json!({"id": global_id("Account", account)})).await;
        for (number, at) in instants.iter().enumerate() {
            for bucket in BUCKETS {
                let until = own.iter().filter(|entry| entry.2 == bucket && entry.4 <= *at);
                let sum: i64 = until.map(|entry| entry.3).sum();
                // Credits that were issued and that are owed are negative in the books.
                let sum = if ["issued", "owed"].contains(&bucket) { -sum } else { sum };
                let said = &answer["account"][format!("at{number}")][bucket];
                assert_eq!(said.as_str().unwrap(), sum.to_string(), "{bucket} of {account} in {unit} at {at}");
                compared += 1;
            }
        }
    }
    assert!(compared > 2_000, "{compared}");
}

/// A usage event in plain columns.
struct Event {
    id: Uuid,
    account: Uuid,
    meter: String,
    aggregation: String,
    at: DateTime<Utc>,
    value: i64,
    unique: Option<String>,
    group: String,
    credits: i64,
    corrects: Option<Uuid>,
}

async fn events(test: &Company<60>) -> Vec<Event> {
    let query = "SELECT e.id, e.account_id, m.code, m.aggregation, e.occurred_at, e.value, e.unique_value, \
        COALESCE(e.dimensions ->> m.group_by, '') AS grouped, e.credits, e.corrects_id \
        FROM usage_events e JOIN meters m ON m.id = e.meter_id";
    let read = |row: &sea_orm::QueryResult| Event {
        id: row.try_get("", "id").unwrap(),
        account: row.try_get("", "account_id").unwrap(),
        meter: row.try_get("", "code").unwrap(),
        aggregation: row.try_get("", "aggregation").unwrap(),
        at: row.try_get("", "occurred_at").unwrap(),
        value: row.try_get("", "value").unwrap(),
        unique: row.try_get("", "unique_value").unwrap(),
        group: row.try_get("", "grouped").unwrap(),
        credits: row.try_get("", "credits").unwrap(),
        corrects: row.try_get("", "corrects_id").unwrap(),
    };
    sql::rows(test.db(), query, []).await.iter().map(read).collect()
}

/// The number that a meter makes of events that were not taken back.
fn measure(events: &[&Event], taken_back: &BTreeSet<Uuid>) -> i64 {
    let stand = || events.iter().filter(|event| event.corrects.is_none() && !taken_back.contains(&event.id));
    match events.first().map_or("sum", |event| event.aggregation.as_str()) {
        "max" => stand().map(|event| event.value).max().unwrap_or(0),
        "unique" => i64::try_from(stand().map(|event| &event.unique).collect::<BTreeSet<_>>().len()).unwrap(),
        _ => stand().map(|event| event.value).sum(),
    }
}

/// The span of a window that holds an instant, in a time zone so many hours ahead of UTC.
fn span(window: &str, now: DateTime<Utc>, ahead: i64) -> (DateTime<Utc>, DateTime<Utc>) {
    let local = (now + TimeDelta::hours(ahead)).date_naive();
    let midnight = |day: NaiveDate| Utc.from_utc_datetime(&day.and_hms_opt(0, 0, 0).unwrap()) - TimeDelta::hours(ahead);
    match window {
        "DAY" => (midnight(local), midnight(local + TimeDelta::days(1))),
        "MONTH" => {
            let first = local.with_day(1).unwrap();
            (midnight(first), midnight((first + TimeDelta::days(32)).with_day(1).unwrap()))
        }
        "LIFETIME" => (DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC),
        other => panic!("{other} is not in the company's plans"),
    }
}

/// Compares the counters of an account with its events, and returns the number of windows.
fn compare_windows(
    answer: &Value,
    own: &[&Event],
    taken_back: &BTreeSet<Uuid>,
    (now, ahead): (DateTime<Utc>, i64),
) -> usize {
    let mut windows = 0;
    for entitlement in answer["entitlements"].as_array().unwrap() {
        for window in entitlement["windows"].as_array().unwrap() {
            let (from, to) = span(window["window"].as_str().unwrap(), now, ahead);
            let of = own.iter().filter(|event| entitlement["feature"]["code"] == event.meter.as_str());
            let inside: Vec<&Event> = of.filter(|event| from <= event.at && event.at < to).copied().collect();
            let expected = measure(&inside, taken_back).to_string();
            assert_eq!(window["used"].as_str().unwrap(), expected, "{entitlement}");
            windows += 1;
        }
    }
    windows
}

/// Compares the days of a meter of an account with its events, and returns the number of days.
fn compare_days(answer: &Value, own: &[&Event], taken_back: &BTreeSet<Uuid>, meter: &str) -> usize {
    let mut expected: BTreeMap<(String, &str), Vec<&Event>> = BTreeMap::new();
    for event in own.iter().filter(|event| event.meter == meter) {
        let day = event.at.format("%Y-%m-%d").to_string();
        expected.entry((day, event.group.as_str())).or_default().push(event);
    }
    let count =
        |events: &[&Event]| -> i64 { events.iter().map(|event| if event.corrects.is_none() { 1 } else { -1 }).sum() };
    // Days whose usage was all taken back are left out.
    expected.retain(|_, events| count(events) > 0);
    let row = |((day, group), events): (&(String, &str), &Vec<&Event>)| {
        let count = count(events);
        let credits: i64 = events.iter().map(|event| event.credits).sum();
        let value = measure(events, taken_back);
        let group = if group.is_empty() { Value::Null } else { json!(group) };
        json!({"day": day, "dimensionValue": group, "eventCount": count, "measuredValue": value.to_string(),
            "credits": credits.to_string()})
    };
    let expected: Vec<Value> = expected.iter().map(row).collect();
    let mut said: Vec<Value> = answer[meter].as_array().unwrap().clone();
    said.sort_by_key(|row| (row["day"].to_string(), row["dimensionValue"].as_str().unwrap_or("").to_owned()));
    assert_eq!(said, expected, "{meter}");
    said.len()
}

async fn sums_of_usage_are_those_of_the_events(test: &Company<60>) {
    let mut dice = ChaCha8Rng::seed_from_u64(11);
    live(test, &mut dice).await;
    let events = events(test).await;
    let taken_back: BTreeSet<Uuid> = events.iter().filter_map(|event| event.corrects).collect();
    let zones = sql::rows(test.db(), "SELECT id, time_zone FROM accounts", []).await;
    let zones: BTreeMap<Uuid, String> =
        zones.iter().map(|row| (row.try_get("", "id").unwrap(), row.try_get("", "time_zone").unwrap())).collect();
    let accounts: BTreeSet<Uuid> = events.iter().map(|event| event.account).collect();
    let meters: BTreeSet<&str> = events.iter().map(|event| event.meter.as_str()).collect();
    let daily = |meter: &&str| {
        format!(
            "{meter}: usageDaily(meter: \"{meter}\", from: \"2025-06-01\", to: \"2026-02-01\") {{
                day dimensionValue eventCount measuredValue credits }}\n"
        )
    };
    let query = format!(
        "query($id: ID!) {{ account(id: $id) {{ entitlements {{ feature {{ code }}
            windows {{ window used resetsAt }} }} {} }} }}",
        meters.iter().map(daily).collect::<String>()
    );
    let (mut windows, mut days) = (0, 0);
    for account in accounts {
        let mut answer = test.admin().data(&query, json!({"id": global_id("Account", account)})).await;
        let answer = answer["account"].take();
        let ahead = match zones[&account].as_str() {
            "Asia/Tokyo" => 9,
            "America/Sao_Paulo" => -3,
            _ => 0,
        };
        let own: Vec<&Event> = events.iter().filter(|event| event.account == account).collect();
        windows += compare_windows(&answer, &own, &taken_back, (test.app.now(), ahead));
        days += meters.iter().map(|meter| compare_days(&answer, &own, &taken_back, meter)).sum::<usize>();
    }
    assert!(windows > 50 && days > 100, "{windows} windows, {days} days");
}
