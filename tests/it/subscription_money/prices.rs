//! Prices: packages, currencies, tiers, fractions, intervals, several items; and the items of a schedule.

use super::books::{Books, DAY, START, deliver, item, subscription, with};
use super::{figures, history};
use crate::support::{TestApp, both_engines};
use serde_json::{Value, json};

both_engines!(
    quantities_are_rounded_to_packages,
    an_amount_in_another_currency_is_taken_from_any_version_of_the_price,
    an_option_that_becomes_known_later_corrects_the_past,
    tiers_and_fractions_are_exact,
    every_interval_is_exact_and_rounded_once,
    what_does_not_recur_is_not_counted,
    the_plan_after_a_change_is_the_item_that_is_one,
);

const BASIL: &str = "2025-08-27.basil";

/// The figures of a subscription to these items, from a Tollgate of its own books.
async fn monthly(test: &TestApp, name: &str, items: Value) -> String {
    let mut books = Books::new(BASIL);
    books.events[0]["id"] = json!(format!("evt_{name}"));
    let mut whole = subscription(items);
    whole["id"] = json!(format!("sub_{name}"));
    for item in whole["items"]["data"].as_array_mut().unwrap() {
        // A price never asks for something else later.
        for pointer in ["/id", "/price/id"] {
            let id = item.pointer_mut(pointer).unwrap();
            *id = json!(format!("{}_{name}", id.as_str().unwrap()));
        }
    }
    books.subscribe(whole);
    for event in &mut books.events {
        event["id"] = json!(format!("{}_{name}", event["id"].as_str().unwrap()));
    }
    books.deliver(test).await;
    let query = "query($id: String) { subscriptions(filter: {externalId: $id}) { nodes {
        history(first: 1) { nodes { arr { amount currency } } } } } }";
    let data = test.admin().data(query, json!({"id": format!("sub_{name}")})).await;
    let arr = &data["subscriptions"]["nodes"][0]["history"]["nodes"][0]["arr"];
    arr["amount"]
        .as_str()
        .map_or("unknown".to_owned(), |amount| format!("{} {amount}", arr["currency"].as_str().unwrap()))
}

fn quantity(quantity: i64, price: Value) -> Value {
    with(item("pro", price), json!({"quantity": quantity}))
}

async fn quantities_are_rounded_to_packages(test: &TestApp) {
    for (units, size, round, arr) in [
        (6, 5, "up", 24_000),
        (6, 5, "down", 12_000),
        (5, 5, "up", 12_000),
        (10, 5, "down", 24_000),
        (4, 5, "down", 0),
        (1, 1_000, "up", 12_000),
        (0, 5, "up", 0),
        (7, 1, "up", 84_000),
    ] {
        let price = json!({"unit_amount": 1_000, "transform_quantity": {"divide_by": size, "round": round}});
        let found = monthly(test, &format!("{units}_{size}_{round}"), json!([quantity(units, price)])).await;
        assert_eq!(found, format!("USD {arr}"), "{units} in packages of {size} rounded {round}");
    }
}

async fn an_amount_in_another_currency_is_taken_from_any_version_of_the_price(test: &TestApp) {
    let options = json!({"eur": {"unit_amount": 1_800, "unit_amount_decimal": "1800"}, "usd": {"unit_amount": 2_000}});
    let in_euros = |price: Value| with(subscription(json!([item("pro", price)])), json!({"currency": "eur"}));
    // Inside the subscription.
    let mut books = Books::new(BASIL);
    books.subscribe(in_euros(json!({"currency_options": options})));
    // In one version of the subscription, and not in the next.
    books.add("customer.subscription.updated", START + 10, with(in_euros(json!({})), json!({"metadata": {"a": "b"}})));
    books.deliver(test).await;
    assert_eq!(figures(test, 1).await, ["EUR 1800", "EUR 1800"]);
    assert_eq!(history(test).await["currency"], "EUR");
}

async fn an_option_that_becomes_known_later_corrects_the_past(test: &TestApp) {
    let bare = item("pro", json!({}));
    let mut books = Books::new(BASIL);
    books.subscribe(with(subscription(json!([bare])), json!({"currency": "eur"})));
    books.deliver(test).await;
    assert_eq!(figures(test, 1).await, ["EUR unknown 1", "EUR unknown 1"]);
    let expanded = with(bare["price"].clone(), json!({"currency_options": {"eur": {"unit_amount": 1_700}}}));
    let mut books = Books::new(BASIL);
    books.events.clear();
    books.add("price.updated", START + 10, expanded);
    // A version without the options does not take them away.
    books.add("price.updated", START + 20, with(bare["price"].clone(), json!({"nickname": "Pro"})));
    books.deliver(test).await;
    assert_eq!(figures(test, 1).await, ["EUR 1700", "EUR 1700"]);
}

async fn tiers_and_fractions_are_exact(test: &TestApp) {
    let tiers = json!([
        {"up_to": 5, "unit_amount": 500, "flat_amount": null},
        {"up_to": null, "unit_amount": null, "unit_amount_decimal": "99.5", "flat_amount": 1_000},
    ]);
    let tiered =
        |mode: &str| json!({"billing_scheme": "tiered", "tiers_mode": mode, "unit_amount": null, "tiers": tiers});
    let decimal = |text: &str| json!({"unit_amount": null, "unit_amount_decimal": text});
    for (name, units, price, arr) in [
        // 5 × 500 + 3 × 99.5 + 1000, and 8 × 99.5 + 1000, times twelve.
        ("graduated", 8, tiered("graduated"), "USD 45582"),
        ("volume", 8, tiered("volume"), "USD 21552"),
        ("low", 5, tiered("volume"), "USD 30000"),
        ("unexpanded", 5, with(tiered("volume"), json!({"tiers": null})), "unknown"),
        // 12 × 3 × 0.35 = 12.6; 12 × 0.125 = 1.5 to the even neighbour.
        ("fraction", 3, decimal("0.35"), "USD 13"),
        ("half", 1, decimal("0.125"), "USD 2"),
        ("tiny", 1_000, decimal("0.000000000001"), "USD 0"),
        ("none", 1, decimal("dear"), "unknown"),
    ] {
        assert_eq!(monthly(test, name, json!([quantity(units, price)])).await, arr, "{name}");
    }
}

async fn every_interval_is_exact_and_rounded_once(test: &TestApp) {
    let every = |interval: &str, count: i64, amount: i64| json!({"unit_amount": amount, "recurring": {"interval": interval, "interval_count": count}});
    for (interval, count, amount, arr) in [
        ("day", 1, 100, 36_500),
        ("week", 1, 100, 5_200),
        ("week", 2, 100, 2_600),
        ("month", 1, 100, 1_200),
        ("month", 3, 100, 400),
        ("month", 6, 100, 200),
        ("year", 1, 49_000, 49_000),
        ("year", 3, 100, 33),
        // 182.5 and 547.5: halves to the even neighbour.
        ("day", 2, 1, 182),
        ("day", 2, 3, 548),
    ] {
        let name = format!("{interval}{count}_{amount}");
        let found = monthly(test, &name, json!([item("pro", every(interval, count, amount))])).await;
        assert_eq!(found, format!("USD {arr}"), "{name}");
    }
    let two = json!([item("pro", every("day", 2, 1)), item("seat", every("day", 2, 3))]);
    assert_eq!(monthly(test, "two", two).await, "USD 730", "rounded once, not for each item");
}

async fn what_does_not_recur_is_not_counted(test: &TestApp) {
    let metered = json!({"recurring": {"interval": "month", "interval_count": 1, "usage_type": "metered"}});
    let mut usage = item("usage", metered);
    usage.as_object_mut().unwrap().remove("quantity");
    let nothing = with(item("seat", json!({})), json!({"quantity": 0}));
    let once = item("setup", json!({"recurring": null}));
    let credits = item("pack", json!({"metadata": {"credits": "100"}}));
    let items = json!([usage, nothing, item("pro", json!({})), once, credits]);
    assert_eq!(monthly(test, "several", items).await, "USD 24000");
    assert_eq!(monthly(test, "metered", json!([usage])).await, "USD 0");
}

async fn the_plan_after_a_change_is_the_item_that_is_one(test: &TestApp) {
    let mut books = Books::new(BASIL);
    let seat = item("seat", json!({}));
    let whole = with(subscription(json!([seat, item("pro", json!({}))])), json!({"schedule": "sched"}));
    let starter = item("starter", json!({"metadata": {"plan": "starter", "tier": "1"}}))["price"].clone();
    let basic = item("basic", json!({"metadata": {"plan": "basic", "tier": "3"}}))["price"].clone();
    books.add("price.created", START + 1, starter);
    books.add("price.created", START + 1, basic);
    books.subscribe(whole);
    let phase = |start: i64, items: Value| json!({"start_date": start, "end_date": start + 31 * DAY, "items": items});
    let at = |id: &str, quantity: i64| json!({"price": id, "quantity": quantity});
    let (next, later) = (START + 31 * DAY, START + 62 * DAY);
    let schedule = |items: Value| {
        let (first, last) = (json!([at("price_seat", 1), at("price_pro", 1)]), json!([at("price_pro", 9)]));
        json!({
            "id": "sched", "object": "subscription_schedule", "created": START + 6, "customer": "cus_1",
            "subscription": "sub_1", "status": "active", "end_behavior": "release",
            "current_phase": {"start_date": START, "end_date": next},
            "phases": [phase(START, first), phase(next, items), phase(later, last)],
        })
    };
    let updated = "subscription_schedule.updated";
    books.add(updated, START + 6, schedule(json!([at("price_seat", 3), at("price_starter", 2)])));
    books.deliver(test).await;
    let planned = async || {
        let change = history(test).await["scheduledChanges"][0].take();
        (change["plan"]["code"].clone(), change["priceExternalId"].clone(), change["quantity"].clone())
    };
    assert_eq!(planned().await, (json!("starter"), json!("price_starter"), json!(2)));
    for (second, items, expected) in [
        // Of two plans the one of the higher rank; a price that is not known may be a plan; add-ons are none.
        (7, json!([at("price_starter", 2), at("price_basic", 1)]), (json!("basic"), json!("price_basic"), json!(1))),
        (8, json!([at("price_seat", 2), at("price_new", 4)]), (Value::Null, json!("price_new"), json!(4))),
        (9, json!([at("price_seat", 2)]), (Value::Null, json!("price_seat"), json!(2))),
    ] {
        let mut books = Books::new(BASIL);
        books.events.clear();
        books.add(updated, START + second, schedule(items));
        for event in &mut books.events {
            event["id"] = json!(format!("evt_sched_{second}"));
        }
        deliver(test, &books.events).await;
        assert_eq!(planned().await, expected, "{second}");
    }
}
