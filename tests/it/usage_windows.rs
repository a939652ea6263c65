//! Limits count what was used in their windows, whenever they, an override or a time zone began to hold.

use crate::support::entitlements::{
    consume, entitlement, features, plan, refusal, revoke, set, set_override, set_zone, subscribe, used_event,
};
use crate::support::usage::{account, correct, meter, record, wrong_counters};
use crate::support::{TestApp, both_engines};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

both_engines!(
    a_limit_counts_what_was_used_before_it_began,
    a_downgrade_keeps_what_was_used_without_a_limit,
    a_limit_that_comes_back_counts_what_was_used_meanwhile,
    a_correction_takes_units_only_from_where_they_are,
    each_aggregation_is_computed_from_the_events,
    late_and_whole_days_are_counted_once,
    a_change_of_the_time_zone_renews_no_limit,
    the_last_window_of_the_old_time_zone_holds_until_it_ends,
    no_tour_around_the_world_passes_a_daily_limit,
    days_that_begin_together_and_end_apart_are_told_apart,
    banked_units_do_not_grow_on_a_tour,
);

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn go_to(test: &TestApp, instant: &str) {
    test.advance(at(instant) - test.app.now());
}

/// The use and what is left in a window.
async fn in_window(test: &TestApp, account: &Value, window: &str) -> (String, String) {
    let chat = entitlement(test, account, "chat").await;
    let found = chat["windows"].as_array().unwrap().iter().find(|found| found["window"] == window).cloned();
    let found = found.unwrap_or_else(|| panic!("{window} in {chat}"));
    let text = |name: &str| found[name].as_str().unwrap_or("-").to_owned();
    (text("used"), text("remaining"))
}

fn of(used: &str, remaining: &str) -> (String, String) {
    (used.to_owned(), remaining.to_owned())
}

/// Creates the feature `chat`, and returns Alice's account, which has it without a limit.
async fn alice(test: &TestApp) -> Value {
    features(test, &[("chat", "LIMIT")]).await;
    let alice = account(test, "alice").await;
    set_override(test, &alice, "chat", json!({})).await;
    alice
}

async fn uses(test: &TestApp, account: &Value, amount: i64, key: &str) -> Option<String> {
    refusal(&consume(test, account, "chat", amount, key).await).map(str::to_owned)
}

async fn a_limit_counts_what_was_used_before_it_began(test: &TestApp) {
    let alice = alice(test).await;
    assert_eq!(uses(test, &alice, 1_000, "before").await, None);
    for window in ["MONTH", "DAY", "HOUR", "BILLING", "LIFETIME"] {
        let limit = set_override(test, &alice, "chat", json!({"limit": 10, "window": window})).await;
        assert_eq!(in_window(test, &alice, window).await, of("1000", "0"), "{window}");
        assert_eq!(uses(test, &alice, 1, window).await.as_deref(), Some("LIMIT_REACHED"), "{window}");
        revoke(test, &limit).await;
        let higher = set_override(test, &alice, "chat", json!({"limit": 1010, "window": window})).await;
        assert_eq!(uses(test, &alice, 11, window).await.as_deref(), Some("LIMIT_REACHED"), "{window}");
        revoke(test, &higher).await;
    }
    // A daily limit alone knows nothing of the days before; a monthly one does.
    let daily = set_override(test, &alice, "chat", json!({"limit": 100, "window": "DAY"})).await;
    test.advance(TimeDelta::days(1));
    assert_eq!(uses(test, &alice, 10, "next day").await, None);
    set_override(test, &alice, "chat", json!({"limit": 1_015, "window": "MONTH"})).await;
    assert_eq!(in_window(test, &alice, "MONTH").await, of("1010", "5"));
    assert_eq!(uses(test, &alice, 6, "too many").await.as_deref(), Some("LIMIT_REACHED"));
    assert_eq!(uses(test, &alice, 5, "the last").await, None);
    revoke(test, &daily).await;
    assert_eq!(wrong_counters(test).await, Vec::<String>::new());
}

async fn a_downgrade_keeps_what_was_used_without_a_limit(test: &TestApp) {
    features(test, &[("chat", "LIMIT")]).await;
    let large = plan(test, "large", 2, "PLAN", json!([{"feature": "chat"}]), json!({})).await;
    let small = json!([{"feature": "chat", "limit": 10, "window": "MONTH"}]);
    let small = plan(test, "small", 1, "PLAN", small, json!({})).await;
    let alice = account(test, "alice").await;
    let old = subscribe(test, &alice, large, "active").await;
    assert_eq!(uses(test, &alice, 1_000, "a").await, None);
    subscribe(test, &alice, small, "active").await;
    set(test, old, "status = 'canceled'").await;
    assert_eq!(in_window(test, &alice, "MONTH").await, of("1000", "0"));
    assert_eq!(uses(test, &alice, 1, "b").await.as_deref(), Some("LIMIT_REACHED"));
    go_to(test, "2026-02-01T00:00:00Z");
    assert_eq!(uses(test, &alice, 10, "c").await, None);
}

async fn a_limit_that_comes_back_counts_what_was_used_meanwhile(test: &TestApp) {
    let alice = alice(test).await;
    let limit = json!({"limit": 100, "window": "MONTH"});
    set_override(test, &alice, "chat", limit.clone()).await;
    assert_eq!(uses(test, &alice, 5, "a").await, None);
    // One without a window replaces all.
    set_override(test, &alice, "chat", json!({})).await;
    assert_eq!(uses(test, &alice, 50, "b").await, None);
    set_override(test, &alice, "chat", limit).await;
    assert_eq!(in_window(test, &alice, "MONTH").await, of("55", "45"));
    assert_eq!(uses(test, &alice, 46, "c").await.as_deref(), Some("LIMIT_REACHED"));
    assert_eq!(wrong_counters(test).await, Vec::<String>::new());
}

async fn a_correction_takes_units_only_from_where_they_are(test: &TestApp) {
    let alice = alice(test).await;
    set_override(test, &alice, "chat", json!({"limit": 100, "window": "DAY"})).await;
    let first = used_event(test, &alice, "chat", 10, "first").await;
    let monthly = set_override(test, &alice, "chat", json!({"limit": 20, "window": "MONTH"})).await;
    let second = used_event(test, &alice, "chat", 10, "second").await;
    assert_eq!(in_window(test, &alice, "MONTH").await, of("20", "0"));
    assert_eq!(correct(test, &first, "1").await["userErrors"], json!([]));
    assert_eq!(in_window(test, &alice, "MONTH").await, of("10", "10"));
    assert_eq!(uses(test, &alice, 11, "third").await.as_deref(), Some("LIMIT_REACHED"));
    // In a time without the limit.
    revoke(test, &monthly).await;
    assert_eq!(correct(test, &second, "2").await["userErrors"], json!([]));
    set_override(test, &alice, "chat", json!({"limit": 20, "window": "MONTH"})).await;
    assert_eq!(in_window(test, &alice, "MONTH").await, of("0", "20"));
    assert_eq!(in_window(test, &alice, "DAY").await, of("0", "100"));
    // Of a window that nothing has counted in yet.
    let third = used_event(test, &alice, "chat", 7, "third").await;
    set_zone(test, &alice, "Asia/Kathmandu").await;
    assert_eq!(correct(test, &third, "3").await["userErrors"], json!([]));
    assert_eq!(in_window(test, &alice, "MONTH").await, of("0", "20"));
    assert_eq!(wrong_counters(test).await, Vec::<String>::new());
}

async fn each_aggregation_is_computed_from_the_events(test: &TestApp) {
    let alice = account(test, "alice").await;
    let of_meter = |code: &str, aggregation: &str, path: Option<&str>| {
        meter(test, json!({"code": code, "name": code, "aggregation": aggregation, "valuePath": path}))
    };
    of_meter("seats", "MAX", None).await;
    of_meter("people", "UNIQUE", Some("person")).await;
    of_meter("messages", "COUNT", None).await;
    features(test, &[("seats", "LIMIT"), ("people", "LIMIT"), ("messages", "LIMIT")]).await;
    let event = |day: &str, value: i64, person: &str, meter: &str| {
        let value = if meter == "seats" { json!(value) } else { Value::Null };
        json!({"accountId": alice, "meter": meter, "dedupeKey": format!("{day} {value} {person}"), "value": value,
            "occurredAt": day, "dimensions": {"person": person}})
    };
    let mut ids = Vec::new();
    for meter in ["seats", "people", "messages"] {
        let events = json!([
            event("2026-01-01T00:00:00Z", 4, "a", meter),
            event("2026-01-02T23:59:59.999999Z", 9, "b", meter),
            event("2026-01-15T11:00:00Z", 5, "a", meter),
            event("2026-01-15T11:30:00Z", 7, "c", meter),
            event("2025-12-31T23:59:59.999999Z", 99, "z", meter)
        ]);
        ids.push(record(test, events).await.iter().map(|made| made["event"]["id"].clone()).collect::<Vec<_>>());
    }
    let windows = ["DAY", "MONTH", "LIFETIME"];
    let shown = async |feature: &str| -> Vec<String> {
        let answer = entitlement(test, &alice, feature).await;
        answer["windows"].as_array().unwrap().iter().map(|window| window["used"].as_str().unwrap().to_owned()).collect()
    };
    for feature in ["seats", "people", "messages"] {
        for window in windows {
            set_override(test, &alice, feature, json!({"limit": 500, "window": window})).await;
        }
    }
    // As readers compute them, and as writers keep them.
    for stored in [false, true] {
        let one = i64::from(stored);
        if stored {
            let more = ["seats", "people", "messages"].map(|meter| event("2026-01-15T11:45:00Z", 6, "d", meter));
            record(test, json!(more)).await;
        }
        assert_eq!(shown("seats").await, ["7", "9", "99"], "{stored}");
        assert_eq!(shown("people").await, [2, 3, 4].map(|number| (number + one).to_string()), "{stored}");
        assert_eq!(shown("messages").await, [2, 4, 5].map(|number| (number + one).to_string()), "{stored}");
    }
    for (number, of_meter) in ids.iter().enumerate() {
        for index in [1, 3] {
            assert_eq!(correct(test, &of_meter[index], &format!("{number} {index}")).await["userErrors"], json!([]));
        }
    }
    assert_eq!(shown("seats").await, ["6", "6", "99"]);
    assert_eq!(shown("people").await, ["2", "2", "3"]);
    assert_eq!(shown("messages").await, ["2", "3", "4"]);
    assert_eq!(wrong_counters(test).await, Vec::<String>::new());
}

async fn late_and_whole_days_are_counted_once(test: &TestApp) {
    let alice = alice(test).await;
    set_zone(test, &alice, "Asia/Kathmandu").await;
    let event =
        |time: &str| json!({"accountId": alice, "meter": "chat", "dedupeKey": time, "value": 1, "occurredAt": time});
    // A first use gives the feature its meter.
    assert_eq!(uses(test, &alice, 1, "first").await, None);
    // The month there begins at 18:15 UTC.
    let times = [
        "2025-12-31T18:14:59.999999Z",
        "2025-12-31T18:15:00Z",
        "2025-12-31T23:59:59.999999Z",
        "2026-01-01T00:00:00Z",
        "2026-01-07T12:00:00Z",
        "2026-01-15T00:00:00Z",
    ];
    record(test, times.map(event).into_iter().collect()).await;
    set_override(test, &alice, "chat", json!({"limit": 10, "window": "MONTH"})).await;
    assert_eq!(in_window(test, &alice, "MONTH").await, of("6", "4"));
    record(test, json!([event("2026-01-07T13:00:00Z"), event("2025-12-31T18:00:00Z")])).await;
    assert_eq!(in_window(test, &alice, "MONTH").await, of("7", "3"));
    assert_eq!(uses(test, &alice, 4, "many").await.as_deref(), Some("LIMIT_REACHED"));
    assert_eq!(wrong_counters(test).await, Vec::<String>::new());
}

async fn a_change_of_the_time_zone_renews_no_limit(test: &TestApp) {
    let alice = alice(test).await;
    for window in ["MONTH", "DAY", "HOUR", "LIFETIME"] {
        set_override(test, &alice, "chat", json!({"limit": 10, "window": window})).await;
    }
    set_zone(test, &alice, "Europe/Berlin").await;
    assert_eq!(uses(test, &alice, 4, "Berlin").await, None);
    set_zone(test, &alice, "America/New_York").await;
    assert_eq!(uses(test, &alice, 7, "too many").await.as_deref(), Some("LIMIT_REACHED"));
    assert_eq!(uses(test, &alice, 6, "New York").await, None);
    let zones =
        ["Asia/Kathmandu", "Europe/Berlin", "America/New_York", "UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"];
    for (number, zone) in zones.into_iter().enumerate() {
        set_zone(test, &alice, zone).await;
        for window in ["MONTH", "DAY", "HOUR", "LIFETIME"] {
            assert_eq!(in_window(test, &alice, window).await, of("10", "0"), "{zone} {window}");
        }
        assert_eq!(uses(test, &alice, 1, &format!("more {number}")).await.as_deref(), Some("LIMIT_REACHED"), "{zone}");
    }
    assert_eq!(wrong_counters(test).await, Vec::<String>::new());
}

async fn the_last_window_of_the_old_time_zone_holds_until_it_ends(test: &TestApp) {
    let alice = alice(test).await;
    set_override(test, &alice, "chat", json!({"limit": 10, "window": "MONTH"})).await;
    set_zone(test, &alice, "Europe/Berlin").await;
    go_to(test, "2026-01-31T23:30:00Z");
    assert_eq!(uses(test, &alice, 10, "February in Berlin").await, None);
    // In New York it is January still, and then February too: that of Berlin goes on.
    set_zone(test, &alice, "America/New_York").await;
    assert_eq!(uses(test, &alice, 1, "January").await.as_deref(), Some("LIMIT_REACHED"));
    go_to(test, "2026-02-01T05:00:00Z");
    assert_eq!(uses(test, &alice, 1, "February").await.as_deref(), Some("LIMIT_REACHED"));
    assert_eq!(entitlement(test, &alice, "chat").await["resetsAt"], "2026-02-28T23:00:00Z");
    go_to(test, "2026-02-28T23:00:00Z");
    // New York's own February is not lost.
    assert_eq!(in_window(test, &alice, "MONTH").await, of("0", "10"));
    assert_eq!(uses(test, &alice, 10, "the last evening").await, None);
    go_to(test, "2026-03-01T05:00:00Z");
    assert_eq!(uses(test, &alice, 10, "March").await, None);
}

async fn no_tour_around_the_world_passes_a_daily_limit(test: &TestApp) {
    let alice = alice(test).await;
    set_override(test, &alice, "chat", json!({"limit": 10, "window": "DAY"})).await;
    let (mut admitted, mut hour) = (Vec::new(), 0);
    go_to(test, "2026-01-20T00:00:00Z");
    while hour < 73 {
        // The zone in which a day begins now.
        let ahead = (24 - hour % 24) % 24;
        let zone = if ahead <= 14 { format!("Etc/GMT-{ahead}") } else { format!("Etc/GMT+{}", 24 - ahead) };
        set_zone(test, &alice, &zone).await;
        for amount in [10, 3] {
            if uses(test, &alice, amount, &format!("{hour} {amount}")).await.is_none() {
                admitted.push((hour, amount));
            }
        }
        test.advance(TimeDelta::hours(1));
        hour += 1;
    }
    for (start, _) in &admitted {
        let within: i64 =
            admitted.iter().filter(|(hour, _)| (*start..start + 24).contains(hour)).map(|use_| use_.1).sum();
        assert!(within <= 10, "{within} from {start}: {admitted:?}");
    }
    assert_eq!(admitted, [(0, 10), (24, 10), (48, 10), (72, 10)], "no day is lost");
}

async fn days_that_begin_together_and_end_apart_are_told_apart(test: &TestApp) {
    let alice = alice(test).await;
    set_override(test, &alice, "chat", json!({"limit": 10, "window": "DAY"})).await;
    set_zone(test, &alice, "Europe/Zurich").await;
    // A day of 23 hours in Zurich, and of 24 in Lagos, from 23:00 UTC on.
    go_to(test, "2026-03-29T12:00:00Z");
    assert_eq!(uses(test, &alice, 3, "Zurich").await, None);
    set_zone(test, &alice, "Africa/Lagos").await;
    assert_eq!(in_window(test, &alice, "DAY").await, of("3", "7"));
    assert_eq!(entitlement(test, &alice, "chat").await["resetsAt"], "2026-03-29T23:00:00Z");
    assert_eq!(uses(test, &alice, 1, "Lagos").await, None);
    set_zone(test, &alice, "Europe/Zurich").await;
    assert_eq!(in_window(test, &alice, "DAY").await, of("4", "6"));
    assert_eq!(uses(test, &alice, 2, "Zurich again").await, None);
    go_to(test, "2026-03-29T22:30:00Z");
    assert_eq!(uses(test, &alice, 5, "the next day in Zurich").await, None);
    set_zone(test, &alice, "Africa/Lagos").await;
    assert_eq!(in_window(test, &alice, "DAY").await, of("11", "0"), "both days of Zurich are in this one");
    assert_eq!(wrong_counters(test).await, Vec::<String>::new());
}

async fn banked_units_do_not_grow_on_a_tour(test: &TestApp) {
    features(test, &[("chat", "LIMIT")]).await;
    let minutes = json!([{"feature": "chat", "limit": 10, "window": "DAY", "rolloverCap": 25}]);
    let version = plan(test, "sold", 1, "PLAN", minutes, json!({})).await;
    let alice = account(test, "alice").await;
    subscribe(test, &alice, version, "active").await;
    assert_eq!(in_window(test, &alice, "DAY").await, of("0", "35"));
    assert_eq!(uses(test, &alice, 33, "first").await, None);
    let zones = ["Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Kiritimati", "UTC"];
    for (number, zone) in zones.into_iter().enumerate() {
        set_zone(test, &alice, zone).await;
        assert_eq!(uses(test, &alice, 3, &format!("{number}")).await.as_deref(), Some("LIMIT_REACHED"), "{zone}");
    }
    assert_eq!(uses(test, &alice, 2, "last").await, None);
    for (number, zone) in zones.into_iter().cycle().take(20).enumerate() {
        set_zone(test, &alice, zone).await;
        let payload = consume(test, &alice, "chat", 1, &format!("each hour {number}")).await;
        let banked: i64 = payload["entitlement"]["windows"][0]["banked"].as_str().unwrap().parse().unwrap();
        assert!(banked <= 25, "{payload}");
        test.advance(TimeDelta::hours(1));
    }
    assert_eq!(wrong_counters(test).await, Vec::<String>::new());
}
