//! The price of a use that is checked: what a limit includes costs nothing, and the rest what the plan or the rate card says.

use crate::support::credits::{balance, grant, unit};
use crate::support::entitlements::{consume, features, plan, refusal, set_override, subscribe};
use crate::support::usage::{account, card, correct, days, recomputed, record, stored};
use crate::support::{TestApp, both_engines};
use serde_json::{Value, json};

both_engines!(
    a_feature_without_a_limit_costs_what_the_card_of_its_meter_says,
    what_a_limit_includes_costs_nothing_and_the_rest_what_the_card_says,
);

/// Creates the feature `chat`, whose meter costs 2 credits a unit, and a plan with it. Returns Alice's account, which has
/// it and 20 credits.
async fn alice_with(test: &TestApp, chat: Value) -> Value {
    features(test, &[("chat", "LIMIT")]).await;
    unit(test, "credit").await;
    let version = plan(test, "sold", 1, "PLAN", chat, json!({})).await;
    let alice = account(test, "alice").await;
    subscribe(test, &alice, version, "active").await;
    grant(test, alice.as_str().unwrap(), 20, json!({})).await;
    // The meter has the code of the feature.
    card(test, json!({"meter": "chat", "unit": "credit", "rates": [{"quantity": "value", "credits": 2}]})).await;
    alice
}

async fn a_feature_without_a_limit_costs_what_the_card_of_its_meter_says(test: &TestApp) {
    let alice = alice_with(test, json!([{"feature": "chat"}])).await;
    let used = consume(test, &alice, "chat", 3, "a").await;
    assert_eq!((&used["creditsSpent"], &used["creditUnit"]["code"]), (&json!("6"), &json!("credit")), "{used}");
    assert_eq!(balance(test, "alice").await, [14, 0, 6, 0]);
    // As much as recorded usage.
    let event = json!({"accountId": alice, "meter": "chat", "dedupeKey": "k", "value": 3});
    assert_eq!(record(test, json!([event])).await[0]["event"]["credits"], "6");
    assert_eq!(days(test, &alice, "chat").await, json!([["2026-01-15", null, 2, "6", "12"]]));
    let query = "query($id: ID!) { usageEvent(id: $id) { credits rateCard { id } ledgerTransaction { operation } } }";
    let event = test.admin().data(query, json!({"id": used["usageEvent"]["id"]})).await["usageEvent"].take();
    assert_eq!((&event["credits"], &event["ledgerTransaction"]["operation"]), (&json!("6"), &json!("SPEND")));
    assert!(event["rateCard"]["id"].is_string(), "{event}");
    assert_eq!(refusal(&consume(test, &alice, "chat", 5, "b").await), Some("INSUFFICIENT_CREDITS"));
    let dear = consume(test, &alice, "chat", 1_000_000_000_000_000, "c").await;
    assert_eq!(refusal(&dear), Some("AMOUNT_INVALID"));
    assert_eq!(correct(test, &used["usageEvent"]["id"], "d").await["correction"]["credits"], "-6");
    assert_eq!(balance(test, "alice").await, [14, 0, 6, 0]);
    assert_eq!(stored(test).await, recomputed(test).await);
}

async fn what_a_limit_includes_costs_nothing_and_the_rest_what_the_card_says(test: &TestApp) {
    let chat = json!([{"feature": "chat", "limit": 5, "window": "DAY", "onExceed": "OVERAGE"}]);
    let alice = alice_with(test, chat).await;
    let spent = async |amount: i64, key: &str| -> Value {
        let payload = consume(test, &alice, "chat", amount, key).await;
        payload["userErrors"][0].get("code").unwrap_or(&payload["creditsSpent"]).clone()
    };
    assert_eq!(spent(3, "a").await, "0");
    assert_eq!(spent(4, "b").await, "4", "two of the four are beyond the limit");
    assert_eq!(spent(9, "c").await, "INSUFFICIENT_CREDITS");
    assert_eq!(spent(8, "d").await, "16");
    assert_eq!(spent(1, "e").await, "INSUFFICIENT_CREDITS");
    // Without a limit, all of it has its price.
    set_override(test, &alice, "chat", json!({})).await;
    assert_eq!(spent(1, "f").await, "INSUFFICIENT_CREDITS");
    grant(test, alice.as_str().unwrap(), 2, json!({})).await;
    assert_eq!(spent(1, "g").await, "2");
    assert_eq!(stored(test).await, recomputed(test).await);
}
