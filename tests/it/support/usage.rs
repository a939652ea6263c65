//! Meters, and usage that is recorded on them.

use super::company::global_id;
use super::{TestApp, sql};
use chrono::TimeDelta;
use entity::{meters, rate_cards, usage_daily, usage_events};
use sea_orm::ActiveValue::Set;
use sea_orm::{DbBackend, EntityTrait};
use serde_json::{Value, json};
use tollgate::app::App;
use uuid::Uuid;

pub(crate) const METER: &str = "mutation($input: CreateMeterInput!) { createMeter(input: $input) {
    meter { id code } userErrors { code field message } } }";
pub(crate) const CARD: &str = "mutation($input: CreateRateCardInput!) { createRateCard(input: $input) {
    rateCard { id startsAt endsAt } userErrors { code field message } } }";
pub(crate) const RECORD: &str = "mutation($events: [UsageEventInput!]!) { recordUsage(input: {events: $events}) {
    results { outcome event { id measuredValue credits } userErrors { code field message } }
    userErrors { code field message } } }";
pub(crate) const CORRECT: &str = "mutation($id: ID!, $key: String!, $reason: String) {
    correctUsage(input: {usageEventId: $id, idempotencyKey: $key, reason: $reason}) {
        correction { id measuredValue credits corrects { id correctedBy { id } } } userErrors { code field message } } }";

/// Creates a meter.
pub(crate) async fn meter(test: &TestApp, input: Value) {
    let made = test.admin().data(METER, json!({"input": input})).await;
    assert_eq!(made["createMeter"]["userErrors"], json!([]), "{input}");
}

/// A meter of each aggregation.
pub(crate) async fn meters(test: &TestApp) {
    meter(test, json!({"code": "tokens", "name": "Tokens", "aggregation": "SUM", "groupBy": "model"})).await;
    meter(test, json!({"code": "messages", "name": "Messages", "aggregation": "COUNT"})).await;
    meter(test, json!({"code": "seats", "name": "Seats", "aggregation": "MAX", "valuePath": "team.seats"})).await;
    let people = json!({"code": "people", "name": "People", "aggregation": "UNIQUE", "valuePath": "person"});
    meter(test, people).await;
}

/// The outcome of each event.
pub(crate) fn outcomes(results: &[Value]) -> Vec<&str> {
    results.iter().map(|result| result["outcome"].as_str().unwrap()).collect()
}

/// Creates a rate card, and returns its id.
pub(crate) async fn card(test: &TestApp, input: Value) -> Value {
    let mut made = test.admin().data(CARD, json!({"input": input})).await["createRateCard"].take();
    assert_eq!(made["userErrors"], json!([]), "{input}");
    made["rateCard"]["id"].take()
}

/// The id of a user's own account.
pub(crate) async fn account(test: &TestApp, name: &str) -> Value {
    test.user(name).data("{ viewer { account { id } } }", json!({})).await["viewer"]["account"]["id"].take()
}

/// Records events, and returns the outcome of each.
pub(crate) async fn record(test: &TestApp, events: Value) -> Vec<Value> {
    let mut data = test.admin().data(RECORD, json!({"events": events})).await["recordUsage"].take();
    assert_eq!(data["userErrors"], json!([]));
    std::mem::take(data["results"].as_array_mut().unwrap())
}

/// Takes an event back under a key, and returns the payload.
pub(crate) async fn correct(test: &TestApp, id: &Value, key: &str) -> Value {
    test.admin().data(CORRECT, json!({"id": id, "key": key})).await["correctUsage"].take()
}

/// The sums of a meter of an account on the days of January 2026, each as day, dimension, number, value and credits.
pub(crate) async fn days(test: &TestApp, account: &Value, meter: &str) -> Value {
    let query = "query($id: ID!, $meter: String!) { account(id: $id) {
        usageDaily(meter: $meter, from: \"2025-12-20\", to: \"2026-02-01\") {
            day dimensionValue eventCount measuredValue credits } } }";
    let data = test.admin().data(query, json!({"id": account, "meter": meter})).await;
    let row = |day: &Value| {
        json!([day["day"], day["dimensionValue"], day["eventCount"], day["measuredValue"], day["credits"]])
    };
    data["account"]["usageDaily"].as_array().unwrap().iter().map(row).collect()
}

/// The daily sums of all meters as they can be computed from the events, in the form of the table.
pub(crate) async fn recomputed(test: &TestApp) -> Vec<String> {
    let db = test.app.db.schema();
    let (day, group) = match db.get_database_backend() {
        DbBackend::Postgres => {
            ("CAST(CAST(e.occurred_at AT TIME ZONE 'UTC' AS date) AS text)", "e.dimensions ->> m.group_by")
        }
        _ => ("substr(e.occurred_at, 1, 10)", "e.dimensions ->> m.group_by"),
    };
    let stands = "e.corrects_id IS NULL AND NOT EXISTS (SELECT 1 FROM usage_events c WHERE c.corrects_id = e.id)";
    let events = "usage_events e JOIN meters m ON m.id = e.meter_id";
    let key = format!("e.account_id, m.code, {day}, COALESCE({group}, '')");
    let query = format!(
        "SELECT m.code || ' ' || {day} || ' ' || COALESCE({group}, '') || ' ' || \
         CAST(SUM(CASE WHEN e.corrects_id IS NULL THEN 1 ELSE -1 END) AS TEXT) || ' ' || CAST(CASE m.aggregation \
         WHEN 'max' THEN COALESCE(MAX(CASE WHEN {stands} THEN e.value END), 0) \
         WHEN 'unique' THEN COUNT(DISTINCT CASE WHEN {stands} THEN e.unique_value END) \
         ELSE SUM(e.value) END AS TEXT) || ' ' || CAST(SUM(e.credits) AS TEXT) \
         FROM {events} GROUP BY {key}, m.aggregation ORDER BY {key}"
    );
    sql::column(db, &query, []).await
}

/// The daily sums of all meters as they are stored.
pub(crate) async fn stored(test: &TestApp) -> Vec<String> {
    let query = "SELECT m.code || ' ' || CAST(d.day AS TEXT) || ' ' || d.dimension_value || ' ' || \
        CAST(d.event_count AS TEXT) || ' ' || CAST(d.value AS TEXT) || ' ' || CAST(d.credits AS TEXT) \
        FROM usage_daily d JOIN meters m ON m.id = d.meter_id \
        ORDER BY d.account_id, m.code, CAST(d.day AS TEXT), d.dimension_value";
    sql::column(test.app.db.schema(), query, []).await
}

/// The counters that differ from what can be computed from the events of their windows.
pub(crate) async fn wrong_counters(test: &TestApp) -> Vec<String> {
    let within = "e.account_id = c.account_id AND e.meter_id = c.meter_id AND e.occurred_at >= c.window_start \
        AND (c.resets_at IS NULL OR e.occurred_at < c.resets_at)";
    let stands = "e.corrects_id IS NULL AND NOT EXISTS (SELECT 1 FROM usage_events o WHERE o.corrects_id = e.id)";
    let query = format!(
        "SELECT w.code || ' ' || w.limit_window || ' ' || CAST(w.window_start AS TEXT) || ': ' || \
         CAST(w.used AS TEXT) || ', not ' || CAST(w.expected AS TEXT) FROM ( \
         SELECT m.code, c.limit_window, c.window_start, c.used, CASE m.aggregation \
         WHEN 'max' THEN COALESCE((SELECT MAX(e.value) FROM usage_events e WHERE {within} AND {stands}), 0) \
         WHEN 'unique' THEN (SELECT COUNT(DISTINCT e.unique_value) FROM usage_events e WHERE {within} AND {stands}) \
         ELSE COALESCE((SELECT SUM(e.value) FROM usage_events e WHERE {within}), 0) END AS expected \
         FROM usage_counters c JOIN meters m ON m.id = c.meter_id) w WHERE w.used <> w.expected"
    );
    sql::column(test.app.db.schema(), &query, []).await
}

/// Inserts a meter of tokens by model.
pub(crate) async fn meter_row(app: &App, code: &str) -> Uuid {
    let id = app.new_id();
    let row = meters::ActiveModel {
        id: Set(id),
        code: Set(code.to_owned()),
        name: Set("Tokens".to_owned()),
        aggregation: Set("sum".to_owned()),
        value_path: Set(Some("tokens".to_owned())),
        group_by: Set(Some("model".to_owned())),
        created_at: Set(app.now().fixed_offset()),
    };
    meters::Entity::insert(row).exec_without_returning(app.db.schema()).await.unwrap();
    id
}

/// Inserts a rate card of a meter for one model.
pub(crate) async fn card_row(app: &App, meter: Uuid, unit: Uuid, model: &str) -> Uuid {
    let id = app.new_id();
    let row = rate_cards::ActiveModel {
        id: Set(id),
        dimension: Set(Some("model".to_owned())),
        dimension_value: Set(Some(model.to_owned())),
        ..card_columns(app, meter, unit)
    };
    rate_cards::Entity::insert(row).exec_without_returning(app.db.schema()).await.unwrap();
    id
}

fn card_columns(app: &App, meter: Uuid, unit: Uuid) -> rate_cards::ActiveModel {
    let at = app.now().fixed_offset();
    rate_cards::ActiveModel {
        meter_id: Set(meter),
        credit_unit_id: Set(unit),
        rates: Set(json!([{"quantity": "tokens", "credits": 3, "per": 1000}])),
        starts_at: Set(at - TimeDelta::days(30)),
        ends_at: Set(Some(at + TimeDelta::days(30))),
        created_by: Set("admin".to_owned()),
        created_at: Set(at),
        ..Default::default()
    }
}

/// Inserts an event of an account, `days` ago.
pub(crate) async fn event_row(app: &App, account: Uuid, meter: Uuid, days: i64) -> usage_events::Model {
    let (id, now) = (app.new_id(), app.now().fixed_offset());
    let row = usage_events::ActiveModel {
        id: Set(id),
        account_id: Set(account),
        meter_id: Set(meter),
        dedupe_key: Set(format!("key {id}")),
        occurred_at: Set(now - TimeDelta::days(days)),
        recorded_at: Set(now),
        value: Set(7),
        credits: Set(0),
        verified: Set(false),
        recorded_by: Set("admin".to_owned()),
        ..Default::default()
    };
    usage_events::Entity::insert(row).exec_with_returning(app.db.schema()).await.unwrap()
}

/// Inserts the sum of a day of an account.
pub(crate) async fn day_row(app: &App, account: Uuid, meter: Uuid, days: i64) -> Uuid {
    let (id, now) = (app.new_id(), app.now());
    let row = usage_daily::ActiveModel {
        id: Set(id),
        account_id: Set(account),
        meter_id: Set(meter),
        day: Set((now - TimeDelta::days(days)).date_naive()),
        dimension_value: Set("m".to_owned()),
        event_count: Set(1),
        value: Set(7),
        credits: Set(3),
        updated_at: Set(now.fixed_offset()),
    };
    usage_daily::Entity::insert(row).exec_without_returning(app.db.schema()).await.unwrap();
    id
}

/// Usage of the oldest accounts on two meters; others have none.
pub(crate) async fn for_some(app: &App) {
    let db = app.db.schema();
    let one = async |sql: &str| sql::ids(db, sql, []).await.pop();
    let unit = one("SELECT id FROM credit_units ORDER BY id LIMIT 1").await.unwrap();
    let meters = [meter_row(app, "tokens").await, meter_row(app, "messages").await];
    let card = card_row(app, meters[0], unit, "a").await;
    card_row(app, meters[0], unit, "b").await;
    card_row(app, meters[1], unit, "b").await;
    let accounts = sql::ids(db, "SELECT id FROM accounts ORDER BY created_at DESC, id DESC LIMIT 6", []).await;
    for (index, account) in accounts.iter().enumerate() {
        for number in 0..(24 - 4 * i64::try_from(index).unwrap()) {
            event_row(app, *account, meters[usize::try_from(number % 2).unwrap()], number / 3).await;
        }
        for day in 0..3 {
            day_row(app, *account, meters[0], day).await;
        }
    }
    // One with everything, and its correction.
    let full = event_row(app, accounts[0], meters[0], 1).await;
    let full = usage_events::ActiveModel {
        id: Set(app.new_id()),
        dedupe_key: Set("everything".to_owned()),
        account_id: Set(full.account_id),
        meter_id: Set(full.meter_id),
        user_id: Set(one("SELECT id FROM users ORDER BY id LIMIT 1").await),
        device_id: Set(one("SELECT id FROM devices ORDER BY id LIMIT 1").await),
        occurred_at: Set(full.occurred_at),
        recorded_at: Set(full.recorded_at),
        value: Set(1_000),
        unique_value: Set(Some("a".to_owned())),
        dimensions: Set(Some(json!({"model": "a", "tokens": 1000}))),
        ref_type: Set(Some("chat".to_owned())),
        ref_id: Set(Some("7".to_owned())),
        credits: Set(3),
        credit_unit_id: Set(Some(unit)),
        ledger_txn_id: Set(one("SELECT id FROM ledger_txns ORDER BY id LIMIT 1").await),
        rate_card_id: Set(Some(card)),
        verified: Set(true),
        proof: Set(Some("signed".to_owned())),
        content_hash: Set(Some("sha256:00".to_owned())),
        corrects_id: Set(None),
        recorded_by: Set("admin".to_owned()),
    };
    let full = usage_events::Entity::insert(full).exec_with_returning(db).await.unwrap();
    correction_row(app, &full).await;
}

async fn correction_row(app: &App, event: &usage_events::Model) -> Uuid {
    let id = app.new_id();
    let correction = usage_events::ActiveModel {
        id: Set(id),
        dedupe_key: Set(format!("correction:{}", event.id)),
        account_id: Set(event.account_id),
        meter_id: Set(event.meter_id),
        occurred_at: Set(event.occurred_at),
        recorded_at: Set(event.recorded_at),
        value: Set(-event.value),
        credits: Set(-event.credits),
        verified: Set(false),
        corrects_id: Set(Some(event.id)),
        recorded_by: Set("admin".to_owned()),
        ..Default::default()
    };
    usage_events::Entity::insert(correction).exec_without_returning(app.db.schema()).await.unwrap();
    id
}

/// Usage of one account of the world, with the type of each row.
pub(crate) async fn rows(app: &App, account: Uuid, meter: Uuid) -> Vec<(&'static str, Uuid)> {
    let event = event_row(app, account, meter, 1).await;
    vec![("UsageEvent", event.id), ("UsageDay", day_row(app, account, meter, 1).await)]
}

/// An event of an account that was corrected, and its correction, by their global ids.
pub(crate) async fn corrected(app: &App, account: Uuid, meter: Uuid) -> (String, String) {
    let event = event_row(app, account, meter, 2).await;
    let correction = correction_row(app, &event).await;
    (global_id("UsageEvent", event.id), global_id("UsageEvent", correction))
}

/// A rate card that has ended, by its global id.
pub(crate) async fn ended_card(app: &App, meter: Uuid) -> String {
    let (id, at) = (app.new_id(), app.now().fixed_offset());
    let unit = sql::ids(app.db.schema(), "SELECT id FROM credit_units LIMIT 1", []).await.remove(0);
    let row = rate_cards::ActiveModel {
        id: Set(id),
        starts_at: Set(at - TimeDelta::days(60)),
        ends_at: Set(Some(at - TimeDelta::days(50))),
        dimension: Set(None),
        dimension_value: Set(None),
        ..card_columns(app, meter, unit)
    };
    rate_cards::Entity::insert(row).exec_without_returning(app.db.schema()).await.unwrap();
    global_id("RateCard", id)
}
