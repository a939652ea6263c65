//! The minimal sequences of the fixtures, each with its right figures.

use super::books::deliver;
use super::{figures, history};
use crate::support::{TestApp, both_engines};
use serde_json::{Value, json};
use std::path::PathBuf;

both_engines!(
    six_seats_at_ten_per_five_are_two_packages,
    another_currency_than_the_prices_is_unknown_rather_than_wrong,
    an_amount_off_in_another_currency_is_not_taken_off,
    a_discount_on_an_item_is_taken_off_that_item,
    the_plan_of_a_scheduled_change_is_found_wherever_it_stands,
    the_end_of_a_pause_is_a_scheduled_change,
);

/// Delivers a sequence, in its order or backwards.
async fn case(test: &TestApp, name: &str, backwards: bool) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures/cases").join(name);
    let case: Vec<Value> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert!(case.iter().all(|step| step["provider"] == "stripe"));
    let mut events: Vec<Value> = case.into_iter().map(|mut step| step["event"].take()).collect();
    if backwards {
        events.reverse();
    }
    deliver(test, &events).await;
}

async fn six_seats_at_ten_per_five_are_two_packages(test: &TestApp) {
    case(test, "m1-transform-quantity.json", false).await;
    assert_eq!(figures(test, 1).await, ["USD 2000", "USD 2000"]);
}

async fn another_currency_than_the_prices_is_unknown_rather_than_wrong(test: &TestApp) {
    case(test, "m2-currency-options.json", true).await;
    assert_eq!(figures(test, 1).await, ["EUR unknown 1", "EUR unknown 1"]);
    let subscription = history(test).await;
    let state = &subscription["history"]["nodes"][0];
    assert_eq!([&subscription["currency"], &state["currency"]], ["EUR", "EUR"]);
    assert_eq!([&state["arr"], &state["discountedArr"]], [&Value::Null, &Value::Null]);
    let notes = "{ webhookEvents(first: 9, filter: {objectId: \"sub_1\"}) { nodes { note } } }";
    let notes = test.admin().data(notes, json!({})).await["webhookEvents"]["nodes"].take();
    let note = "The amount of the price price_pro in EUR is not known, so its recurring revenue is unknown.";
    assert_eq!(notes, json!([{"note": note}]));
}

async fn an_amount_off_in_another_currency_is_not_taken_off(test: &TestApp) {
    case(test, "m3-amount-off-other-currency.json", false).await;
    assert_eq!(figures(test, 1).await, ["USD unknown 1", "USD unknown 1"]);
    let discounts = &history(test).await["discounts"];
    assert_eq!(discounts[0]["amountOff"], json!({"amount": "1000", "currency": "JPY"}));
    assert_eq!([&discounts[0]["scope"], &discounts[0]["discountDuration"]], ["SUBSCRIPTION", "FOREVER"]);
}

async fn a_discount_on_an_item_is_taken_off_that_item(test: &TestApp) {
    case(test, "m3-item-discount.json", true).await;
    assert_eq!(figures(test, 1).await, ["USD 2500", "USD 2500"]);
    let expected = json!([{
        "externalId": "di_1", "scope": "ITEM", "itemExternalId": "si_seat", "productExternalIds": null,
        "couponExternalId": "co_1", "discountDuration": "FOREVER", "percentBasisPoints": 5_000, "amountOff": null,
        "perUnit": false, "beginsAt": "2026-01-01T00:00:00Z", "endsAt": null, "inForce": true,
    }]);
    assert_eq!(history(test).await["discounts"], expected);
}

async fn the_plan_of_a_scheduled_change_is_found_wherever_it_stands(test: &TestApp) {
    case(test, "s2-schedule-item-order.json", true).await;
    let expected = json!([{
        "changeKind": "PLAN_CHANGE", "effectiveAt": "2026-02-01T00:00:00Z", "plan": {"code": "starter"},
        "priceExternalId": "price_starter", "quantity": 1,
    }]);
    assert_eq!(history(test).await["scheduledChanges"], expected);
}

async fn the_end_of_a_pause_is_a_scheduled_change(test: &TestApp) {
    case(test, "s3-pause-end.json", true).await;
    let expected = json!([{
        "changeKind": "RESUME", "effectiveAt": "2026-03-02T00:00:00Z", "plan": null, "priceExternalId": null,
        "quantity": null,
    }]);
    assert_eq!(history(test).await["scheduledChanges"], expected);
}
